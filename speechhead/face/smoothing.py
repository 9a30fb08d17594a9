"""Calming tracked meshes: the head's jitter goes, lips and eyelids stay sharp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS

from .landmarks import Pose, from_mesh, remove_pose, rotation_angles, rotation_matrix, to_normalised, to_pixels

# Vertices of lips and eyes with their surroundings: MediaPipe's refined regions.
# fmt: off
_LIPS = (
    0, 11, 12, 13, 14, 15, 16, 17, 37, 38, 39, 40, 41, 42, 61, 62, 72, 73, 74, 76, 77, 78, 80, 81, 82, 84, 85, 86,
    87, 88, 89, 90, 91, 95, 96, 146, 178, 179, 180, 181, 183, 184, 185, 191, 267, 268, 269, 270, 271, 272, 291, 292,
    302, 303, 304, 306, 307, 308, 310, 311, 312, 314, 315, 316, 317, 318, 319, 320, 321, 324, 325, 375, 402, 403,
    404, 405, 407, 408, 409, 415,
)
_EYES = (
    7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 246, 249, 263, 362, 373, 374, 380, 381,
    382, 384, 385, 386, 387, 388, 390, 398, 466,
)
# fmt: on
_QUICK = np.array([*_LIPS, *_EYES, *range(468, 478)])


@dataclass(frozen=True)
class OneEuro:
    """Casiez et al., 2012, "1 Euro filter": a low pass that opens with speed.

    least : cut-off in Hz at rest; opening : Hz added per unit of speed (unit per second); a number, or [N, 1].
    """

    least: float | Array
    opening: float | Array

    def step(self, value: Array, last: Array, speed: Array, rate: float) -> tuple[Array, Array]:
        """Next filtered value and smoothed speed of points [N, D]; speed [N, D], rate in Hz."""
        speed = speed + _share(1.0, rate) * ((value - last) * rate - speed)
        cutoff = self.least + self.opening * np.linalg.norm(speed, axis=-1, keepdims=True)
        return last + _share(cutoff, rate) * (value - last), speed


def _share(cutoff: npt.ArrayLike, rate: float) -> Array:
    """Weight of the newest value in a first-order low pass."""
    return np.asarray(1 / (1 + rate / (2 * np.pi * np.asarray(cutoff))), np.float32)


POSE = OneEuro(least=1.2, opening=8.0)  # eye distances and radians
SKIN = OneEuro(least=1.5, opening=10.0)  # eye distances
QUICK = OneEuro(least=6.0, opening=30.0)

LEAP = 10.0
"""Eye distances, radians of turn or units of log scale per second that no head reaches: there is a cut, and what was
before it is forgotten."""

LAG = 0.05
"""Eye distances by which a calmed head may trail the head that is seen: after smaller cuts, and where it starts."""


class LandmarkFilter:
    """Causal filter of one tracked mesh: head pose and face shape apart, each point at its own pace."""

    def __init__(self, rate: float = FPS) -> None:
        self._rate = rate
        quick = np.isin(np.arange(478), _QUICK)[:, None]
        self._shape_filter = OneEuro(
            np.where(quick, QUICK.least, SKIN.least).astype(np.float32),
            np.where(quick, QUICK.opening, SKIN.opening).astype(np.float32),
        )
        self.reset()

    def reset(self) -> None:
        """Forget the past (after a cut or a lost face)."""
        self._raw: Pose | None = None

    def __call__(self, mesh: Array) -> Array:
        """The next mesh [478, 3] px, calmed. A picture shifted, turned in its plane or scaled gives it so, too."""
        pose = remove_pose(from_mesh(mesh)[None])[1][0]
        shape = to_normalised(mesh, pose)
        if self._raw is None or _speed(self._raw, pose, self._rate) > LEAP:
            self._raw, self._pose, self._shape = pose, pose, shape
            self._turn_speed, self._way_speed = np.zeros((4, 1), np.float32), np.zeros((1, 3), np.float32)
            self._shape_speed = np.zeros_like(shape)
            return mesh
        self._raw, self._pose = pose, self._calmed(self._pose, pose)
        self._shape, self._shape_speed = self._shape_filter.step(shape, self._shape, self._shape_speed, self._rate)
        return to_pixels(self._shape, self._pose)

    def _calmed(self, last: Pose, pose: Pose) -> Pose:
        """The filtered pose after `last`. Steps are filtered, not places: nothing depends on the picture's corner."""
        turn, way = _turn(last, pose), _way(last, pose)
        turned, self._turn_speed = POSE.step(turn[:, None], 0 * turn[:, None], self._turn_speed, self._rate)
        moved, self._way_speed = POSE.step(way[None], 0 * way[None], self._way_speed, self._rate)
        turn_left, way_left = turn - turned[:, 0], way - moved[0]
        left = float(np.linalg.norm(way_left) + np.abs(turn_left).sum())  # an eye distance from the eyes is the mouth
        kept = LAG / max(left, LAG)
        turn, way = turn - kept * turn_left, way - kept * way_left
        rotation = rotation_matrix(rotation_angles(last.rotation) + np.rad2deg(turn[:3]))
        place = last.translation + way * np.float32(pose.scale)
        return Pose(rotation, place.astype(np.float32), last.scale * float(np.exp(turn[3])))


def _way(last: Pose, pose: Pose) -> Array:
    """From one pose to another: [3] eye distances."""
    return ((pose.translation - last.translation) / pose.scale).astype(np.float32)


def _turn(last: Pose, pose: Pose) -> Array:
    """From one pose to another, [4]: yaw, pitch and roll in radians, the short way round, and the log of the growth."""
    angles = np.deg2rad(rotation_angles(pose.rotation) - rotation_angles(last.rotation))
    return np.array([*np.angle(np.exp(1j * angles)), np.log(pose.scale / last.scale)], np.float32)


def _speed(last: Pose, pose: Pose, rate: float) -> float:
    """The fastest of shift (eye distances), turns (radians) and growth (log) from one pose to the next, per second."""
    return rate * float(max(np.linalg.norm(_way(last, pose)), np.abs(_turn(last, pose)).max()))


def smooth_track(meshes: Array, rate: float = FPS) -> Array:
    """Calm a whole track without delay: the mean of the filter run forwards and backwards.

    Parameters
    ----------
    meshes : float32 [T, 478, 3] px; frames without a face are NaN and stay NaN
    rate : frames per second
    """
    meshes = np.asarray(meshes, np.float32)
    passes = []
    for order in (slice(None), slice(None, None, -1)):
        calm, out = LandmarkFilter(rate), []
        for mesh in meshes[order]:
            lost = not np.isfinite(mesh).all()
            if lost:
                calm.reset()
            out.append(mesh if lost else calm(mesh))
        passes.append(np.stack(out)[order] if out else meshes)
    return ((passes[0] + passes[1]) / 2).astype(np.float32)


CALM_FRAMES = 1.0
"""Standard deviation in frames over which `with_calm_poses` averages: what is quicker is the tracker, not the head."""


def with_calm_poses(normalised: Array, poses: Sequence[Pose]) -> tuple[Array, list[Pose]]:
    """The same landmarks in the picture, written under poses that do not tremble.

    What moves by the pose alone, hair and body, would tremble with it; the face stays where it was seen.

    Parameters
    ----------
    normalised : float32 [T, N, 3] landmarks, and T poses, of a whole track
    """
    reach = int(np.ceil(4 * CALM_FRAMES))
    kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / CALM_FRAMES))
    kernel /= kernel.sum()

    def averaged(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        columns = np.pad(values.reshape(len(values), -1).astype(np.float64), ((reach, reach), (0, 0)), mode="edge")
        return np.stack([np.convolve(column, kernel, "valid") for column in columns.T], 1).reshape(values.shape)

    left, _, right = np.linalg.svd(averaged(np.stack([pose.rotation for pose in poses])))
    places = averaged(np.stack([pose.translation for pose in poses]))
    scales = averaged(np.array([pose.scale for pose in poses]))
    calm = [
        Pose(turn.astype(np.float32), place.astype(np.float32), float(scale))
        for turn, place, scale in zip(left @ right, places, scales)
    ]
    seen = [to_normalised(to_pixels(face, pose), new) for face, pose, new in zip(normalised, poses, calm)]
    return np.stack(seen).astype(np.float32), calm
