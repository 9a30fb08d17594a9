"""Head pose: how far heads go, nods on stress, and the turn of a head on its neck."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array64
from speechhead.face.landmarks import Pose, rotation_matrix

from .easing import LowPass

HEAD_RANGE = 1.0
"""Part of the head's real range that is shown by default: how far a portrait's picture bears turning."""

EASY, EASY_ROOM = (10.0, 8.0, 8.0), (4.0, 3.0, 3.0)
"""Degrees of yaw, pitch and roll up to which a generated head turns as it was filmed, and the room in which it comes to
rest beyond: rare turns of 15 degrees are for people who look at something there."""

# Fitted by pipelines/make/motion_statistics.py on the training people who speak freely.
LIFT_SECONDS, LIFT_PER_DB = 0.16, -0.09
DIP_SECONDS, DIP_PER_DB = 0.7, -0.025
"""Nods: the head lifts when the voice rises above its running level; degrees of pitch per dB."""

BROW_SECONDS, BROW_PER_DB = 0.3, 0.0015
"""Brows rise with stress, outer eye distances per dB. Chosen: viewers expect it, in the footage they hardly do."""

NECK = np.array([0.0, 1.0, 0.9])
"""Where the head turns, in normalised space: at the height of the jaw, in the middle of the neck."""


SEEN = (0.8, 0.75, 1.0)
"""Part of a drawn turn (yaw, pitch, roll) that trackers tell (`python -m pipelines.judge.turn_sweep`). Angles that are
asked are such as they tell: constants of motion, and tracks of heads, come from trackers."""


class Nods:
    """What head and brows do on stress, one video frame at a time."""

    def __init__(self) -> None:
        self._lift, self._dip = LowPass(LIFT_SECONDS, 0.0), LowPass(DIP_SECONDS, 0.0)
        self._brow = LowPass(BROW_SECONDS, 0.0)

    def step(self, stress: float) -> tuple[float, float]:
        """Pitch in degrees and rise of the brows in outer eye distances, for the frame's stress in dB."""
        pitch = LIFT_PER_DB * self._lift.step(stress) + DIP_PER_DB * self._dip.step(stress)
        return pitch, BROW_PER_DB * self._brow.step(max(stress, 0.0))


def neck(pose: Pose) -> Array64:
    """Where the neck is [3], in the pose's pixels."""
    place: Array64 = pose.translation + pose.scale * (np.asarray(pose.rotation, np.float64) @ NECK)
    return place


def about_neck(angles: npt.ArrayLike, place: Array64, scale: float) -> Pose:
    """The pose of (yaw, pitch, roll) degrees [3] whose neck is at `place` [3], in pixels."""
    rotation = rotation_matrix(np.asarray(angles, np.float64))
    translation = place - scale * (np.asarray(rotation, np.float64) @ NECK)
    return Pose(rotation, translation.astype(np.float32), scale)


def drawn(angles: npt.ArrayLike) -> Array64:
    """Turns (yaw, pitch, roll) in degrees [..., 3] to draw, so that a tracker tells the given ones."""
    return np.asarray(np.asarray(angles, np.float64) / SEEN, np.float64)


def told(angles: npt.ArrayLike) -> Array64:
    """What a tracker tells of drawn turns (yaw, pitch, roll) in degrees [..., 3]: what was asked."""
    return np.asarray(np.asarray(angles, np.float64) * SEEN, np.float64)


def turned(pose: Pose, angles: npt.ArrayLike, shift: npt.ArrayLike = (0.0, 0.0), grow: float = 0.0) -> Pose:
    """`pose` turned by (yaw, pitch, roll) degrees about the neck, so that the neck stays in its place.

    Parameters
    ----------
    pose : the portrait's pose
    angles : [3], added to the pose's own angles; of what is asked, `drawn`
    shift : [2], by how much the neck moves in the picture, right and down, in outer eye distances
    grow : log of the factor by which the head becomes larger, as it comes nearer
    """
    place = neck(pose)
    place[:2] += pose.scale * np.asarray(shift, np.float64)
    asked = np.asarray(pose.angles, np.float64) + np.asarray(angles, np.float64)
    return about_neck(asked, place, pose.scale * math.exp(grow))
