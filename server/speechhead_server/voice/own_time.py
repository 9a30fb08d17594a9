"""How long another process could have worked: the clock by which a hung process is told from a starved one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Thread:
    """What Linux tells of a thread: its state's letter, seconds on a core, and seconds it waited for one."""

    state: str
    ran: float
    waited: float


def threads(pid: int) -> dict[int, Thread]:
    """Threads of a process by their id; empty where the system does not tell."""
    found: dict[int, Thread] = {}
    with contextlib.suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):  # a thread may end while it is looked at
                state = (task / "stat").read_text().rpartition(")")[2].split()[0]
                ran, waited = (task / "schedstat").read_text().split()[:2]
                found[int(task.name)] = Thread(state, int(ran) / 1e9, int(waited) / 1e9)
    return found


def own_seconds(before: Mapping[int, Thread], now: Mapping[int, Thread], passed: float) -> float:
    """Seconds, of those that passed between two looks at a process, in which it could have worked.

    A thread that sleeps or runs has the time for itself. One that is stopped has none, and one that waits for a core
    has what it ran: Linux adds up a wait only when it is over. A process has as little as the thread that has least.

    Parameters
    ----------
    before, now : from `threads`
    passed : seconds between them
    """
    least = passed
    for number in before.keys() & now.keys():
        old, new = before[number], now[number]
        if new.state in "Tt":
            return 0.0
        own = new.ran - old.ran if new.state == "R" else passed - (new.waited - old.waited)
        least = min(least, max(0.0, own))
    return least


class OwnTime:
    """Counts the time a process has for itself, look by look; all time where the system does not tell.

    Parameters
    ----------
    pid : of the process
    longest : seconds that one look counts at most; if more passed, the one who looks was held up as well
    """

    def __init__(self, pid: int, longest: float) -> None:
        self._pid, self._longest = pid, longest
        self._threads, self._at = threads(pid), time.monotonic()

    def advance(self) -> float:
        """Seconds the process had for itself since the last look."""
        now, at = threads(self._pid), time.monotonic()
        own = own_seconds(self._threads, now, at - self._at)
        self._threads, self._at = now, at
        return min(own, self._longest)
