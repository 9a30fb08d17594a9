"""What a film's first look keeps, on disk while it is not needed: an hour of meshes would be half a gigabyte."""

from __future__ import annotations

import tempfile
import threading

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array

POINTS = 478
_BYTES = POINTS * 3 * 4


class Scratch:
    """Bytes one after another in a file without a name, which is gone when it is closed."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="speechhead-")  # noqa: SIM115
        self._lock = threading.Lock()
        self._end = 0

    def append(self, data: bytes) -> int:
        """Keep bytes; where they begin."""
        with self._lock:
            self._file.seek(self._end)
            self._file.write(data)
            start, self._end = self._end, self._end + len(data)
            return start

    def read(self, start: int, size: int) -> bytes:
        """The bytes that begin there."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)

    def keep_mesh(self, mesh: Array) -> int:
        """Keep a mesh [478, 3]; where it begins."""
        return self.append(np.ascontiguousarray(mesh, np.float32).tobytes())

    def meshes(self, starts: NDArray[np.int64]) -> Array:
        """The meshes float32 [n, 478, 3] that begin there; NaN for a negative start."""
        out = np.full((len(starts), POINTS, 3), np.nan, np.float32)
        for place, start in enumerate(starts.tolist()):
            if start >= 0:
                out[place] = np.frombuffer(self.read(start, _BYTES), np.float32).reshape(POINTS, 3)
        return out

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
