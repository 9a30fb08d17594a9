"""Sound files written: plain WAV."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from speechhead.core.arrays import Array


def write_wav(path: Path, pieces: Iterable[Array], rate: int) -> None:
    """Write sound, pieces of float32 [n] in [-1, 1] at `rate` Hz, as 16-bit WAV of one channel."""
    with path.open("wb") as file, wave.open(file, "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        for piece in pieces:
            sound.writeframes((np.clip(piece, -1, 1) * 32767).astype("<i2").tobytes())
