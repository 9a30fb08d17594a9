"""How fast a head turns by itself: as fast as people's do, and it gathers and loses speed as theirs."""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array64

QUICKEST, SUDDEN = (4.1, 2.5, 1.6), (1.8, 1.35, 0.65)
"""Drawn degrees a frame of yaw, pitch and roll, and by how much they change from one frame to the next, at most: the
99.5th percentile of people in free talk, as trackers tell it, drawn."""


def brake(way: Array64) -> Array64:
    """Degrees a frame [3] at which a head still stops within `way` degrees [3], of either sign, at its own pace."""
    far, lost = np.abs(way), np.array(SUDDEN)
    frames = np.maximum(np.ceil(0.5 * (np.sqrt(1.0 + 8.0 * far / lost) - 1.0)), 1.0)  # in which it stops
    return np.asarray(np.copysign(far / frames + 0.5 * lost * (frames - 1.0), way), np.float64)


class TurnPace:
    """Follows turns, bit for bit where they are no quicker than people's; else it lags, and catches up.

    It knows no more than the frame that is asked. One that halts at once is passed by the way in which a head stops,
    but not beyond `low` and `high`: it slows down before them.
    """

    def __init__(self) -> None:
        self._at: Array64 | None = None
        self._speed, self._asked = np.zeros(3), np.zeros(3)

    def step(self, asked: Array64, low: Array64, high: Array64) -> Array64:
        """The next frame's turn [3] in drawn degrees, for the one that is asked; low <= asked <= high, all [3]."""
        if self._at is None:
            self._at = self._asked = asked
        quickest, sudden = np.array(QUICKEST), np.array(SUDDEN)
        goes = asked - self._asked
        wanted = goes + brake(self._asked - self._at)
        wanted = np.clip(wanted, brake(low - self._at), brake(high - self._at))
        wanted = np.clip(wanted, -quickest, quickest)
        speed = np.clip(wanted, self._speed - sudden, self._speed + sudden)
        followed = self._at + speed
        near = np.abs(followed - asked) < 1e-9
        self._at, self._speed, self._asked = np.where(near, asked, followed), speed, asked
        return self._at.copy()
