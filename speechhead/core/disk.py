"""Whether a fault is a disk without room, however a library tells it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""Numbers of the system for a disk, or a user's share of it, that is full."""

LEAST = 1 << 20
"""Bytes below which a disk counts as full: some libraries lose the number of the fault on the way."""


def disk_full(fault: BaseException, folder: Path | str | None = None) -> bool:
    """Whether a fault, or what it came of, is a full disk; where `folder` is, little room there tells it as well."""
    if any(getattr(each, "errno", None) in FULL for each in _chain(fault)):  # of OSError, and of libav's errors
        return True
    return folder is not None and free_bytes(folder) < LEAST


def free_bytes(folder: Path | str) -> float:
    """Bytes that may still be written in a folder; infinite where the system does not tell."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return float("inf")


def _chain(fault: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if fault is None:
            return
        yield fault
        fault = fault.__cause__ or fault.__context__
