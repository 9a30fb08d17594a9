"""The folder of results and what it remembers: which jobs are done, from what, and what came of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from speechhead import __version__
from speechhead.core.errors import BatchError
from speechhead.core.outputs import replaced
from speechhead.media.targets import is_frames

from .job import Job

HOME = ".batch"
"""Folder within that of the results: a record for each job, and what is being written."""

WHOLE = 64 << 20
"""Bytes up to which a file is read whole to tell it from another; of a larger one both ends, its size and its date."""

END = 4 << 20


@dataclass(frozen=True)
class Record:
    """What came of a job.

    fingerprint: of the job and its inputs; status: done or failed; error, notes: a line each; files: what was written,
    by name in the folder, with a digest of each; frames, seconds: of the video, and for how long it was worked on.
    """

    output: str
    fingerprint: str
    status: str
    error: str | None = None
    notes: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    frames: int = 0
    seconds: float = 0.0
    attempts: int = 1


class Ledger:
    """A folder of results, held by one batch at a time; a context manager.

    Raises
    ------
    BatchError if it can not be made, or another batch works in it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        self.home = self.folder / HOME
        self._lock: int | None = None

    def __enter__(self) -> Ledger:
        try:
            (self.home / "records").mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            reason = (error.strerror or "not usable").lower()
            raise BatchError(f"{self.folder}: can not hold results ({reason}). Choose another folder.") from error
        with contextlib.suppress(ImportError):  # not on Windows
            import fcntl

            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._lock)
                raise BatchError(f"{self.folder}: another batch works there. Wait for it, or use another.") from None
        shutil.rmtree(self.home / "work", ignore_errors=True)  # of a batch that was killed
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.home / "work", ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)

    def work(self, job: Job) -> Path:
        """A new, empty folder to make a job's files in, on the same disk as they go to."""
        (self.home / "work").mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self.home / "work"))

    def find(self, job: Job, fingerprint: str) -> Record | None:
        """The record of a job that is done and needs not be done again: the same inputs, its files as they were."""
        try:
            values = json.loads(self._record(job.output).read_text(encoding="utf-8"))
            values["files"] = tuple((name, digest) for name, digest in values["files"])
            record = Record(**values | {"notes": tuple(values["notes"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        there = record.status == "done" and record.fingerprint == fingerprint and record.files
        same = there and all(digest_of(self.folder / name) == digest for name, digest in record.files)
        return record if same else None

    def keep(self, record: Record) -> None:
        """Remember what came of a job."""
        path = self._record(record.output)
        with replaced(path) as part:
            part.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")

    def settle(self, job: Job, work: Path) -> tuple[tuple[str, str], ...]:
        """Move the files of a job from the folder that they were made in to where they belong; their digests."""
        made = []
        for name in (job.output, *job.besides):
            part, target = work / Path(name).name, self.folder / name
            if is_frames(target):
                part, target = work / "frames", target.parent
                name = Path(name).parent.as_posix()
            if not part.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(part, target)
            made.append((name, digest_of(target)))
        return tuple(made)

    def _record(self, output: str) -> Path:
        short = hashlib.sha256(output.encode()).hexdigest()[:24]
        return self.home / "records" / f"{short}.json"


def fingerprint(job: Job) -> str:
    """What tells a job with its inputs, and this version of the library, from another."""
    digest = hashlib.sha256(json.dumps([__version__, job.plain()], sort_keys=True, default=str).encode())
    for path in job.inputs:
        digest.update(digest_of(path).encode())
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """Digest of a file, or of all files of a folder; empty where there is none."""
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            for inner in sorted(path.iterdir()):
                digest.update(f"{inner.name} {digest_of(inner)}\n".encode())
            return digest.hexdigest()
        about = path.stat()
        with path.open("rb") as file:
            if about.st_size > WHOLE:
                digest.update(f"{about.st_size} {about.st_mtime_ns} ".encode() + file.read(END))
                file.seek(-END, os.SEEK_END)
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
