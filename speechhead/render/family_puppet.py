"""Portraits that follow a video through the networks of a published family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from speechhead.core.errors import ControlError
from speechhead.core.options import DriveOptions, RenderOptions
from speechhead.core.threads import background
from speechhead.engines.torch import to_pictures, to_tensor
from speechhead.face.landmarks import remove_pose
from speechhead.face.tracker import Face
from speechhead.generators.families import registry
from speechhead.generators.families.crops import Crop, Pasting, middle_square, resized
from speechhead.generators.families.family import Family, Motion
from speechhead.generators.families.full_resolution import Rest, full_size
from speechhead.media.image import Picture, scaled_down
from speechhead.media.reader import VideoReader

from .driver import Start, best_start

BATCH = {"cpu": 1, "cuda": 16}
"""Frames that go through a family's networks at once."""


def check_options(model: Family, drive: DriveOptions) -> None:
    """ControlError if the family does not have what is asked for."""
    known = registry.spec(model.name)
    if drive.turned and not known.free_view:
        able = [other.name for other in registry.specs() if other.free_view]
        raise ControlError(f"yaw, pitch and roll: {model.name} has no free view. Use {' or '.join(able)}.")
    unknown = set(drive.transfer) - set(known.option_names)
    if unknown:
        able = [other.name for other in registry.specs() if unknown <= set(other.option_names)]
        remedy = f"Use {' or '.join(able)}, or leave it out." if able else "Leave it out."
        raise ControlError(f"{', '.join(sorted(unknown))}: {model.name} has no such option. {remedy}")
    known.options(**drive.transfer)


class FamilyPuppet:
    """A portrait moved by a family: keypoints of both pictures, motion transferred, picture generated.

    A face that is larger than the family's pictures keeps its own detail: see `full_resolution`.

    Parameters
    ----------
    model : family on its device
    picture, face : the portrait; without a face its middle square is taken
    reader, start : the driver, and its first face; likewise
    options : a picture with a face larger than their size is scaled down, unless the video shows the crop alone
    """

    def __init__(
        self,
        model: Family,
        picture: Picture,
        face: Face | None,
        reader: VideoReader,
        start: Start,
        options: RenderOptions,
        drive: DriveOptions,
    ) -> None:
        self.model, self.drive, self._known = model, drive, registry.spec(model.name)
        self.device = next(model.parameters()).device
        self.batch = drive.batch or BATCH[self.device.type]
        crop = self._known.crop(face.mesh, False) if face is not None else middle_square(picture)
        if options.size is not None and not options.crop and crop.side > options.size:
            factor = options.size / crop.side
            picture = scaled_down(picture, factor)
            crop = replace(crop.scaled(factor), side=options.size)
        self.picture = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
        self._paste = Pasting(self.picture, crop)
        if drive.find_best and face is not None:
            shapes, poses = remove_pose(face.landmarks[None])
            start = best_start(reader, shapes[0], poses[0]) or start
        self._there: Crop = middle_square(start.picture)
        if start.face is not None:
            self._there = self._known.crop(start.face.mesh, True)
        self._extra = self._for_transfer(face)
        with torch.inference_mode():
            portrait = to_tensor([crop.cut(picture, model.image_size)], self.device)
            self._appearance, self._source = model.appearance(portrait), model.motion(portrait)
            side = crop.side if not options.crop else min(crop.side, options.size or crop.side)
            whole = to_tensor([crop.cut(picture, side)], self.device)
            self._rest = Rest.of(model, self._appearance, self._source, whole)
            self._first: Motion | None = None
            if drive.relative:
                self._first = model.motion(to_tensor([self._there.cut(start.picture, model.image_size)], self.device))

    def _for_transfer(self, face: Face | None) -> dict[str, Any]:
        """Options for the family's `transfer`."""
        extra = self.drive.transfer
        if "adapt_scale" in self._known.option_names:
            extra["adapt_scale"] = self.drive.adapt_scale
        if face is None:
            return extra
        landmarks = torch.from_numpy(face.landmarks[None].astype(np.float32)).to(self.device)
        return {**self._known.portrait_options(landmarks), **extra}

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
        model, drive = self.model, self.drive
        driver = model.motion(to_tensor(crops, self.device))
        driving = model.transfer(self._source, driver, self._first, **self._extra)
        if drive.turned:
            rotate: Any = model.rotate
            driving = rotate(driving, drive.yaw, drive.pitch, drive.roll)
        drawn = model.draw(self._appearance, self._source, driving)
        return to_pictures(full_size(drawn, self._rest) if self._rest.larger else drawn.picture)

    def paste(self, frame: Picture) -> Picture:
        return self._paste(frame)

    def crop(self, frame: Picture, size: int | None) -> Picture:
        return np.ascontiguousarray(resized(frame, size or frame.shape[0] // 2 * 2))
