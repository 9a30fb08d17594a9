"""How fast heads and brows move by themselves: as fast as people's do, and they gather and lose speed as theirs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from speechhead.core.arrays import Array64


class PaceLimits(NamedTuple):
    """Of one frame, at most, for each of some numbers: by how much they change, and by how much that changes."""

    quickest: tuple[float, ...]
    sudden: tuple[float, ...]


TURNS = PaceLimits((4.1, 2.5, 1.6), (1.8, 1.35, 0.65))
"""Drawn degrees of yaw, pitch and roll: the 99.5th percentile of people in free talk, as trackers tell it, drawn."""

PLACES = PaceLimits((0.051, 0.045, 0.0141), (0.027, 0.038, 0.0123))
"""Outer eye distances of the neck, right and down, and log of the size: the 99.5th percentile of the bank of motion."""

RISES = PaceLimits((0.0188, 0.0188), (0.0163, 0.0163))
"""Outer eye distances of either brow: the same."""

_FAR = 1e6  # what is given has no ends


def brake(way: Array64, lost: Array64) -> Array64:
    """Speed a frame [..., n] at which motion still stops within `way`, of either sign, when it loses `lost` a frame."""
    far = np.abs(way)
    frames = np.maximum(np.ceil(0.5 * (np.sqrt(1.0 + 8.0 * far / lost) - 1.0)), 1.0)  # in which it stops
    return np.asarray(np.copysign(far / frames + 0.5 * lost * (frames - 1.0), way), np.float64)


class MotionPace:
    """Follows numbers, bit for bit where they are no quicker than people's; else it lags, and catches up.

    It knows no more than the frame that is asked. One that halts at once is passed by the way in which a head stops,
    but not beyond `low` and `high`: it slows down before them. What is given from elsewhere may be as quick as it is.
    """

    def __init__(self, limits: PaceLimits) -> None:
        self._quickest, self._sudden = np.array(limits.quickest), np.array(limits.sudden)
        self._at: Array64 | None = None
        self._asked = self._speed = np.zeros(len(self._sudden))
        self._given: Array64 | None = None
        self._given_speed = self._speed

    def step(
        self, asked: Array64, low: Array64, high: Array64, given: Array64 | None = None, own: float = 1.0
    ) -> Array64:
        """The next frame's numbers [n], for those that are asked, low <= asked <= high, all [n].

        Parameters
        ----------
        given, own : what is given from elsewhere [n], and the weight of what is asked in the mix of both
        """
        quickest, sudden = self._quickest, self._sudden
        quick, change = self._elsewhere(given)
        if given is not None:
            others = 1.0 - own
            quickest, sudden = quickest + others * quick, sudden + others * change
            asked = own * asked + others * given
            low, high = low - others * _FAR, high + others * _FAR
        if self._at is None:
            self._at = self._asked = asked
        goes = asked - self._asked
        catches_up, lowest, highest = brake(np.array([self._asked, low, high]) - self._at, sudden)
        wanted = np.minimum(np.maximum(goes + catches_up, lowest), highest)
        wanted = np.minimum(np.maximum(wanted, -quickest), quickest)
        speed = np.minimum(np.maximum(wanted, self._speed - sudden), self._speed + sudden)
        followed = self._at + speed
        near = np.abs(followed - asked) < 1e-9
        self._at, self._speed, self._asked = np.where(near, asked, followed), speed, asked
        return self._at.copy()

    def _elsewhere(self, given: Array64 | None) -> tuple[Array64, Array64]:
        """By how much what is given moves in this frame [n], and by how much that changes [n]."""
        still = np.zeros(len(self._sudden))
        speed = still if given is None or self._given is None else given - self._given
        change = np.abs(speed - self._given_speed)
        self._given, self._given_speed = given, speed
        return np.abs(speed), change
