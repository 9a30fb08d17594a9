"""What a film's first look keeps, on disk while it is not needed: an hour of meshes would be half a gigabyte."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.disk import reason
from speechhead.core.errors import MediaError

POINTS = 478
_BYTES = POINTS * 3 * 4


class Scratch:
    """Bytes one after another in a file without a name, which is gone when it is closed."""

    def __init__(self) -> None:
        with told_of_scratch():
            self._file = tempfile.TemporaryFile(prefix="speechhead-")  # noqa: SIM115
        self._lock = threading.Lock()
        self._end = 0

    def append(self, data: bytes) -> int:
        """Keep bytes; where they begin.

        Raises
        ------
        MediaError if the disk is full.
        """
        with self._lock, told_of_scratch():
            self._file.seek(self._end)
            self._file.write(data)
            self._file.flush()
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
        with contextlib.suppress(OSError):  # what is not written yet, of a disk that is full, is not needed any more
            self._file.close()


@contextlib.contextmanager
def told_of_scratch() -> Iterator[None]:
    """What the system says against temporary files, in one line."""
    try:
        yield
    except OSError as error:
        place = tempfile.tempdir or "temporary files"
        raise MediaError(f"{place}: {reason(error)}. Set TMPDIR to a folder with room.") from error
