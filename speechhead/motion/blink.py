"""Blinks: when they happen (a seeded point process) and how the lids close on any pair of eyes."""

from __future__ import annotations

import math

import numpy as np

from speechhead.core.arrays import Array, Array64
from speechhead.core.clocks import FPS
from speechhead.core.smoothstep import clip01

from .easing import minimum_jerk

CONTROL_FPS = 30
"""Frame rate in which blink lengths are given by the controls."""

LID_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46))
"""(upper, lower) lid points of the iBUG eyes that meet when the eye closes."""

MEETING = 0.12
"""Height above the lower lid, as a part of the opening, where the lids meet: the upper lid does nearly all."""

CLOSING = 0.3
"""Part of a blink in which the lids close, from the median of 94 blinks of the training clips: about two frames, and
six to open, quickly at first and then slowly."""

OPENING = 5.1
"""Time constants that the opening lasts; the same median."""

REFRACTORY = 0.2
"""Part of the mean interval after a blink in which no other one starts; the rest of the wait is exponential."""

PHRASE_END, GLANCE, TURN = 3.0, 6.0, 2.0
"""How much likelier a blink is in the half second after a phrase, with a shift of gaze, in a quick turn of the head."""

AT_REST = 0.6
"""How likely it is else: about as often in all as the rate says."""

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

    def step(self, rate: float, frames: float, urge: float = 1.0) -> float:
        """Lid closure 0..1 of the next video frame.

        Parameters
        ----------
        rate : blinks per minute, 0..120
        frames : length of a blink in frames at 30 fps; takes effect at the next blink
        urge : how much likelier than usual a blink is now; 1 on the mean, see `Urge`
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
            chance = 1.0 if wait <= 1.0 else min(urge / wait, 1.0)
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


class Urge:
    """When people rather blink: at the ends of phrases, as their eyes move on, and as the head turns quickly."""

    _GAZE_DEGREES, _TURN_DEGREES = 3.0, 1.2  # per video frame

    def __init__(self) -> None:
        self._gaze, self._angles = np.zeros(2), np.zeros(3)

    def step(self, cues: Array64, gaze: tuple[float, float], angles: Array64) -> float:
        """How much likelier than usual a blink is in the next frame; gaze and angles in degrees."""
        looked = float(np.abs(np.array(gaze) - self._gaze).max())
        moved = float(np.abs(angles - self._angles).sum())
        self._gaze, self._angles = np.array(gaze), angles.copy()
        urge = AT_REST
        if 0.0 < cues[5] < 0.25:
            urge *= PHRASE_END
        if looked > self._GAZE_DEGREES:
            urge *= GLANCE
        return urge * (TURN if moved > self._TURN_DEGREES else 1.0)


def blink_profile(elapsed: float, length: float) -> float:
    """Lid closure 0..1 at `elapsed` frames into a blink of `length` frames: fast down, one frame shut, slow up."""
    shut = min(1.0, 0.7 * length)  # at least one video frame sees the eye fully closed
    down = CLOSING * (length - shut)
    if elapsed < down:
        return minimum_jerk(elapsed / down)
    up = clip01((elapsed - down - shut) / (length - shut - down))
    return _opening(up) - up * _opening(1.0)


def _opening(part: float) -> float:
    """Closure at a part 0..1 of the opening: as of a critically damped spring, quickest soon after the lids part."""
    time = OPENING * part
    return (1.0 + time) * math.exp(-time)


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
