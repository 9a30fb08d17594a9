"""The process that does jobs: `python -m speechhead.batch.child`, started by `worker.Worker`.

Jobs come in on stdin and events go out on stdout, JSON, an object a line. When stdin ends the process ends at once,
whatever it is doing: nobody is there any more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

PAUSE = 0.2
"""Seconds between two reports of progress."""


def main(words: list[str]) -> None:
    """Do jobs until there are no more."""
    parser = argparse.ArgumentParser()
    for name in ("nice", "memory", "file", "cpu"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--longest", type=float, default=0.0)
    limits = parser.parse_args(words)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process in its own time
    limit(limits)
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no event
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    work(jobs, lambda event: print(json.dumps(event), file=events, flush=True), limits.longest)


def limit(limits: argparse.Namespace) -> None:
    """Take limits on, 0 for none: niceness, bytes of memory and of a file, seconds of computing."""
    with contextlib.suppress(AttributeError, OSError):  # not on Windows
        os.nice(limits.nice)
    with contextlib.suppress(ImportError):  # not on Windows
        import resource

        asked = {"RLIMIT_AS": limits.memory, "RLIMIT_FSIZE": limits.file, "RLIMIT_CPU": limits.cpu}
        for name, most in asked.items():
            if most:
                resource.setrlimit(getattr(resource, name), (most, most))


def work(jobs: queue.Queue[str], tell: Any, longest: float = 0.0) -> None:
    """Do what comes in, one after the other; `longest`, in seconds, is for inputs of strangers, see `check_foreign`."""
    from speechhead.batch.job import Job
    from speechhead.batch.task import perform, prepare

    prepare()
    tell({"event": "ready"})
    while line := jobs.get():
        given = json.loads(line)
        last = [0.0]

        def progress(done: int, total: int | None, last: list[float] = last) -> None:
            if time.monotonic() - last[0] >= PAUSE or done == total:
                last[0] = time.monotonic()
                tell({"event": "progress", "done": done, "total": total})

        tell({"event": "done", **asdict(perform(Job(**given["job"]), Path(given["folder"]), progress, longest))})


def _listen(jobs: queue.Queue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
