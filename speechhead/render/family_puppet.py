"""Portraits that follow a video through the networks of a published family."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from speechhead.core.errors import ControlError
from speechhead.core.threads import background
from speechhead.engines.torch import to_pictures, to_tensor
from speechhead.face.landmarks import remove_pose
from speechhead.face.tracker import Face
from speechhead.generators.families.crops import Crop, Pasting, family_crop, middle_square, resized
from speechhead.generators.families.family import Family, Motion
from speechhead.media.image import Picture
from speechhead.media.reader import VideoReader

from .driver import Start, best_start
from .puppets import BATCH, Options


def check_options(model: Family, options: Options) -> None:
    """ControlError if the family does not have what is asked for."""
    if options.turned and not hasattr(model, "rotate"):
        raise ControlError(f"yaw, pitch and roll: {model.name} has no free view. Use face-vid2vid or liveportrait.")
    if _is_liveportrait(model):
        from speechhead.generators.families.retargeting import RetargetingOptions

        RetargetingOptions(**options.extra)
    elif options.extra:
        names = ", ".join(options.extra)
        raise ControlError(f"{names}: {model.name} has no such option. Use liveportrait, or leave it out.")


def _is_liveportrait(model: Family) -> bool:
    return model.name.startswith("liveportrait")


class FamilyPuppet:
    """A portrait moved by a family: keypoints of both pictures, motion transferred, picture generated.

    Parameters
    ----------
    model : family on its device
    picture, face : the portrait; without a face its middle square is taken
    reader, start : the driver, and its first face; likewise
    size : largest side of the face crop; a picture with a larger face is scaled down
    batch : frames at once
    """

    def __init__(
        self,
        model: Family,
        picture: Picture,
        face: Face | None,
        reader: VideoReader,
        start: Start,
        options: Options,
        size: int | None,
        batch: int | None,
    ) -> None:
        self.model, self.options = model, options
        self.device = next(model.parameters()).device
        self.batch = batch or BATCH[self.device.type]
        crop = family_crop(model.name, face.mesh) if face is not None else middle_square(picture)
        if size is not None and crop.side > size:
            factor = size / crop.side
            height, width = (max(16, round(n * factor)) for n in picture.shape[:2])
            picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            crop = replace(crop.scaled(factor), side=size)
        self.picture = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
        self._paste = Pasting(self.picture, crop)
        if options.find_best and face is not None:
            shapes, poses = remove_pose(face.landmarks[None])
            start = best_start(reader, shapes[0], poses[0]) or start
        self._there: Crop = middle_square(start.picture)
        if start.face is not None:
            self._there = family_crop(model.name, start.face.mesh, driver=True)
        self._extra = self._for_transfer(face)
        with torch.inference_mode():
            portrait = to_tensor([crop.cut(picture, model.image_size)], self.device)
            self._appearance, self._source = model.appearance(portrait), model.motion(portrait)
            self._first: Motion | None = None
            if options.relative:
                self._first = model.motion(to_tensor([self._there.cut(start.picture, model.image_size)], self.device))

    def _for_transfer(self, face: Face | None) -> dict[str, Any]:
        """Options for the family's `transfer`."""
        model, extra = self.model, dict(self.options.extra)
        if face is not None and _is_liveportrait(model):
            from speechhead.generators.families.retargeting import Openings

            landmarks = torch.from_numpy(face.landmarks[None].astype(np.float32)).to(self.device)
            return {"source_open": Openings.from_landmarks70(landmarks), **extra}
        if "adapt_scale" in inspect.signature(model.transfer).parameters:
            extra["adapt_scale"] = self.options.adapt_scale
        return extra

    def frames(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        size = self.model.image_size
        crops = (self._there.cut(picture, size) for picture in pictures)
        with background(crops, depth=2 * self.batch) as ready:  # decoding and cropping overlap the networks
            waiting: list[Picture] = []
            for crop in ready:
                waiting.append(crop)
                if len(waiting) == self.batch:
                    yield from self._generate(waiting)
                    waiting = []
            if waiting:
                yield from self._generate(waiting)

    @torch.inference_mode()
    def _generate(self, crops: list[Picture]) -> NDArray[np.uint8]:
        """Pictures [B, S, S, 3] for the driver's crops."""
        model, options = self.model, self.options
        driver = model.motion(to_tensor(crops, self.device))
        driving = model.transfer(self._source, driver, self._first, **self._extra)
        if options.turned:
            rotate: Any = model.rotate
            driving = rotate(driving, options.yaw, options.pitch, options.roll)
        return to_pictures(model.render(self._appearance, self._source, driving))

    def paste(self, frame: Picture) -> Picture:
        return self._paste(frame)

    def crop(self, frame: Picture, size: int | None) -> Picture:
        return np.ascontiguousarray(resized(frame, size or frame.shape[0] // 2 * 2))
