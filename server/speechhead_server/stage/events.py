"""What happens on a stage, told to those who look at the moment it is shown."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Any

from .clock import RATE, Clock

Message = dict[str, Any]


class Events:
    """Messages held until their time on the clock. Made in the event loop; `put` may be called from any thread.

    Parameters
    ----------
    tell : called in the event loop with each message when it is due
    """

    def __init__(self, clock: Clock, tell: Callable[[Message], None]) -> None:
        self._clock, self._tell = clock, tell
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[int, int, Message]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._over: set[str] = set()  # utterances that were cut off
        self._task = asyncio.create_task(self._run())

    @property
    def waiting(self) -> bool:
        """Whether something is still to be told."""
        return bool(self._heap)

    def put(self, at: int, message: Message) -> None:
        """Tell `message` when sample `at` is shown."""
        try:
            self._loop.call_soon_threadsafe(self._put, at, message)
        except RuntimeError:  # the loop has ended, and with it all who would listen
            return

    def _put(self, at: int, message: Message) -> None:
        name = message.get("utterance")
        if message["type"] == "done":
            if message["interrupted"]:
                self._heap = [entry for entry in self._heap if entry[2].get("utterance") != name]
                heapq.heapify(self._heap)
            self._over.add(str(name))
        elif name is not None and name in self._over:
            return
        heapq.heappush(self._heap, (at, next(self._order), message))
        self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            while self._heap and self._clock.until(self._heap[0][0]) <= 0:
                at, _, message = heapq.heappop(self._heap)
                self._over.discard(message["utterance"] if message["type"] == "done" else "")
                self._tell(_dated(message, at))
            pause = max(0.0, self._clock.until(self._heap[0][0])) if self._heap else None
            try:
                await asyncio.wait_for(self._changed.wait(), pause)
            except asyncio.TimeoutError:
                continue

    def close(self) -> None:
        """Tell nothing more."""
        self._task.cancel()
        self._heap.clear()


def _dated(message: Message, at: int) -> Message:
    """With the time at which it is shown; captions and words get their start and end."""
    start = round(at / RATE, 3)
    if "seconds" in message:
        rest = {key: value for key, value in message.items() if key != "seconds"}
        return {**rest, "start": start, "end": round(start + message["seconds"], 3)}
    return {**message, "clock": start}
