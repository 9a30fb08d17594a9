"""Head pose: generated from the speech, retained, or given; and the turn of a head on its neck."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array64
from speechhead.face.landmarks import Pose, rotation_matrix

from .easing import LowPass, Noise

# Fitted by pipelines/make/motion_statistics.py on the free speakers (no read-out commands) of the training clips.
SLOW_SECONDS = 1.85
FAST_SECONDS = 0.31
"""Time constants of the two bands of head motion: posture, and gestures with the speech."""

SLOW_DEGREES = (2.9, 2.4, 2.5)
FAST_DEGREES = (1.9, 1.4, 1.0)
"""Standard deviations (yaw, pitch, roll) of the two bands in the median clip."""

LIFT_SECONDS, LIFT_PER_DB = 0.16, -0.063
DIP_SECONDS, DIP_PER_DB = 0.7, 0.065
"""Nods: the head lifts when the voice rises above its running mean, and comes down after; degrees of pitch per dB."""

PRESENTER = 0.6
"""Part of that motion to show. The clips are full of campaign speeches; their news readers move about so much."""

ACCENT_LIMIT = 12.0
"""dB: an onset after a pause is not an accent of any size."""

# Chosen: the clips hold no long silences, and in short pauses heads move on as before.
SILENT_PART = (0.5, 0.2)
"""Part of the slow and of the fast band that remains in silence."""

LEVEL_SECONDS = 2.0
"""Time in which the head calms down when speech ends; longer than the pauses of a speaker."""

_MEAN_SECONDS = 2.0

NECK = np.array([0.0, 1.0, 0.9])
"""Where the head turns, in normalised space: at the height of the jaw, in the middle of the neck."""


class HeadMotion:
    """Seeded head motion from prosody, one video frame at a time; it starts at the portrait's pose."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng([seed, 0x4EAD])
        self._slow = Noise(SLOW_SECONDS, 3)
        self._fast = Noise(FAST_SECONDS, 3)
        self._level = LowPass(LEVEL_SECONDS, 0.0, order=2)
        self._mean: LowPass[float] | None = None
        self._lift, self._dip = LowPass(LIFT_SECONDS, 0.0), LowPass(DIP_SECONDS, 0.0)

    def step(self, energy: float, level: float) -> Array64:
        """(yaw, pitch, roll) in degrees away from the portrait's pose.

        Parameters
        ----------
        energy : dB of the frame's sound
        level : 0 in silence to 1 in speech
        """
        draws = self._random.standard_normal(6)
        life = self._level.step(level)
        slow, fast = (part + (1.0 - part) * life for part in SILENT_PART)
        angles = slow * self._slow.step(draws[:3]) * SLOW_DEGREES + fast * self._fast.step(draws[3:]) * FAST_DEGREES
        accent = level * self._accent(energy, level)
        angles[1] += LIFT_PER_DB * self._lift.step(accent) + DIP_PER_DB * self._dip.step(accent)
        return PRESENTER * angles

    def _accent(self, energy: float, level: float) -> float:
        """dB by which the voice stands above its running mean, which starts anew after a silence."""
        if level < 0.05:
            self._mean = None
            return 0.0
        if self._mean is None:
            self._mean = LowPass(_MEAN_SECONDS, energy, order=1)
        return float(np.clip(energy - self._mean.step(energy), -ACCENT_LIMIT, ACCENT_LIMIT))


def neck(pose: Pose) -> Array64:
    """Where the neck is [3], in the pose's pixels."""
    place: Array64 = pose.translation + pose.scale * (np.asarray(pose.rotation, np.float64) @ NECK)
    return place


def about_neck(angles: npt.ArrayLike, place: Array64, scale: float) -> Pose:
    """The pose of (yaw, pitch, roll) degrees [3] whose neck is at `place` [3], in pixels."""
    rotation = rotation_matrix(np.asarray(angles, np.float64))
    translation = place - scale * (np.asarray(rotation, np.float64) @ NECK)
    return Pose(rotation, translation.astype(np.float32), scale)


def turned(pose: Pose, angles: npt.ArrayLike, rise: float = 0.0) -> Pose:
    """`pose` turned by (yaw, pitch, roll) degrees about the neck, so that the neck stays in its place.

    Parameters
    ----------
    pose : the portrait's pose
    angles : [3], added to the pose's own angles
    rise : by how much the head moves up in the picture, in outer eye distances
    """
    rotation = rotation_matrix(np.asarray(pose.angles, np.float64) + np.asarray(angles, np.float64))
    shift = (np.asarray(pose.rotation, np.float64) - rotation) @ NECK - (0.0, rise, 0.0)
    translation = (np.asarray(pose.translation, np.float64) + pose.scale * shift).astype(np.float32)
    return Pose(rotation, translation, pose.scale)
