"""Landmarks at 25 Hz to landmarks at the video's frame rate."""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS
from speechhead.core.options import check_fps
from speechhead.face.landmarks import Pose, rotation_angles


class FrameClock:
    """Landmarks at 25 Hz to landmarks at another frame rate, linearly in between, streaming.

    Frame j of the output is at time j / fps; n frames in give ceil(n * fps / 25) frames out.

    Raises
    ------
    MediaError unless 1 <= fps <= 120.
    """

    def __init__(self, fps: float = FPS) -> None:
        self._step = FPS / check_fps(fps)
        self._start()

    def _start(self) -> None:
        self._in = self._out = 0
        self._last: tuple[Array, Pose] | None = None
        self._none: Array = np.zeros((0, 70, 3), np.float32)

    def push(self, faces: Array, poses: list[Pose]) -> tuple[Array, list[Pose]]:
        """Frames that are ready after these: faces [k, 70, 3], or with more rows, and their poses."""
        self._none = faces[:0]
        if self._step == 1:
            return faces, poses
        moved: list[tuple[Array, Pose]] = []
        for face, pose in zip(faces, poses):
            self._in += 1
            while self._out * self._step <= self._in - 1 + 1e-9:
                share = self._out * self._step - (self._in - 2)  # 0 at the last frame, 1 at this one
                moved.append((face, pose) if self._last is None else between(self._last, (face, pose), share))
                self._out += 1
            self._last = face, pose
        return _stacked(moved, self._none)

    def flush(self) -> tuple[Array, list[Pose]]:
        """The frames after the last landmarks, which hold."""
        moved: list[tuple[Array, Pose]] = []
        if self._last is not None:
            while self._out * self._step < self._in - 1e-9:
                moved.append(self._last)
                self._out += 1
        ready = _stacked(moved, self._none)
        self._start()
        return ready


def _stacked(moved: list[tuple[Array, Pose]], like: Array) -> tuple[Array, list[Pose]]:
    faces = np.stack([face for face, _ in moved]) if moved else np.zeros((0, *like.shape[1:]), np.float32)
    return faces, [pose for _, pose in moved]


def between(before: tuple[Array, Pose], after: tuple[Array, Pose], share: float) -> tuple[Array, Pose]:
    """Landmarks [70, 3] and pose at a share 0..1 of the way from one frame to another."""
    (face0, pose0), (face1, pose1) = before, after
    angles0, angles1 = rotation_angles(pose0.rotation), rotation_angles(pose1.rotation)
    yaw, pitch, roll = (float(a) for a in angles0 + np.float32(share) * (angles1 - angles0))
    place = pose0.translation + np.float32(share) * (pose1.translation - pose0.translation)
    scale = pose0.scale + share * (pose1.scale - pose0.scale)
    return face0 + np.float32(share) * (face1 - face0), Pose.from_angles(yaw, pitch, roll, place, scale)
