"""The one clock of a session: 48 kHz samples since its start, on the machine's monotonic time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from speechhead.core.clocks import FPS

RATE = 48_000
"""Samples per second of the sound that leaves, and the unit of all media time."""

FRAME = RATE // FPS
"""Samples of one picture: 1920, which is 640 at 16 kHz."""

PACKET = RATE // 50
"""Samples of one Opus packet: 20 ms."""


class Clock:
    """Media time. Sound and pictures are both released against it, so they can not drift apart.

    Parameters
    ----------
    time_source : seconds that never go back
    """

    def __init__(self, time_source: Callable[[], float] = time.monotonic) -> None:
        self._time = time_source
        self._start = time_source()

    @property
    def seconds(self) -> float:
        """Time since the session began."""
        return self._time() - self._start

    @property
    def samples(self) -> int:
        """The sample that is due now."""
        return int(self.seconds * RATE)

    @property
    def frame(self) -> int:
        """Number of the picture that is due now."""
        return self.samples // FRAME

    def until(self, samples: float) -> float:
        """Seconds until a sample is due; negative if it is past."""
        return samples / RATE - self.seconds

    async def wait(self, samples: float) -> None:
        """Sleep until a sample is due; gives way to others at least once."""
        await asyncio.sleep(0)
        while (left := self.until(samples)) > 0:
            await asyncio.sleep(left)
