"""One process that does jobs, seen from the one that gives them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speechhead.core.children import child_command
from speechhead.core.errors import SpeechheadError
from speechhead.core.threads import CORES_VARIABLE

from .job import Job
from .task import Done

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that hold libraries to so many threads."""

Event = dict[str, Any]


class WorkerDied(SpeechheadError):
    """The process ended in the middle of a job."""


class OutOfTime(SpeechheadError):
    """A job took longer than it may."""


class Worker:
    """A process that opens networks and voices once, for as many jobs as it is given.

    Parameters
    ----------
    cores : that it may use
    limits : words of `child`, such as --nice 10
    hidden : beginnings of environment variables that it does not see
    shown : variables that it sees nevertheless
    """

    def __init__(
        self,
        cores: int = 1,
        limits: tuple[str, ...] = (),
        hidden: tuple[str, ...] = (),
        shown: tuple[str, ...] = (),
    ) -> None:
        left_out = {name for name in os.environ if hidden and name.startswith(hidden)} - {*shown}
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        few = dict.fromkeys(THREADS, "1") | {CORES_VARIABLE: str(cores)}
        self._process = subprocess.Popen(
            [*child_command("speechhead.batch.child"), *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("SPEECHHEAD_DEBUG") else subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=kept | few,
            start_new_session=True,
        )
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="batch worker", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take a job."""
        return self._process.poll() is None

    def perform(
        self, job: Job, folder: Path, seconds: float | None = None, tell: Callable[[Event], None] | None = None
    ) -> Done:
        """Do a job in a folder; blocks until it is done.

        Parameters
        ----------
        seconds : after which the process is killed
        tell : called with each event on the way

        Raises
        ------
        WorkerDied, OutOfTime; the worker is of no use afterwards.
        """
        until = None if seconds is None else time.monotonic() + seconds
        try:
            assert self._process.stdin is not None
            print(json.dumps({"job": job.plain(), "folder": str(folder)}), file=self._process.stdin, flush=True)
        except OSError:
            raise WorkerDied(self._ending()) from None
        while True:
            try:
                event = self._events.get(timeout=None if until is None else max(0.01, until - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise OutOfTime(f"took more than {seconds:g} s. Raise --timeout, or cut it into parts.") from None
            if event is None:
                raise WorkerDied(self._ending())
            if event.pop("event") == "done":
                return Done(**event | {"notes": tuple(event["notes"])})
            if tell and "done" in event:
                tell(event)

    def kill(self) -> None:
        """End it, with all that it may have started."""
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        self._reader.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                assert pipe is not None
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # closed, or killed within a line
            for line in self._process.stdout:
                self._events.put(json.loads(line))
        self._events.put(None)

    def _ending(self) -> str:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        hint = " Is there enough memory?" if code in (-9, 137) else ""
        return f"the process that did it ended ({how}).{hint} Run the batch again, with fewer --workers."
