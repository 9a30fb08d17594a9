"""A hidden folder beside a film that is written: finished parts outlive a crash, and the same command goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import pickle
import shutil
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import av

from speechhead.core.errors import MediaError

log = logging.getLogger("speechhead")

STALE = 7 * 24 * 3600.0
"""Seconds after which the folder of a film that was given up is swept."""

SAMPLE = 1 << 20
"""Bytes at the beginning and the end of an input that tell it from another of its size and date."""


class FilmJob:
    """The folder of one film; a context manager.

    It is kept where the work is interrupted after a part was finished, and removed otherwise. A second process that
    writes the same film is refused.

    Parameters
    ----------
    output : the film
    told : all that decides what the film will be; another film's folder of the same name is thrown away
    """

    def __init__(self, output: Path, told: Mapping[str, Any]) -> None:
        name = hashlib.sha256(output.name.encode()).hexdigest()[:8]
        self.output = output
        self.folder = output.parent / f".{output.stem[:40]}.{name}.job"
        self._told = json.dumps({**told, "code": code_version()}, sort_keys=True, default=str)
        self._lock: Any = None

    def __enter__(self) -> FilmJob:
        sweep(self.output.parent, self.folder)
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock = _locked(self.folder / "lock")
            if self._lock is None:
                raise MediaError(f"{self.output}: is being written by another process. Wait, or choose another output.")
            note = self.folder / "job.json"
            if not note.exists() or note.read_text(encoding="utf-8") != self._told:
                for file in self.folder.iterdir():
                    if file.name != "lock":
                        file.unlink()
                note.write_text(self._told, encoding="utf-8")
        except OSError as error:
            why = (error.strerror or "not writable").lower()
            raise MediaError(f"{self.folder}: {why}. Choose another output.") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        keep = kind is not None and any(self.folder.glob("*.part"))
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
        if keep:
            log.warning("%s: finished parts are kept in %s. The same command goes on.", self.output, self.folder.name)

    def part(self, name: str) -> Path:
        """The file of a part."""
        return self.folder / f"{name}.part"

    @property
    def whole(self) -> Path:
        """Where the film is put together before it takes its place."""
        return self.folder / "whole.film"


def sweep(folder: Path, own: Path | None = None) -> None:
    """Remove the folders of films that were given up long ago, and that nobody writes."""
    with contextlib.suppress(OSError):
        for old in folder.glob(".*.job"):
            if old == own or not old.is_dir() or time.time() - old.stat().st_mtime < STALE:
                continue
            lock = _locked(old / "lock") if (old / "job.json").exists() else None
            if lock is not None:
                shutil.rmtree(old, ignore_errors=True)
                lock.close()


def _locked(path: Path) -> Any:
    """An open file that is this process's alone; None where another has it."""
    file = path.open("a")
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # not on every system: the last one to write wins there
        return file
    except OSError:
        file.close()
        return None
    return file


def told_of(path: str | Path) -> list[Any]:
    """What tells a file from another: its place, size, date, beginning and end."""
    file = Path(path).resolve()
    state = file.stat()
    digest = hashlib.sha256()
    with file.open("rb") as data:
        digest.update(data.read(SAMPLE))
        data.seek(max(0, state.st_size - SAMPLE), os.SEEK_SET)
        digest.update(data.read(SAMPLE))
    return [str(file), state.st_size, state.st_mtime_ns, digest.hexdigest()]


def told_of_options(*records: Any) -> str:
    """What tells options from others; never the same twice where they hold something that can not be told."""
    try:
        return hashlib.sha256(pickle.dumps(records, protocol=4)).hexdigest()
    except Exception:  # pickle raises anything: a ready-made generator with a session inside
        return os.urandom(32).hex()


@cache
def code_version() -> str:
    """What tells this code and its codecs from another's: a film is never put together of two versions."""
    digest = hashlib.sha256(av.__version__.encode())
    root = Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
