"""The sound of a file as a face hears it, as a stream: an hour takes no more memory than a minute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import AudioError

from .io import Samples, audio_pieces


@dataclass(frozen=True)
class FaceSound:
    """Speech of a file at 16 kHz, one channel, whose length and level are known before it is read.

    samples: in all; peak: the largest
    """

    path: Path
    speaker: int | None
    samples: int
    peak: float

    @classmethod
    def of(cls, path: str | os.PathLike[str], speaker: int | None = None) -> FaceSound:
        """Read a file once to know its length and its peak; `speaker` and errors as of `load_audio`."""
        samples, peak = 0, 0.0
        for piece in audio_pieces(path, speaker=speaker):
            samples += len(piece)
            peak = max(peak, float(np.abs(piece).max(initial=0)))
        if not samples:
            raise AudioError(f"{path}: the sound has 0 samples. Give a recording of some length.")
        return cls(Path(path), speaker, samples, peak)

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    def pieces(self, first: int = 0) -> Iterator[Samples]:
        """Pieces float32 [n] in [-1, 1], as `load_audio` scales them, from sample `first` on."""
        for piece in audio_pieces(self.path, speaker=self.speaker):
            first, piece = max(0, first - len(piece)), piece[first:]
            if len(piece):
                yield piece / np.float32(self.peak) if self.peak > 1 else piece
