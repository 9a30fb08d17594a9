"""The lips' way through a recording, on disk: an hour of it would be eighty megabytes."""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array

from .scratch import Scratch

_SHAPE = (70, 3)
_BYTES = 70 * 3 * 4


class LipTrack:
    """Motion float32 [T, 70, 3] at 25 Hz, written once from its beginning, and read anywhere, from any thread."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._firsts: list[int] = []
        self._starts: list[int] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, motion: Array) -> None:
        """Append motion [k, 70, 3]."""
        if len(motion):
            self._firsts.append(self._length)
            self._starts.append(self._scratch.append(np.ascontiguousarray(motion, np.float32).tobytes()))
            self._length += len(motion)

    def at(self, frame: float) -> Array:
        """Motion [70, 3] at a fractional frame, held at both ends."""
        frame = min(max(frame, 0.0), self._length - 1.0)
        first = int(frame)
        before = self._row(first)
        between: Array = before + np.float32(frame - first) * (self._row(min(first + 1, self._length - 1)) - before)
        return between

    def _row(self, number: int) -> Array:
        block = int(np.searchsorted(self._firsts, number, side="right")) - 1
        start = self._starts[block] + (number - self._firsts[block]) * _BYTES
        return np.frombuffer(self._scratch.read(start, _BYTES), np.float32).reshape(_SHAPE)
