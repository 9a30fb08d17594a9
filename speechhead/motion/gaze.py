"""Gaze: fixations, saccades and glances away; irises turn on an eyeball and the lids follow."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS
from speechhead.core.controls import GAZE_LIMIT

from .easing import minimum_jerk

EYEBALL = 0.14
"""Distance of the iris from the eye's centre of rotation, outer eye distances (about 12 of 90 mm)."""

FIXATION_SECONDS = 1.3
"""Mean time between small saccades around the point looked at."""

FIXATION_DEGREES = 0.8
"""Standard deviation of those saccades' landing points, per axis."""

GLANCE_CHANCE = 0.22
"""Chance that a saccade from the viewer is a glance away: one in about six seconds."""

GLANCE_SECONDS = 0.9
"""Mean length of a glance away; people in conversation return within about a second."""

GLANCE_MEAN = 0.35
"""Mean size of a glance as a part of the largest one allowed."""

_SHORTEST = 0.2
"""Seconds between two saccades at least: the latency of a saccade."""

_UPPER_LID_DOWN, _UPPER_LID_UP = 0.85, 0.55
_LOWER_LID = 0.3
"""Lid travel per vertical iris travel, from the eyeLookDown and eyeLookUp modes of ICT-FaceKit."""

_CORNER_MARGIN = 0.22
"""The iris centre stays this part of the eye's width away from its corners."""


def saccade_seconds(degrees: float) -> float:
    """Duration of a saccade, 21 ms + 2.2 ms per degree: the main sequence (Bahill et al., 1975)."""
    return 0.021 + 0.0022 * degrees


class Gaze:
    """Seeded gaze of both eyes, in degrees away from the portrait's own gaze, one video frame at a time."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng([seed, 0x9A2E])
        self._now = np.zeros(2)
        self._from = np.zeros(2)
        self._to = np.zeros(2)
        self._moving: float | None = None  # seconds into the running saccade
        self._wait = FIXATION_SECONDS  # seconds until the next saccade
        self._away = False
        self._aim: tuple[float, float] | None = None

    def step(self, look_away: float, aim: tuple[float, float] | None) -> tuple[float, float]:
        """(yaw, pitch) in degrees of the next video frame; yaw > 0 looks to image right, pitch > 0 down.

        Parameters
        ----------
        look_away : largest glance away in degrees, 0..20; not used while `aim` is given
        aim : (yaw, pitch) that the eyes rest on, or None for the viewer
        """
        draws = self._random.random(6)  # as many each frame, so that no control shifts the stream
        if aim != self._aim:
            self._aim, self._away, self._wait = aim, False, 0.0
        self._wait -= 1.0 / FPS
        if self._wait <= 0.0:
            self._start_saccade(draws, look_away)
        if self._moving is not None:
            self._moving += 1.0 / FPS
            duration = saccade_seconds(float(np.hypot(*(self._to - self._from))))
            self._now = self._from + minimum_jerk(self._moving / duration) * (self._to - self._from)
            if self._moving >= duration:
                self._moving = None
        return float(self._now[0]), float(self._now[1])

    def _start_saccade(self, draws: npt.NDArray[np.float64], look_away: float) -> None:
        centre = np.array(self._aim or (0.0, 0.0))
        spread = FIXATION_DEGREES * math.sqrt(-2.0 * math.log(1.0 - draws[0]))  # Box-Muller
        target = centre + min(spread, 2.5) * _direction(draws[1])
        glances = self._aim is None and look_away > 0.0 and not self._away and draws[2] < GLANCE_CHANCE
        if glances:
            size = min(-GLANCE_MEAN * look_away * math.log(1.0 - draws[3]), look_away)
            target = size * _direction(draws[4]) * (1.0, 0.6)  # people look aside more than up or down
        self._away = glances
        mean = GLANCE_SECONDS if glances else FIXATION_SECONDS
        self._wait = _SHORTEST - (mean - _SHORTEST) * math.log(1.0 - draws[5])
        self._from, self._to, self._moving = self._now.copy(), target, draws[4] / FPS - 1.0 / FPS


def _direction(turn: float) -> npt.NDArray[np.float64]:
    return np.array([math.cos(2.0 * math.pi * turn), math.sin(2.0 * math.pi * turn)])


def turn_eyes(landmarks: Array, yaw: float, pitch: float) -> None:
    """Turn both eyes of one face in place; the lids follow vertical gaze.

    Parameters
    ----------
    landmarks : float32 [70, 3], normalised space, changed in place
    yaw, pitch : degrees away from the present gaze, limited to what the lids' opening allows
    """
    yaw = math.radians(min(max(yaw, -GAZE_LIMIT[0]), GAZE_LIMIT[0]))
    pitch = math.radians(min(max(pitch, -GAZE_LIMIT[1]), GAZE_LIMIT[1]))
    across = EYEBALL * math.sin(yaw) * math.cos(pitch)
    down = EYEBALL * math.sin(pitch)
    back = EYEBALL * (1.0 - math.cos(yaw) * math.cos(pitch))
    for iris, left, right in ((68, 36, 39), (69, 42, 45)):
        margin = _CORNER_MARGIN * (landmarks[right, 0] - landmarks[left, 0])
        x = landmarks[iris, 0]
        low, high = min(x, landmarks[left, 0] + margin), max(x, landmarks[right, 0] - margin)
        landmarks[iris, 0] = min(max(x + across, low), high)
        landmarks[iris, 1] += down
        landmarks[iris, 2] += back
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        opening = float(landmarks[lower, 1] - landmarks[upper, 1])
        travel = down * (_UPPER_LID_DOWN if down > 0.0 else _UPPER_LID_UP)
        landmarks[upper, 1] += min(travel, 0.7 * opening)
        landmarks[lower, 1] += _LOWER_LID * down
