"""Idle life of the head: breath, and the micro-sway of a person who listens. The mouth has no part in it."""

from __future__ import annotations

import math

import numpy as np

from speechhead.core.arrays import Array64
from speechhead.core.clocks import FPS

from .easing import Noise

BREATHS_PER_MINUTE = 14.0
"""Adults at rest breathe 12 to 18 times a minute."""

BREATH_LIFT = 0.006
"""Rise of the head with a breath, outer eye distances (about half a millimetre)."""

BREATH_PITCH = 0.25
"""Degrees by which the head tips back at the top of a breath."""

SWAY_SECONDS = 0.9
SWAY_DEGREES = (0.35, 0.25, 0.2)
"""Time constant and standard deviation (yaw, pitch, roll) of the micro-sway."""


class Idle:
    """Seeded idle motion, one video frame at a time."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng([seed, 0x1D1E])
        self._sway = Noise(SWAY_SECONDS, 3)
        self._tempo = Noise(6.0, 1)
        self._phase = 0.0  # of the breath, in turns; starts between two breaths

    def step(self, silence: float) -> tuple[Array64, float]:
        """(yaw, pitch, roll) in degrees and the rise (> 0 up, outer eye distances) of the next video frame.

        Parameters
        ----------
        silence : 0..1; speech carries the head by itself, so sway fades with it. Breath goes on.
        """
        draws = self._random.standard_normal(4)
        sway = self._sway.step(draws[:3]) * SWAY_DEGREES * silence
        rate = BREATHS_PER_MINUTE * (1.0 + 0.15 * float(self._tempo.step(draws[3:])[0]))
        self._phase += max(rate, 0.0) / 60.0 / FPS
        breath = 0.5 - 0.5 * math.cos(2.0 * math.pi * self._phase)
        return sway - (0.0, BREATH_PITCH * breath, 0.0), BREATH_LIFT * breath
