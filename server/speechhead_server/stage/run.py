"""A stretch in which the speech network listens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from speechhead.audio.io import Samples
from speechhead.speech.protocol import SpeechStream


@dataclass
class Run:
    """A stretch in which the speech network listens: from the first block of sound to the silence after the last.

    Frame `start + k` moves by the k-th motion that comes out and sounds like the k-th block that went in.

    open_stream: makes what listens; nothing is made while nobody needs the motion
    """

    open_stream: Callable[[], SpeechStream]
    start: int
    fed: int = 0
    silence: int = 0  # blocks of silence fed since the last block of sound
    motion: deque[Samples] = field(default_factory=deque)
    sound: deque[Samples] = field(default_factory=deque)
    _stream: SpeechStream | None = None
    _moved: int = 0  # motions that came out

    def feed(self, block: Samples, deaf: bool = False) -> None:
        """One block [640] of sound; what it makes ready is appended to `motion`.

        deaf : nobody needs the motion, which then rests
        """
        self.sound.append(block)
        self.fed += 1
        if deaf:
            self._stream = None
            self._give([np.zeros((70, 3), np.float32)] * (self.fed - self._moved))
            return
        if self._stream is None:
            self._stream = self.open_stream()
        self._give(list(self._stream.push(block)))

    def feel(self, emotion: Mapping[str, float]) -> None:
        """Another emotion, for the sound that follows."""
        if self._stream is not None:
            self._stream.feel(emotion)

    def _give(self, motions: list[Samples]) -> None:
        self._moved += len(motions)
        self.motion.extend(motions)
