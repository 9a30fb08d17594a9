"""Clips brought into the cache by several processes, which load no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import cv2

from speechhead.core.errors import MediaError, SpeechheadError

from .sources import ClipSource, Kept

Outcome = tuple[str, str | None]
"""Name of a clip, and the sentence that names it and says why it can not be used."""


def kept_or_why(source: ClipSource, kept: Kept) -> Outcome:
    """Keep one clip."""
    try:
        source.keep(kept)
    except SpeechheadError as error:
        return source.name, " ".join(str(error).split())
    return source.name, None


def keep_all(sources: Sequence[ClipSource], kept: Kept, processes: int = 1) -> Iterator[Outcome]:
    """Keep clips in `processes` processes; what became of each, as it is done.

    Raises
    ------
    MediaError if a process dies.
    """
    if min(processes, len(sources)) <= 1:
        for source in sources:
            yield kept_or_why(source, kept)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), _one_thread) as pool:
        try:
            for job in as_completed([pool.submit(kept_or_why, source, kept) for source in sources]):
                yield job.result()
        except BrokenProcessPool as error:
            raise MediaError(
                f"{kept.folder}: a process that reads clips died. Set workers lower in the config."
            ) from error


def _one_thread() -> None:
    cv2.setNumThreads(1)
