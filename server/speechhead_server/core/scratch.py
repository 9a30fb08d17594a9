"""Folders for files that no restart needs: those that a killed server left behind are removed by the next one."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # no locks of folders on Windows, where nothing is removed
    fcntl = None  # type: ignore[assignment]

OFFLINE, UPLOAD = "speechhead-videos-", "speechhead-upload-"
"""Beginnings of the names of such folders: held as long as their server runs, and for one upload each."""

YOUNG = 600.0
"""Seconds for which a folder is left alone: it may just be made, and an upload's is needed for less."""


class HeldFolder:
    """A folder that is this process' own until it is left, however the process ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=OFFLINE))
        self._handle = _locked(self.path)

    def leave(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def sweep(now: float | None = None) -> int:
    """Remove what servers of this user left that have ended; how many folders."""
    removed, now = 0, time.time() if now is None else now
    for folder in Path(tempfile.gettempdir()).glob("speechhead-*-*"):
        if fcntl is None or not folder.name.startswith((OFFLINE, UPLOAD)):
            continue
        with contextlib.suppress(OSError):
            about = folder.lstat()
            if about.st_uid != os.getuid() or now - about.st_mtime < YOUNG or folder.is_symlink():
                continue
            if (handle := _locked(folder)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(handle)
                removed += 1
    return removed


def _locked(folder: Path) -> int | None:
    """A handle that locks a folder for as long as it is open; None where another process has it."""
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
