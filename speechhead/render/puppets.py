"""Portraits that follow a video: what they can do, and the default one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.errors import ControlError
from speechhead.core.threads import WORKERS, in_order
from speechhead.face.landmarks import Pose, from_mesh, remove_pose
from speechhead.generators.open import open_generator
from speechhead.media.image import Picture
from speechhead.media.reader import VideoReader
from speechhead.motion.rest import rest_face

from .driver import Start, _tracked, best_start

log = logging.getLogger("speechhead")

BATCH = {"cpu": 1, "cuda": 16}
"""Frames that go through a family's networks at once."""


@dataclass(frozen=True)
class Options:
    """How the driver moves the portrait.

    relative : its motion since the first frame (or the best one) is put on the portrait; otherwise its own keypoints
        are taken over, and with them the shape of its face
    adapt_scale : relative motion is scaled to the size of the portrait's face
    yaw, pitch, roll : degrees by which the portrait's head is turned on top (free view)
    find_best : relative motion starts from the frame whose face is most like the portrait's, not from the first
    whole : source and driver are square face crops already, as the papers' demonstrations take them: their middle
        squares are used as they are, no face is looked for, and the video shows the square
    extra : further options of a family's `transfer`, such as LivePortrait's region
    """

    relative: bool = True
    adapt_scale: bool = True
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    find_best: bool = False
    whole: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("yaw", self.yaw), ("pitch", self.pitch), ("roll", self.roll)):
            if not -90 <= value <= 90:
                raise ControlError(f"{name} {value:g} is not usable. Give -90 to 90 degrees.")
        multiplier = self.extra.get("multiplier", 1.0)
        if not 0 <= multiplier <= 5:
            raise ControlError(f"multiplier {multiplier:g} is not usable. Give 0 to 5.")

    @property
    def turned(self) -> bool:
        """Whether a free view is asked for."""
        return any((self.yaw, self.pitch, self.roll))


class Puppet(Protocol):
    """A portrait that follows the driver."""

    picture: Picture
    """What frames are pasted into, sides even."""

    def frames(self, pictures: Iterable[Picture]) -> Iterator[Any]:
        """One generated crop [S, S, 3] for every picture of the driver."""

    def paste(self, frame: Any) -> Picture:
        """The full picture with such a crop in its place."""

    def crop(self, frame: Any, size: int | None) -> Picture:
        """The crop alone at `size` pixels, or at its own size, even."""


class CompactPuppet:
    """The default family, driven by landmarks: the tracker's, carried over to the portrait's proportions."""

    def __init__(
        self,
        source: str | Path,
        reader: VideoReader,
        start: Start,
        options: Options,
        size: int | None,
        engine: str,
        device: str,
        face: int | None,
    ) -> None:
        if options.extra:
            raise ControlError(f"option '{next(iter(options.extra))}' is unknown to compact. Leave it out.")
        self.avatar = Avatar.open(source, size or 512, face)
        for note in self.avatar.notes:
            log.warning("%s", note)
        self.picture = self.avatar.picture
        self.generator = open_generator("compact", self.avatar.size, engine, device)
        self.options = options
        if options.find_best:
            start = best_start(reader, self.avatar.neutral, self.avatar.pose) or start
        assert start.face is not None
        shapes, poses = remove_pose(start.face.landmarks[None])
        self._first, self._first_rest = poses[0], rest_face(shapes[0])
        self._rest = rest_face(self.avatar.neutral)

    def frames(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        source = self.avatar.source(self.generator)
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="draw") as pool:
            yield from in_order(pool, lambda *motion: self.generator.render(source, *motion), self._motions(pictures))

    def _motions(self, pictures: Iterable[Picture]) -> Iterator[tuple[Array, Pose]]:
        """Landmarks and pose of the portrait; where the driver's face is lost, they hold."""
        last = self._carried(self._first_rest, self._first)
        for _, face in _tracked(pictures, smooth=True):
            if face is not None:
                shapes, poses = remove_pose(from_mesh(face.mesh)[None])
                last = self._carried(shapes[0], poses[0])
            yield last

    def _carried(self, shape: Array, pose: Pose) -> tuple[Array, Pose]:
        """The driver's landmarks [70, 3] and pose as the portrait's, in crop pixels.

        Relative: the motion away from the driver's rest face is added to the portrait's, R = R_d R_0^T R_s, and the
        head goes as far as the driver's, measured in its own size. Absolute: the driver's face and rotation.
        """
        options, own, first = self.options, self.avatar.pose, self._first
        grown = pose.scale / first.scale
        adapted = own.scale / first.scale if options.adapt_scale else 1.0
        way = (pose.translation - first.translation) * np.float32(adapted)
        rotation = pose.rotation
        if options.relative:
            shape = self._rest + shape - self._first_rest
            rotation = pose.rotation @ first.rotation.T @ own.rotation
        yaw, pitch, roll = Pose(rotation, own.translation, 1.0).angles
        turned = (yaw + options.yaw, pitch + options.pitch, roll + options.roll)
        return shape, Pose.from_angles(*turned, own.translation + way, own.scale * grown)

    def paste(self, frame: Picture) -> Picture:
        return self.avatar.paste(frame)

    def crop(self, frame: Picture, size: int | None) -> Picture:
        return self.avatar.face(frame, size or self.avatar.size // 2 * 2)
