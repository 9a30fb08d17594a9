"""Jobs done by processes of this machine, a few at a time."""

from __future__ import annotations

import contextlib
import queue
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from speechhead.core.threads import cores

from .job import Job
from .task import Done
from .worker import Event, OutOfTime, Worker, WorkerDied

ATTEMPTS = 2
"""Of a job whose process was killed: the machine may have been short of memory."""

MOST_WORKERS = 8
"""Processes where none are asked for: each holds its own networks."""

News = tuple[int, "Event | Done", int]
"""Number of a task; an event on the way, or what came of it; which attempt it is."""


class Pool(Protocol):
    """Something that does jobs; each is a job and the folder to make its files in."""

    def run(self, tasks: Sequence[tuple[Job, Path]]) -> Iterator[News]:
        """Do them all, in any order; what is being done is dropped when the reader stops reading."""

    def close(self) -> None:
        """Free what it holds between runs."""


class LocalPool:
    """Processes of this machine.

    Parameters
    ----------
    workers : processes; one for each core, at most `MOST_WORKERS`, if None
    seconds : after which a job is given up
    """

    def __init__(self, workers: int | None = None, seconds: float | None = None) -> None:
        self.workers = workers or min(MOST_WORKERS, cores())
        self.seconds = seconds

    def run(self, tasks: Sequence[tuple[Job, Path]]) -> Iterator[News]:
        """See `Pool`."""
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(tasks)):
            waiting.put(number)
        news: queue.SimpleQueue[News | BaseException] = queue.SimpleQueue()
        hands = [_Hand(self, tasks, waiting, news) for _ in range(min(self.workers, len(tasks)))]
        for hand in hands:
            hand.start()
        left = len(tasks)
        try:
            while left:
                item = news.get()
                if isinstance(item, BaseException):
                    raise item
                left -= isinstance(item[1], Done)
                yield item
        finally:
            for hand in hands:
                hand.stop()

    def close(self) -> None:
        """See `Pool`: its processes end with each run."""


class _Hand(threading.Thread):
    """Gives one process one job after the other, and starts another where it died."""

    def __init__(
        self,
        pool: LocalPool,
        tasks: Sequence[tuple[Job, Path]],
        waiting: queue.SimpleQueue[int],
        news: queue.SimpleQueue[News | BaseException],
    ) -> None:
        super().__init__(name="batch hand", daemon=True)
        self._pool, self._tasks, self._waiting, self._news = pool, tasks, waiting, news
        self._worker: Worker | None = None
        self._stopped = False

    def run(self) -> None:
        try:
            with contextlib.suppress(queue.Empty):
                while not self._stopped:
                    self._do(self._waiting.get_nowait())
        except BaseException as error:
            self._news.put(error)
        finally:
            if self._worker is not None:
                self._worker.kill()

    def stop(self) -> None:
        """Drop the job, and end the process."""
        self._stopped = True
        if (worker := self._worker) is not None:
            worker.kill()
        self.join(10)

    def _do(self, number: int) -> None:
        job, folder = self._tasks[number]
        for attempt in range(1, ATTEMPTS + 1):
            if self._worker is None or not self._worker.alive:
                self._worker = Worker(max(1, cores() // self._pool.workers))
            if self._stopped:
                return
            try:

                def tell(event: Event, attempt: int = attempt) -> None:
                    self._news.put((number, event, attempt))

                done = self._worker.perform(job, folder, self._pool.seconds, tell)
                self._news.put((number, done, attempt))
                return
            except (WorkerDied, OutOfTime) as error:
                self._worker.kill()
                self._worker = None
                if self._stopped:
                    return
                if attempt == ATTEMPTS or isinstance(error, OutOfTime):
                    self._news.put((number, Done(str(error), (), 0, 0.0), attempt))
                    return
                emptied(folder)


def emptied(folder: Path) -> None:
    """Remove what a killed process left."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
