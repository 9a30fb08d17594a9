"""The queue of offline jobs: few at a time, each in a process of its own, forgotten after a while."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speechhead.batch.job import Job
from speechhead.batch.local import ATTEMPTS, emptied
from speechhead.batch.task import Done
from speechhead.batch.worker import Event, OutOfTime, Worker, WorkerDied
from speechhead.core.disk import disk_full, free_bytes
from speechhead.core.weights import USER_FOLDER
from speechhead.engines.need import usable_cuda
from speechhead_server.core.config import ENVIRONMENT, ServerSettings
from speechhead_server.core.problems import Refused, for_log, no_room, one_line
from speechhead_server.core.scratch import HeldFolder, sweep

log = logging.getLogger("speechhead.server")

MEMORY, FILE = 6 << 30, 2 << 30
"""Bytes of addresses, libraries and their threads included, and of one file, that a job may take."""

SPARE = 64 << 20
"""Bytes of the disk without which no job is begun."""

PRIORITY = 15
"""Niceness: live sessions on the same cores come first."""

RESULTS = "work"
"""Folder of a job that its process writes into."""

SWEEP = 30.0
"""Seconds between two looks for jobs to forget."""

OPERATORS = "the server is not set up for this; its log says why. Tell its operator."
"""What a visitor is told of a fault in files of the operator, such as a key that is gone."""

SHOWN = (USER_FOLDER, "SPEECHHEAD_TTS_URL", "SPEECHHEAD_TTS_MODEL")
"""Variables that a job's process needs: where weights and voices of this machine are. It sees none of the server's."""

KEPT = ("waiting", "working", "done")


@dataclass
class OfflineJob:
    """A job of the queue.

    state: waiting, working, done or failed; done, total: frames; ended: time.monotonic() when it came to an end
    full: it failed since the disk has no room
    """

    name: str
    owner: str
    job: Job
    folder: Path
    state: str = "waiting"
    done: int = 0
    total: int | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()
    ended: float | None = None
    worker: Worker | None = field(default=None, repr=False)
    gone: bool = False
    full: bool = False

    @property
    def video(self) -> Path:
        """Where its result is."""
        return self.folder / RESULTS / self.job.output

    def describe(self, before: int) -> dict[str, Any]:
        """As JSON; `before` is how many wait before it."""
        shown = {"id": self.name, "state": self.state, "done": self.done, "total": self.total, "before": before}
        shown |= {"notes": list(self.notes), "file": self.job.output}
        return {**shown, **({"error": self.error} if self.error else {})}


class OfflineQueue:
    """Jobs that wait, are worked on, and whose results are kept for a while."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._jobs: dict[str, OfflineJob] = {}
        self._waiting: asyncio.Queue[OfflineJob] = asyncio.Queue()
        self._coming: list[str] = []  # owners of jobs whose files are on their way
        self._tasks: list[asyncio.Task[None]] = []
        self._held: HeldFolder | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to work; needs a running loop."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._settings.offline_jobs)]
        self._tasks.append(asyncio.create_task(self._sweep()))

    async def close(self) -> None:
        """Kill what runs, and remove every file."""
        self._closed = True
        for job in list(self._jobs.values()):
            self._forget(job)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._held is not None:
            await asyncio.to_thread(self._held.leave)

    @property
    def _root(self) -> Path | None:
        return None if self._held is None else self._held.path

    def check_room(self, owner: str) -> None:
        """Refuse a job that would find no place, before its files are read."""
        if self._closed or not self._settings.offline_jobs:
            raise Refused(503, "this server makes no videos offline." if not self._closed else "shutting down.", 60)
        mine = sum(job.owner == owner and job.state in KEPT[:2] for job in self._jobs.values())
        mine += self._coming.count(owner)
        if mine >= self._settings.offline_per_address:
            raise Refused(429, f"{mine} of your videos are being made. Wait for one, or cancel it.", 20)
        waiting = self._waiting.qsize() + len(self._coming)
        if waiting >= self._settings.offline_queue:
            raise Refused(503, f"{waiting} videos wait already. Try again in some minutes.", 120)
        if free_bytes(self._root or tempfile.gettempdir()) < SPARE:
            raise no_room(self._root)

    @contextlib.contextmanager
    def coming(self, owner: str) -> Iterator[Path]:
        """A new folder for the files of one job, which has its place in the queue while they come."""
        self.check_room(owner)
        self._coming.append(owner)
        try:
            if self._held is None:
                self._held = HeldFolder()
            yield Path(tempfile.mkdtemp(dir=self._root))
        finally:
            self._coming.remove(owner)

    def add(self, job: Job, folder: Path, owner: str) -> OfflineJob:
        """Put a job into the queue; its folder goes with it."""
        self.check_room(owner)
        made = OfflineJob(secrets.token_urlsafe(12), owner, job, folder)
        self._jobs[made.name] = made
        ended = sorted(
            (each for each in self._jobs.values() if each.ended is not None), key=lambda each: each.ended or 0
        )
        for old in ended[: max(0, len(ended) - self._settings.offline_kept + 1)]:
            self._forget(old)
        self._waiting.put_nowait(made)
        return made

    def get(self, name: str) -> OfflineJob:
        """A job by its name; 404 for one that is unknown or forgotten."""
        if name not in self._jobs:
            raise Refused(404, f"video {name[:40]!r} is unknown, or was removed. POST /offline for a new one.")
        return self._jobs[name]

    def describe(self, job: OfflineJob) -> dict[str, Any]:
        """A job as JSON."""
        names = list(self._jobs)
        earlier = (self._jobs[name] for name in names[: names.index(job.name)])
        return job.describe(sum(each.state in KEPT[:2] for each in earlier) if job.state == "waiting" else 0)

    def remove(self, name: str) -> None:
        """End a job, and remove its files."""
        self._forget(self.get(name))

    def _forget(self, job: OfflineJob) -> None:
        job.gone = True
        self._jobs.pop(job.name, None)
        if job.worker is not None:
            job.worker.kill()
        if job.state != "working":
            shutil.rmtree(job.folder, ignore_errors=True)

    async def _work(self) -> None:
        while True:
            job = await self._waiting.get()
            if job.gone:
                continue
            job.state = "working"
            try:
                done = await asyncio.to_thread(self._perform, job)
            except Exception as error:
                full = disk_full(error, job.folder)
                if not full:
                    log.error("offline: %s", for_log(error))
                done = Done("the server failed at this; its log says why. Please report it.", (), 0, 0.0, full)
            await self._end(job, done)

    async def _end(self, job: OfflineJob, done: Done) -> None:
        """Note what came of a job; of one that failed no file stays."""
        job.full = done.full
        error = str(no_room(self._root)) if done.full else done.error and _without(done.error, job.folder)
        if error and names_a_place(error):
            log.error("offline: %s", one_line(ValueError(error)))
            error = OPERATORS
        job.state, job.ended = "failed" if error else "done", time.monotonic()
        job.error = None if error is None else one_line(ValueError(error))
        job.notes = tuple(_without(note, job.folder) for note in done.notes)
        if job.gone or error:
            await asyncio.to_thread(shutil.rmtree, job.folder, True)

    def _perform(self, job: OfflineJob) -> Done:
        work = job.folder / RESULTS
        work.mkdir()
        longest = f"{self._settings.offline_seconds:g}"
        memory = () if _on_gpu(job.job) else ("--memory", str(MEMORY))
        limits = ("--nice", str(PRIORITY), *memory, "--file", str(FILE), "--longest", longest)
        seconds = self._settings.offline_timeout

        def tell(event: Event) -> None:
            job.done, job.total = event["done"], event["total"]

        for _ in range(ATTEMPTS):
            if job.gone:
                break
            job.worker = worker = Worker(1, limits, (ENVIRONMENT,), SHOWN)
            try:
                return worker.perform(job.job, work, seconds, tell)
            except OutOfTime:
                return Done(f"took more than {seconds:g} s. Cut it, or make it smaller.", (), 0, 0.0)
            except WorkerDied as died:
                if disk_full(died, work):
                    return Done(str(died), (), 0, 0.0, True)
                emptied(work)
            finally:
                worker.kill()
                job.worker = None
        return Done("takes too much memory or computing. Make it shorter or smaller.", (), 0, 0.0)

    async def _sweep(self) -> None:
        if left := await asyncio.to_thread(sweep):
            log.info("offline: %d folders of servers that were killed are removed.", left)
        while True:
            await asyncio.sleep(SWEEP)
            now = time.monotonic()
            with contextlib.suppress(OSError):
                for job in list(self._jobs.values()):
                    if job.ended is not None and now - job.ended > self._settings.offline_minutes * 60:
                        self._forget(job)


def _on_gpu(job: Job) -> bool:
    """Whether a job draws on a GPU, whose driver reserves far more addresses than it takes memory."""
    device = job.options.get("device", "auto")
    return str(device).startswith("cuda") or (device == "auto" and usable_cuda())


def names_a_place(text: str) -> bool:
    """Whether a text names a file of this machine: of the visitor's own only names are told."""
    words = (word.strip("'\"(),:;") for word in text.split())
    return any(word.startswith(os.sep) and Path(*Path(word).parts[:2]).is_dir() for word in words)


def _without(text: str, folder: Path) -> str:
    """A text without the folder that files lie in, and the names that they have there."""
    for place in (folder / RESULTS, folder):
        text = text.replace(f"{place}/", "")
    return text.replace(".upload", "")
