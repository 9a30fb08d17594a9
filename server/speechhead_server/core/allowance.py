"""How much one of many may take: an amount per second, and a reserve for whoever took little before."""

from __future__ import annotations

import time
from collections.abc import Callable


class Allowance:
    """Of packets, or of seconds of computing.

    Parameters
    ----------
    rate : amount per second
    reserve : amount that may be taken at once
    now : seconds of any clock
    """

    def __init__(self, rate: float, reserve: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._reserve, self._now = rate, reserve, now
        self._left, self._at = reserve, now()

    def take(self, amount: float = 1.0) -> bool:
        """Take so much if it is there; whether it is."""
        self._refill()
        if self._left < amount:
            return False
        self._left -= amount
        return True

    def spend(self, amount: float) -> float:
        """Note what was taken already; seconds until nothing is owed."""
        self._refill()
        self._left -= amount
        return max(0.0, -self._left / self._rate)

    def _refill(self) -> None:
        now = self._now()
        self._left, self._at = min(self._reserve, self._left + (now - self._at) * self._rate), now
