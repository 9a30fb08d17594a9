"""Portraits that follow a video through the default generator, driven by landmarks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.errors import ControlError
from speechhead.core.options import DriveOptions, RenderOptions
from speechhead.core.threads import WORKERS, in_order
from speechhead.face.landmarks import Pose, from_mesh, remove_pose
from speechhead.generators.open import open_generator
from speechhead.media.image import Picture
from speechhead.media.reader import VideoReader
from speechhead.motion.easing import minimum_jerk
from speechhead.motion.limits import held_pose
from speechhead.motion.pose import about_neck, drawn, neck
from speechhead.motion.rest import rest_face

from .clock import between
from .crops import batch_of, in_batches
from .driver import Start, best_start, tracked

log = logging.getLogger("speechhead")

FOUND_AGAIN = 6
"""Frames in which the portrait goes on to where the driver's face is found again after it was lost."""


class CompactPuppet:
    """The default family, driven by landmarks: the tracker's, carried over to the portrait's proportions."""

    def __init__(
        self, source: str | Path, reader: VideoReader, start: Start, options: RenderOptions, drive: DriveOptions
    ) -> None:
        if drive.transfer:
            raise ControlError(f"option '{next(iter(drive.transfer))}' is unknown to compact. Leave it out.")
        self.avatar = Avatar.of(source, options)
        for note in self.avatar.notes:
            log.warning("%s", note)
        self.generator = open_generator(
            "compact", self.avatar.size, options.engine, options.device, 1, options.precision, options.graph
        )
        self.device = getattr(self.generator, "device", "cpu")
        self.drive, self._options = drive, options
        if drive.find_best:
            start = best_start(reader, self.avatar.neutral, self.avatar.pose, options.landmarks) or start
        assert start.face is not None
        shapes, poses = remove_pose(start.face.landmarks[None])
        self._first, self._first_rest = poses[0], rest_face(shapes[0])
        self._rest = rest_face(self.avatar.neutral)

    def frames(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        source, motions = self.avatar.source(self.generator), self._motions(pictures)
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="draw") as pool:
            if batch_of(self.generator) > 1:
                yield from in_batches(pool, self.generator, source, motions, lambda crop: crop)
                return
            yield from in_order(pool, lambda *motion: self.generator.render(source, *motion), motions)

    def _motions(self, pictures: Iterable[Picture]) -> Iterator[tuple[Array, Pose]]:
        """Landmarks and pose of the portrait; where the driver's face is lost, they hold, and glide on from there."""
        last = held = self._carried(self._first_rest, self._first)
        since = FOUND_AGAIN
        for _, face in tracked(pictures, True, self._options.landmarks):
            if face is None:
                held, since = last, 0
            else:
                shapes, poses = remove_pose(from_mesh(face.mesh)[None])
                last = self._carried(shapes[0], poses[0])
                if since < FOUND_AGAIN:
                    since += 1
                    last = between(held, last, minimum_jerk(since / FOUND_AGAIN))
            yield last

    def _carried(self, shape: Array, pose: Pose) -> tuple[Array, Pose]:
        """The driver's landmarks [70, 3] and pose as the portrait's, in crop pixels.

        Relative: the motion away from the driver's rest face is added to the portrait's, R = R_d R_0^T R_s, and the
        neck goes as far as the driver's, measured in its own size. Absolute: the driver's face and rotation. A free
        view turns the head about the neck. Beyond what holds, motion fades out.
        """
        drive, own, first = self.drive, self.avatar.pose, self._first
        grown = pose.scale / first.scale
        adapted = own.scale / first.scale if drive.adapt_scale else 1.0
        way = (neck(pose) - neck(first)) * adapted
        rotation = pose.rotation
        if drive.relative:
            shape = self._rest + shape - self._first_rest
            rotation = pose.rotation @ first.rotation.T @ own.rotation
        yaw, pitch, roll = Pose(rotation, own.translation, 1.0).angles
        free = drawn((drive.yaw, drive.pitch, drive.roll))
        turned = (yaw + free[0], pitch + free[1], roll + free[2])
        return shape, held_pose(about_neck(turned, neck(own) + way, own.scale * grown), own)

    def finish(self, frame: Picture) -> Picture:
        if self._options.crop:
            return self.avatar.face(frame, self._options.size or self.avatar.size // 2 * 2)
        return self.avatar.paste(frame)
