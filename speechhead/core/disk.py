"""What a fault of writing is, in few words, and whether it is a disk without room, however a library tells it."""

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


def reason(error: BaseException) -> str:
    """A short reason without the path, which the message has already."""
    number = getattr(error, "errno", None)
    if number in (*FULL, errno.EFBIG):
        return "disk full. Free some space"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "not writable"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0][:100].rstrip(".").lower()


def _chain(fault: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if fault is None:
            return
        yield fault
        fault = fault.__cause__ or fault.__context__
