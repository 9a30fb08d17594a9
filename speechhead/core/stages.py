"""What the time of a run goes to: stages by name, marked where their work is done, and free where nobody measures."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

STAGES = {
    "face": "finding the face",
    "prepare": "preparing the portrait",
    "encoder": "speech encoder",
    "speech2landmarks": "Speech2Landmarks",
    "motion": "motion",
    "latents": "Landmarks2Latents",
    "warps": "warps",
    "networks": "networks",
    "composite": "lips, lids, teeth, windows",
    "draw": "drawing, the rest",
    "paste": "pasting back",
    "colour": "RGB to YUV",
    "encode": "encoding",
    "mux": "muxing",
}
"""Stages in the order of a run, with what a table calls them; a stage of another name is refused."""


class Stopwatch:
    """Own time of stages: what a stage spends in a stage within it is the inner one's.

    Parameters
    ----------
    settle : waits until a device has done what it was given, so that a stage's time is its own
    """

    def __init__(self, settle: Callable[[], None] | None = None) -> None:
        self.settle = settle
        self.steps: list[dict[str, float]] = []
        self._now: dict[str, float] = {}
        self._done: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._inner = threading.local()

    def cut(self) -> None:
        """End a step, such as a frame: `steps` gets the seconds of each of its stages."""
        with self._changed:
            self.steps.append(self._now)
            self._now = {}

    def wait(self, name: str, times: int, seconds: float = 60.0) -> bool:
        """Wait until a stage, of any thread, was done so many times; False if that takes longer than `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done[name] >= times, seconds)

    @contextmanager
    def running(self) -> Iterator[Stopwatch]:
        """Measure what is marked, in all threads, until the block ends; one stopwatch at a time."""
        global _watch
        before, _watch = _watch, self
        try:
            yield self
        finally:
            _watch = before

    def enter(self) -> float:
        """Begin a stage in this thread."""
        self._open().append(0.0)
        return time.perf_counter()

    def leave(self, name: str, start: float) -> None:
        """End the stage that began last in this thread."""
        if self.settle is not None:
            self.settle()
        spent, stack = time.perf_counter() - start, self._open()
        own = spent - stack.pop()
        if stack:
            stack[-1] += spent
        with self._changed:
            self._now[name] = self._now.get(name, 0.0) + own
            self._done[name] += 1
            self._changed.notify_all()

    def _open(self) -> list[float]:
        """Seconds spent in stages within each open stage of this thread, outermost first."""
        found: list[float] | None = getattr(self._inner, "stack", None)
        if found is None:
            found = self._inner.stack = []
        return found


_watch: Stopwatch | None = None


class stage:
    """Mark a block as work of a stage: `with stage("encode"): ...`.

    Raises
    ------
    KeyError for a name that STAGES has not.
    """

    __slots__ = ("_name", "_start", "_watch")

    def __init__(self, name: str) -> None:
        STAGES[name]
        self._name, self._start = name, 0.0
        self._watch: Stopwatch | None = None

    def __enter__(self) -> None:
        self._watch = _watch
        if self._watch is not None:
            self._start = self._watch.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.leave(self._name, self._start)


def staged(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a function as work of a stage; not one that yields.

    Raises
    ------
    KeyError as `stage`.
    """
    STAGES[name]

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def timed(*args: P.args, **named: P.kwargs) -> R:
            watch = _watch
            if watch is None:
                return function(*args, **named)
            start = watch.enter()
            try:
                return function(*args, **named)
            finally:
                watch.leave(name, start)

        return timed

    return wrap
