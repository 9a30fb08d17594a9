"""Work beside each other: in order, ahead, and in bounded memory."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    pass

T = TypeVar("T")

CORES_VARIABLE = "SPEECHHEAD_CORES"
"""Variable that holds a process to so many cores, where several share a machine."""


def cores() -> int:
    """Cores that this process may use."""
    held = os.environ.get(CORES_VARIABLE, "")
    return int(held) if held.isdecimal() and int(held) else os.cpu_count() or 1


WORKERS = min(4, cores())
"""Frames that are drawn at the same time."""


def in_order(pool: ThreadPoolExecutor, draw: Callable[..., T], items: Iterable[tuple[Any, ...]]) -> Iterator[T]:
    """Results of `draw(*item)` in order, a few worked on at a time as they are read.

    Whole frames in parallel use the cores better than the threads inside each small network.
    """
    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(draw, *item))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


BACKGROUND = "speechhead background"
"""Name of the threads of `background`."""


@contextmanager
def background(items: Iterable[T], depth: int = 2) -> Iterator[Iterator[T]]:
    """Let an iterable run ahead in a thread, by at most `depth` items, so that stages overlap in bounded memory."""
    waiting: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | None, error: BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                waiting.put((item, error), timeout=0.2)
                return

    def run() -> None:
        try:
            for item in items:
                put(item, None)
                if stopped.is_set():
                    return
        except BaseException as error:  # raised again in the thread that reads
            put(None, error)
        else:
            put(None, StopIteration())

    def read() -> Iterator[T]:
        while True:
            item, error = waiting.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]

    thread = threading.Thread(target=run, name=BACKGROUND, daemon=True)
    thread.start()
    try:
        yield read()
    finally:
        stopped.set()
        # Python must not end while a thread is inside a network: that aborts the process. A service that does not
        # answer is not waited for.
        thread.join(10)
