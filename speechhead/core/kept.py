"""What a process that makes many videos opens once: voices and networks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 6
"""Things that are kept; the one that was not used for longest goes first."""

_lock = threading.Lock()
_kept: OrderedDict[Hashable, Any] = OrderedDict()
_keeping = threading.Event()


def keep_opened() -> None:
    """From now on this process keeps what `opened` opens. Without it each video opens, and frees, its own."""
    _keeping.set()


def opened(key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
    """What `make` gives, or what it gave for the same key before, in a process that keeps it.

    For things that stay as they are and serve several threads.
    """
    if not _keeping.is_set():
        return make()
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        else:
            _kept[key] = make()
            while len(_kept) > MOST:
                _kept.popitem(last=False)
        found: T = _kept[key]
    return found


def forget_opened() -> None:
    """Free what is kept, and keep no more."""
    with _lock:
        _keeping.clear()
        _kept.clear()
