"""A training that is told to end does so between two steps, and keeps what it has learnt."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Whether Ctrl-C, or the end of the process, was asked for while this context lives; a second time ends it at once.

    Only the main thread hears signals: in any other nothing changes.
    """

    def __init__(self) -> None:
        self.asked = False
        self._process = os.getpid()
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self.asked

    def tell(self, state: Path) -> None:
        """Say on stderr how to go on, where the run was asked to end."""
        if self.asked:
            print(f"stopped. --resume {state} goes on from here.", file=sys.stderr, flush=True)

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a process that loads data, and ends with this one
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("ends after this step; once more ends it at once.", file=sys.stderr, flush=True)
