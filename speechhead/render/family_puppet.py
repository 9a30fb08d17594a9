"""Portraits that follow a video through the networks of a published family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechhead.core.errors import ControlError
from speechhead.core.options import DriveOptions, RenderOptions
from speechhead.core.threads import background
from speechhead.engines.outlet import arrived
from speechhead.engines.planes import Laying, as_bytes, i420, on_device
from speechhead.engines.planes import resized as resized_there
from speechhead.engines.torch import to_tensor
from speechhead.face.landmarks import remove_pose
from speechhead.face.tracker import Face
from speechhead.generators.families import registry
from speechhead.generators.families.crops import Crop, Pasting, middle_square, resized
from speechhead.generators.families.engine import FamilyEngine, Finish, Parts
from speechhead.generators.families.family import Drawn, Family, Motion
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

    A face that is larger than the family's pictures keeps its own detail: see `full_resolution`. Decoding, networks and
    what follows run beside each other; on a GPU frames are pasted and turned to planes there.

    Parameters
    ----------
    engine : family on its device
    picture, face : the portrait; without a face its middle square is taken
    reader, start : the driver, and its first face; likewise
    options : a picture with a face larger than their size is scaled down, unless the video shows the crop alone
    planar : frames may be planar, as `media.image.yuv420` makes them
    """

    def __init__(
        self,
        engine: FamilyEngine,
        portrait: tuple[Picture, Face | None],
        reader: VideoReader,
        start: Start,
        options: RenderOptions,
        drive: DriveOptions,
        planar: bool = False,
    ) -> None:
        self.engine, self.drive, self._known = engine, drive, registry.spec(engine.model.name)
        self.device, model = str(engine.device), engine.model
        self.batch = drive.batch or BATCH[engine.device.type]
        picture, face = portrait
        crop = self._known.crop(face.mesh, False) if face is not None else middle_square(picture)
        if options.size is not None and not options.crop and crop.side > options.size:
            factor = options.size / crop.side
            picture = scaled_down(picture, factor)
            crop = replace(crop.scaled(factor), side=options.size)
        even = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
        self._paste = Pasting(even, crop)
        if drive.find_best and face is not None:
            shapes, poses = remove_pose(face.landmarks[None])
            start = best_start(reader, shapes[0], poses[0], options.landmarks) or start
        self._there: Crop = middle_square(start.picture)
        if start.face is not None:
            self._there = self._known.crop(start.face.mesh, True)
        self._extra = self._for_transfer(face)
        seen = [crop.cut(picture, model.image_size)]
        self._appearance, self._source = engine.appearance(seen), engine.motion(seen)
        side = crop.side if not options.crop else min(crop.side, options.size or crop.side)
        whole = to_tensor([crop.cut(picture, side)], engine.device)
        self._rest = engine.at_rest(self._appearance, self._source, whole)
        self._first: Motion | None = None
        if drive.relative:
            self._first = engine.motion([self._there.cut(start.picture, model.image_size)])
        made = side if self._rest.larger else self._rest.picture.shape[3]
        self._crop = (options.size or made // 2 * 2) if options.crop else None
        self._drawing = engine.drawing(self._on_device(planar) if engine.running.finishes else self._crops)

    def _for_transfer(self, face: Face | None) -> dict[str, Any]:
        """Options for the family's `transfer`."""
        extra = self.drive.transfer
        if "adapt_scale" in self._known.option_names:
            extra["adapt_scale"] = self.drive.adapt_scale
        if face is None:
            return extra
        landmarks = torch.from_numpy(face.landmarks[None].astype(np.float32)).to(self.engine.device)
        return {**self._known.portrait_options(landmarks), **extra}

    def frames(self, pictures: Iterable[Picture]) -> Iterator[NDArray[np.uint8]]:
        size = self.engine.model.image_size
        crops = (self._there.cut(picture, size) for picture in pictures)
        with background(crops, depth=2 * self.batch) as ready:  # decoding and cropping overlap the networks
            batches = iter(lambda: list(islice(ready, self.batch)), [])
            for made in arrived(map(self._generate, batches)):
                yield from made

    def _generate(self, crops: list[Picture]) -> Tensor:
        """Frames [B, ...] for the driver's crops, on the device."""
        model, drive = self.engine.model, self.drive
        driver = self.engine.motion(crops)
        with self.engine.running.exact():
            driving = model.transfer(self._source, driver, self._first, **self._extra)
            if drive.turned:
                rotate: Any = model.rotate
                driving = rotate(driving, drive.yaw, drive.pitch, drive.roll)
        return self._drawing(self._appearance, self._source, driving, self._rest.parts())

    def _drawn(self, drawn: Drawn, beside: Parts) -> Tensor:
        """Crops [B, 3, S, S] in 0..1, at the portrait's own size where it is larger than the family's."""
        rest = Rest.from_parts(beside, self._rest.size)
        return full_size(drawn, rest) if self._rest.larger else drawn.picture.clamp(0, 1)

    def _crops(self, drawn: Drawn, beside: Parts) -> Tensor:
        return as_bytes(self._drawn(drawn, beside))

    def _on_device(self, planar: bool) -> Finish:
        """What makes finished frames of crops without leaving the device."""
        paste, device, cut = self._paste, self.engine.device, self._crop
        whole = on_device(paste.picture, device)
        laying = Laying(paste.matrix, paste.picture[paste.rows, paste.columns], paste.ramp, device)

        def finish(drawn: Drawn, beside: Parts) -> Tensor:
            squares = self._drawn(drawn, beside)
            if cut is not None:
                full = as_bytes(resized_there(squares, cut))
            else:
                full = whole.repeat(len(squares), 1, 1, 1)
                full[:, paste.rows, paste.columns] = as_bytes(laying(resized_there(squares, paste.side)))
            return i420(full) if planar else full

        return finish

    def finish(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.engine.running.finishes:
            return frame
        return self._paste(frame) if self._crop is None else np.ascontiguousarray(resized(frame, self._crop))
