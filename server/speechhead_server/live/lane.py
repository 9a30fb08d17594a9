"""What takes long to read is read one after the other, beside the event loop, with pauses in which that has all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from speechhead_server.core.problems import Refused

T = TypeVar("T")

REST = 3
"""How many times as long as a piece of work took nothing follows it: a thread that computes slows down all others."""

WAITING = 16
"""Pieces of work that wait for their turn."""


class Lane:
    """A thread for work in Python, such as a text of a hundred thousand characters."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._turn = asyncio.Lock()
        self._count = 0

    async def do(self, work: Callable[..., T], *given: Any) -> T:
        """What a function makes of something.

        Raises
        ------
        Refused (503) where too much waits already; what the function raises.
        """
        if self._count > WAITING:
            raise Refused(503, "too many long texts wait to be read. Try again in a moment.", 2)
        self._count += 1
        try:
            await self._turn.acquire()
        finally:
            self._count -= 1
        loop, begun = asyncio.get_running_loop(), time.monotonic()
        try:
            return await loop.run_in_executor(self._pool, work, *given)
        finally:
            loop.call_later(REST * (time.monotonic() - begun), self._turn.release)

    def close(self) -> None:
        """Take nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
