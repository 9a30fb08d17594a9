"""When a visitor begins to speak and has finished: sound in portions in, turns out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from speechhead.audio.io import Samples
from speechhead.core.clocks import SAMPLE_RATE

from .vad import WINDOW, Detector

ON, OFF = 0.5, 0.35
"""Likelihood from which a window is speech, and, once somebody speaks, below which it is none."""

BEGINS = (4, 6)
"""Windows of speech, of so many in a row, that begin a turn: 130 to 190 ms."""

ENDS = round(0.7 * SAMPLE_RATE / WINDOW)
"""Windows without speech that end it: people pause for less within what they say."""

BEFORE = round(0.4 * SAMPLE_RATE / WINDOW)
"""Windows before its beginning that belong to it."""

KEPT = round(0.2 * SAMPLE_RATE / WINDOW)
"""Windows after its end that are kept."""

LEAST = 6
"""Windows of speech below which it was none: a click, a cough."""

LONGEST = round(30 * SAMPLE_RATE / WINDOW)
"""Windows of one turn at most."""


@dataclass(frozen=True)
class Heard:
    """A visitor begins to speak (samples is None), or has finished: float32 [n] at 16 kHz, empty if it was no speech.

    silence: seconds since the last of speech
    """

    samples: Samples | None = None
    silence: float = 0.0


class Ears:
    """Turns of one visitor.

    Parameters
    ----------
    own : tells of a window, by its largest sample and whether it sounds like speech, whether the avatar is its source
    """

    def __init__(self, detector: Detector, own: Callable[[float, bool], bool] = lambda peak, speech: False) -> None:
        self.detector, self._own = detector, own
        self.open = False  # the microphone, for turns that begin and end by themselves
        self._held = False  # a key is pressed meanwhile
        self._rest = np.zeros(0, np.float32)
        self._before: deque[Samples] = deque(maxlen=BEFORE)
        self._recent: deque[bool] = deque(maxlen=BEGINS[1])
        self._turn: list[Samples] | None = None
        self._spoken = self._quiet = 0

    @property
    def hearing(self) -> bool:
        """Whether a turn has begun and not ended."""
        return self._turn is not None

    def push(self, samples: Samples) -> list[Heard]:
        """What is known after this sound, float32 [n] at 16 kHz."""
        sound = np.concatenate([self._rest, np.asarray(samples, np.float32)])
        count = len(sound) // WINDOW
        self._rest = sound[count * WINDOW :]
        found = []
        for window in sound[: count * WINDOW].reshape(count, WINDOW):
            found += self._window(window)
        return found

    def hold(self) -> list[Heard]:
        """A key is pressed: the turn begins now."""
        self._held = True
        return [] if self._turn is not None else self._begin()

    def release(self) -> list[Heard]:
        """The key is let go: the turn ends now."""
        if not self._held:
            return []
        self._held = False
        return self._end() if self._turn is not None else []

    def close(self) -> None:
        """Forget what was heard, and listen no more."""
        self.open = self._held = False
        self._turn = None
        self._before.clear()
        self._recent.clear()

    def _window(self, window: Samples) -> list[Heard]:
        likely = self.detector.voiced(window)
        speech = likely >= (OFF if self._turn is not None else ON)
        if self._own(float(np.abs(window).max()), speech):
            speech = False
        if self._turn is None:
            self._before.append(window)
            self._recent.append(speech)
            return self._begin() if self.open and sum(self._recent) >= BEGINS[0] else []
        self._turn.append(window)
        self._spoken += speech
        self._quiet = 0 if speech else self._quiet + 1
        if len(self._turn) >= LONGEST or (not self._held and self._quiet >= ENDS):
            return self._end()
        return []

    def _begin(self) -> list[Heard]:
        self._turn = list(self._before)
        self._spoken, self._quiet = sum(self._recent), 0
        return [Heard()]

    def _end(self) -> list[Heard]:
        turn, self._turn = self._turn or [], None
        silence = self._quiet * WINDOW / SAMPLE_RATE
        if surplus := max(0, self._quiet - KEPT):
            turn = turn[:-surplus]
        self._before.clear()
        self._recent.clear()
        none = np.zeros(0, np.float32)
        return [Heard(np.concatenate(turn) if turn and self._spoken >= LEAST else none, silence)]
