"""The process itself, tuned for pictures that come and go 25 times a second: its memory and its idle threads."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

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


def calm_blas() -> bool:
    """Keep numpy's matrix products on the thread that asks for them; to be called before numpy is imported.

    OpenBLAS lets its other threads spin for some 30 ms after each product, in case another one follows. Ours come with
    every frame and are small, so that a thread of it would be busy for most of a core and do nothing. Processes that
    are started from this one inherit it; whoever has set OPENBLAS_NUM_THREADS keeps what was set.

    Returns
    -------
    Whether it takes effect.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return "numpy" not in sys.modules and os.environ["OPENBLAS_NUM_THREADS"] == "1"


def calm_opencv() -> bool:
    """Keep OpenCV's loops on the thread that asks for them; to be called before cv2 is imported.

    Frames are drawn side by side, one per core. A loop that is shared with a core at work on another frame waits for
    it: two frames beside each other take a twelfth longer. Whoever has set OPENCV_FOR_THREADS_NUM keeps what was set.

    Returns
    -------
    Whether it takes effect.
    """
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    return "cv2" not in sys.modules and os.environ["OPENCV_FOR_THREADS_NUM"] == "1"
