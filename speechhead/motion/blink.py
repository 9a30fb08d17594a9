"""Blinks: when they happen (a seeded point process) and how the lids close on any pair of eyes."""

from __future__ import annotations

import math

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS

from .easing import minimum_jerk

CONTROL_FPS = 30
"""Frame rate in which blink lengths are given by the controls."""

LID_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46))
"""(upper, lower) lid points of the iBUG eyes that meet when the eye closes."""

MEETING = 0.12
"""Height above the lower lid, as a part of the opening, where the lids meet: the upper lid does nearly all."""

CLOSING = 0.3
"""Part of a blink in which the lids close. They close about twice as fast as they open (VanderWerf et al., 2003)."""

REFRACTORY = 0.5
"""Part of the mean interval after a blink in which no other one starts; the rest of the wait is exponential."""

_IRIS_FOLLOWS = 0.15
"""Part of the lid travel by which the iris sinks behind the closing lid (Bell's small down and nasal turn)."""

_BULGE = 0.012
"""How far a half-closed lid stands before the chord of its travel, outer eye distances: it slides on a sphere."""


class Blinks:
    """Seeded Poisson blinks with a refractory time.

    One random number is drawn per frame whatever the controls are, so that changing the rate while running neither
    depends on chunks nor shifts the stream.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng([seed, 0xB11])
        self._elapsed: float | None = None  # frames into the running blink
        self._length = 0.0
        self._rest = 0.0  # frames of the refractory time still to pass

    def step(self, rate: float, frames: float) -> float:
        """Lid closure 0..1 of the next video frame.

        Parameters
        ----------
        rate : blinks per minute, 0..120
        frames : length of a blink in frames at 30 fps; takes effect at the next blink
        """
        draw = self._random.random()
        if self._elapsed is None:
            if rate <= 0.0:
                return 0.0
            interval = 60.0 * FPS / rate
            length = frames * FPS / CONTROL_FPS
            if self._rest > 0.0:
                self._rest = min(self._rest, REFRACTORY * interval) - 1.0
                return 0.0
            wait = interval - length - REFRACTORY * interval
            chance = 1.0 if wait <= 1.0 else 1.0 / wait
            if draw >= chance:
                return 0.0
            self._elapsed, self._length = draw / chance, length  # the draw is uniform here: a phase within the frame
        else:
            self._elapsed += 1.0
        closure = blink_profile(self._elapsed, self._length)
        if self._elapsed + 1.0 >= self._length:
            self._elapsed = None
            if rate > 0.0:
                # The rest after a blink gives way when blinks as long as asked leave no room for it at this rate.
                interval = 60.0 * FPS / rate
                self._rest = math.floor(max(min(REFRACTORY * interval, interval - self._length), 0.0))
        return closure


def blink_profile(elapsed: float, length: float) -> float:
    """Lid closure 0..1 at `elapsed` frames into a blink of `length` frames: fast down, one frame shut, slow up."""
    shut = min(1.0, 0.7 * length)  # at least one video frame sees the eye fully closed
    down = CLOSING * (length - shut)
    if elapsed < down:
        return minimum_jerk(elapsed / down)
    up = (elapsed - down - shut) / (length - shut - down)
    return 1.0 - minimum_jerk(max(up, 0.0) ** 0.8)


def close_eyes(landmarks: Array, closure: float) -> None:
    """Close the lids of one face in place, by 0..1 of their present opening.

    Upper and lower lid points travel to where they meet just above the lower lid; corners, brows and head stay.

    Parameters
    ----------
    landmarks : float32 [70, 3], normalised space, changed in place
    """
    if closure <= 0.0:
        return
    bulge = _BULGE * math.sin(math.pi * closure)
    for upper, lower in LID_PAIRS:
        opening = landmarks[lower] - landmarks[upper]
        landmarks[upper] += closure * (1.0 - MEETING) * opening
        landmarks[lower] -= closure * MEETING * opening
        landmarks[upper, 2] -= bulge
        iris = 68 if upper < 42 else 69
        landmarks[iris, :2] += 0.5 * _IRIS_FOLLOWS * closure * opening[:2]  # two pairs per eye: halves add up
