"""What of the sound a living face answers to, frame by frame: the speaker's level, stress, melody and pauses."""

from __future__ import annotations

import math

import numpy as np

from speechhead.core.arrays import Array64
from speechhead.core.clocks import FPS

from .easing import LowPass

CUES = ("speaking", "stress", "onset", "melody", "since_start", "since_end")
"""In the order of every array of cues. Each is about one in size.

speaking: 1 in speech, 0 in silence, in between for a quarter of a second; stress: how far the voice stands above its
running level; onset: how fast it rises; melody: how far its pitch stands above its running mean; since_start and
since_end: time since speech began or ended, 1 from two seconds on.
"""

STRESS_LIMIT = 12.0
"""dB: an onset after a pause is no stress of any size."""

_STRESS_DB, _PITCH_SEMITONES, _PITCH_LIMIT = 6.0, 3.0, 6.0
_RUNNING_SECONDS = 2.0
_LONG = 2.0  # seconds


class Cues:
    """Cues of a stream, one video frame at a time, without look-ahead."""

    def __init__(self) -> None:
        self._level = LowPass(0.25, 0.0)
        self._quick, self._slow = LowPass(0.12, 0.0, 2), LowPass(0.45, 0.0, 2)
        self._melody = LowPass(0.2, 0.0, 2)
        self._energy: float | None = None
        self._pitch: float | None = None
        self._speech = 0
        self._silence = round(_LONG * FPS)
        self.stress = 0.0

    def step(self, energy: float, pitch: float, active: bool) -> Array64:
        """The next frame's cues [6], of its energy in dB, its pitch in Hz (0 where there is none), and speech activity.

        `stress` is then the raw stress of the frame in dB, 0 outside of speech.
        """
        if active:
            self._speech, self._silence = self._speech + 1, 0
        else:
            self._speech, self._silence = 0, self._silence + 1
        level = self._level.step(float(active))
        self.stress = level * self._above(energy, level)
        quick = self._quick.step(self.stress / _STRESS_DB)
        onset = quick - self._slow.step(self.stress / _STRESS_DB)
        melody = self._melody.step(self._high(pitch))
        start, end = (min(frames / (_LONG * FPS), 1.0) for frames in (self._speech, self._silence))
        return np.array([level, quick, 2.0 * onset, melody, start, end])

    def _above(self, energy: float, level: float) -> float:
        if level < 0.05:
            self._energy = None
            return 0.0
        if self._energy is None:
            self._energy = energy
        self._energy += (energy - self._energy) / (_RUNNING_SECONDS * FPS)
        return min(max(energy - self._energy, -STRESS_LIMIT), STRESS_LIMIT)

    def _high(self, pitch: float) -> float:
        if pitch <= 0.0:
            return 0.0
        tone = 12.0 * math.log2(pitch)
        if self._pitch is None:
            self._pitch = tone
        self._pitch += (tone - self._pitch) / (_RUNNING_SECONDS * FPS)
        return min(max(tone - self._pitch, -_PITCH_LIMIT), _PITCH_LIMIT) / _PITCH_SEMITONES
