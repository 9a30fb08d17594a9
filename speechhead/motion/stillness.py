"""Lips at rest in silence: small motion is held back, larger motion goes slowly, and an emotion may part them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS
from speechhead.core.smoothstep import smoothstep

from .easing import LowPass


@dataclass(frozen=True)
class Pause:
    """When and how far lips rest.

    `follow` is tuned on validation clips by `pipelines.evaluate` (docs/decisions/0005-lips-in-pauses.md), the rest is
    chosen by eye.
    """

    silence_frames: int = 6
    """Video frames without voice after which small mouth motion is held back; pauses between words are shorter."""

    still: float = 0.012
    """Mouth displacement, outer eye distances, that is held back entirely in silence."""

    moving: float = 0.03
    """Mouth displacement, outer eye distances, that is not held back at all."""

    quiet_db: float = 25.0
    """A frame this far below the voice is a pause, whatever the background: breath and room tone lie there."""

    quiet_frames: int = 3
    """Video frames of a pause before the lips slow down: the closure of a /p/ is over by then."""

    voice_fall_db: float = 3.0
    """By how much the level of the voice is forgotten in a second."""

    follow: float = 0.25
    """Part of the way to where the network wants the lips that they go in a frame of a long pause. They decay into rest
    and start into a word, as lips do; the network's hesitations in between are not seen."""

    less: float = 0.7
    """Part of what the network wants of the lips that is held back in a pause: people open them about half as far as it
    does. Chosen on validation people (docs/decisions/0047-emotions-others-recognise.md)."""

    slower: float = 0.4
    """Part of the way per frame in which the lips become slow in a pause."""

    faster: float = 0.6
    """Part of the way per frame in which they are quick again when the voice returns."""


PAUSE = Pause()


class Stillness:
    """What of the speech motion to show, one video frame at a time."""

    def __init__(self) -> None:
        self._hold = LowPass(0.24, 1.0)  # 1 where small mouth motion is held back
        self._silent = PAUSE.silence_frames
        self._voice = -100.0  # dB
        self._pause = 0
        self._slow = 0.0  # 0 the lips follow at once, 1 as `follow` says
        self._shown: Array = np.zeros((70, 3), np.float32)

    def step(self, speech: Array, energy: float, active: bool) -> Array:
        """Displacement float32 [70, 3] to show in place of `speech`.

        Parameters
        ----------
        speech : float32 [70, 3], displacement from the closed-mouth face, normalised space
        energy : dB of the frame's sound; active : somebody speaks
        """
        self._silent = 0 if active else self._silent + 1
        hold = self._hold.step(float(self._silent >= PAUSE.silence_frames))
        size = float(np.abs(speech[48:68]).max())
        wanted = speech * np.float32(1.0 - hold * (1.0 - smoothstep(size, PAUSE.still, PAUSE.moving)))

        self._voice = max(self._voice - PAUSE.voice_fall_db / FPS, energy if active else -100.0)
        self._pause = self._pause + 1 if energy < self._voice - PAUSE.quiet_db else 0
        paused = self._pause >= PAUSE.quiet_frames
        self._slow += (PAUSE.slower if paused else PAUSE.faster) * (float(paused) - self._slow)
        follow = np.float32(1.0 - self._slow * (1.0 - PAUSE.follow))
        wanted *= np.float32(1.0 - PAUSE.less * self._slow)
        self._shown = (self._shown + follow * (wanted - self._shown)).astype(np.float32)
        return self._shown


OPENS, SHUTS = 0.15, 0.55
"""Part of the way per frame in which an emotion parts silent lips, and in which the voice takes that back."""


class Ajar:
    """How far silent lips stand open as far as an emotion parts them, 0 to 1: what speaks has its lips to itself."""

    def __init__(self) -> None:
        self._silent = 0
        self._open = 0.0

    def step(self, active: bool) -> float:
        """Of the next frame; active : somebody speaks."""
        self._silent = 0 if active else self._silent + 1
        if active:
            self._open *= 1.0 - SHUTS
        elif self._silent > PAUSE.silence_frames:
            self._open += OPENS * (1.0 - self._open)
        return self._open
