"""One job done, from its line to its files, in whatever process it is in."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from speechhead import api
from speechhead.core.controls import Controls
from speechhead.core.disk import disk_full
from speechhead.core.errors import ControlError, SpeechheadError
from speechhead.core.film_options import FilmOptions
from speechhead.core.kept import keep_opened
from speechhead.core.options import Progress, RenderOptions
from speechhead.core.process import keep_freed_pictures
from speechhead.core.results import ResultOptions
from speechhead.media.targets import is_frames

from .foreign import check_foreign
from .job import BESIDES, Job

log = logging.getLogger("speechhead")


@dataclass(frozen=True)
class Done:
    """What came of one attempt: an error in one line or none, notes, frames written, and seconds of work.

    full: the error is that of a disk without room, and not the job's.
    """

    error: str | None
    notes: tuple[str, ...]
    frames: int
    seconds: float
    full: bool = False


def prepare() -> None:
    """Ready this process for one job after another."""
    keep_opened()
    keep_freed_pictures()


def perform(job: Job, folder: Path, progress: Progress | None = None, longest: float = 0.0) -> Done:
    """Make a job's files in a folder, each under the last part of its name; frames go to `frames/`.

    What is wrong with the job is told, not raised. With `longest`, in seconds, inputs are checked as strangers' first.
    """
    begun, counted = time.monotonic(), [0]

    def count(done: int, total: int | None) -> None:
        counted[0] = done
        if progress:
            progress(done, total)

    error, full = None, False
    with _notes() as notes:
        try:
            for path in job.media if longest else ():
                check_foreign(path, longest)
            make(job, folder, count)
        except (SpeechheadError, OSError, MemoryError) as fault:
            error = " ".join(str(fault).split()) or "not enough memory. Use a smaller picture or size."
            full = disk_full(fault, folder)
        except Exception as fault:
            full = disk_full(fault, folder)
            error = f"internal error, please report it: {type(fault).__name__}: {' '.join(str(fault).split())[:200]}"
    return Done(error, tuple(notes), counted[0], round(time.monotonic() - begun, 3), full)


def make(job: Job, folder: Path, progress: Progress) -> Path:
    """Make a job's files in a folder; raises what is wrong with the job."""
    name = Path(job.output)
    target = folder / name.name
    if is_frames(name):
        (folder / "frames").mkdir()
        target = folder / "frames" / name.name
    options, controls = RenderOptions(**job.options), Controls(**job.controls)
    parts: dict[str, dict[str, Any]] = {"results": dict(job.results), "film": dict(job.film)}
    for record, field in BESIDES:
        if field in parts[record]:
            parts[record][field] = folder / Path(str(parts[record][field])).name
    results, film = ResultOptions(**parts["results"]), FilmOptions(**parts["film"])
    text = f"{job.text}\n"  # so that it is never taken for a file's name
    if job.source is None or not api.is_film(job.source):
        if job.film:
            raise ControlError(f"{', '.join(job.film)}: is for videos, and this is a portrait. Leave it out.")
        said: str | Path = text if job.audio is None else Path(job.audio)
        return api.say(said, target, job.source, job.voice, options, controls, progress, results)
    audio = Path(job.audio) if job.audio is not None else folder / "speech.wav"
    if job.audio is None:
        api.read_out(text, audio, job.voice, results.subtitles)
        results = replace(results, subtitles=None)
    return api.render(job.source, audio, target, options, controls, progress, film, results)


@contextlib.contextmanager
def _notes() -> Iterator[list[str]]:
    """Warnings of the library while a job is done, a line each."""
    kept: list[str] = []

    class NoteKeeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            line = " ".join(record.getMessage().split())
            if line not in kept:
                kept.append(line)

    handler = NoteKeeper(logging.WARNING)
    log.addHandler(handler)
    try:
        yield kept
    finally:
        log.removeHandler(handler)
