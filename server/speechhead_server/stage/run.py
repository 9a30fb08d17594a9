"""A stretch in which the speech network listens."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from speechhead.audio.io import Samples
from speechhead.speech.protocol import SpeechStream


@dataclass
class Run:
    """A stretch in which the speech network listens: from the first block of sound to the silence after the last.

    Frame `start + k` moves by the k-th motion that comes out and sounds like the k-th block that went in.
    """

    stream: SpeechStream
    start: int
    fed: int = 0
    silence: int = 0  # blocks of silence fed since the last block of sound
    motion: deque[Samples] = field(default_factory=deque)
    sound: deque[Samples] = field(default_factory=deque)

    def feed(self, block: Samples) -> None:
        """One block [640] of sound; what it makes ready is appended to `motion`."""
        self.sound.append(block)
        self.motion.extend(self.stream.push(block))
        self.fed += 1
