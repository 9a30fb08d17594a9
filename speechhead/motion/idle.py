"""Breath: the head rises and tips back a little with it. The mouth has no part in it."""

from __future__ import annotations

import math

import numpy as np

from speechhead.core.clocks import FPS

from .easing import Noise

BREATHS_PER_MINUTE = 14.0
"""Adults at rest breathe 12 to 18 times a minute."""

BREATH_LIFT = 0.006
"""Rise of the head with a breath, outer eye distances (about half a millimetre)."""

BREATH_PITCH = 0.25
"""Degrees by which the head tips back at the top of a breath."""


class Idle:
    """Seeded breath, one video frame at a time."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng([seed, 0x1D1E])
        self._tempo = Noise(6.0, 1)
        self._phase = 0.0  # of the breath, in turns; starts between two breaths

    def step(self) -> tuple[float, float]:
        """Pitch in degrees and the rise (> 0 up, outer eye distances) of the next video frame."""
        tempo = float(self._tempo.step(self._random.standard_normal(1))[0])
        self._phase += max(BREATHS_PER_MINUTE * (1.0 + 0.15 * tempo), 0.0) / 60.0 / FPS
        breath = 0.5 - 0.5 * math.cos(2.0 * math.pi * self._phase)
        return -BREATH_PITCH * breath, BREATH_LIFT * breath
