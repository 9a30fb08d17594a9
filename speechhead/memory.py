"""The C library's memory, tuned for pictures that come and go 25 times a second."""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt(3)

LARGEST = 32 * 1024 * 1024
"""Bytes of the largest block that is taken from the heap and kept when it is freed; the most that glibc allows."""


def keep_freed_pictures() -> bool:
    """Let freed blocks of picture size be used again, instead of going back to the system after every frame.

    glibc maps each block of more than 128 KiB afresh, so that the system has to clear its pages every time: a sixth
    of what a frame costs. For the process as a whole, and for good; where there is no mallopt, nothing happens.

    Returns
    -------
    Whether it took effect.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        return all(mallopt(key, LARGEST) == 1 for key in (_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD))
    return False
