"""A guard against the avatar hearing itself: its voice comes back from the visitor's loudspeaker."""

from __future__ import annotations

import difflib
from collections import deque

import numpy as np

from speechhead_server.stage.clock import PACKET
from speechhead_server.stage.stage import Stage

BACK = 0.7
"""Seconds in which a sound that left comes back at most: network, jitter buffer, loudspeaker and room."""

MARGIN = 2.0
"""What a visitor's voice is louder than the echo, as a factor: Geigel's detector (1976) has the same."""

FIRST = 0.08
"""Part of what is played that comes back before anything is known: what a browser's echo cancellation leaves."""

QUIET = 0.02
"""Loudest sample below which nothing comes back."""

SAME = 0.7
"""Part of a visitor's words that the avatar has just said, from which on they are its own."""


class EchoGuard:
    """Learns how loud the avatar comes back, and takes what is not louder for its echo."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._parts: deque[float] = deque(maxlen=150)  # of what is played that came back, lately
        self._doubted: deque[float] = deque(maxlen=60)  # the same where it was taken for the visitor

    def own(self, peak: float, speech: bool) -> bool:
        """Whether a window with this largest sample is the avatar's echo."""
        played = self._loudest()
        if played < QUIET:
            return False
        part = peak / played
        mine = part < MARGIN * self.coupling
        if mine or not speech:
            self._parts.append(part)
        else:
            self._doubted.append(part)
        return mine

    @property
    def coupling(self) -> float:
        """Part of what is played that comes back."""
        return float(np.quantile(self._parts, 0.9)) if len(self._parts) >= 15 else FIRST

    def learn(self) -> None:
        """What was taken for the visitor just now was an echo."""
        self._parts.extend(self._doubted)
        self._doubted.clear()

    def _loudest(self) -> float:
        """Largest sample that may come back now."""
        now = self._stage.clock.samples // PACKET
        return max(float(np.abs(self._stage.sound(packet)).max()) for packet in range(now - round(BACK * 50), now + 1))


def own_words(heard: str, said: str) -> bool:
    """Whether what a visitor is to have said is what the avatar just said."""
    ours, theirs = ([word.strip(".,!?;:\"'").lower() for word in text.split()] for text in (said, heard))
    blocks = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return len(theirs) >= 2 and sum(block.size for block in blocks) >= SAME * len(theirs)
