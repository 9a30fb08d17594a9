"""Soft steps: one cubic, met by numbers and by pictures."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .arrays import Array

Share = TypeVar("Share", float, npt.NDArray[np.float32], npt.NDArray[np.float64])


def clip01(x: float) -> float:
    """`x` limited to 0..1."""
    return min(max(x, 0.0), 1.0)


def eased(share: Share) -> Share:
    """3 t^2 - 2 t^3: 0 to 1 for a share t of the way in 0..1, level at both ends; of t's own shape and type."""
    return share * share * (3 - 2 * share)


def smoothstep(x: float, start: float, end: float) -> float:
    """0 below `start`, 1 above `end` (or the reverse if end < start), with level ends.

    Of a number, in double precision: what motion is filtered with. Pictures take `smoothstep32`, whose single
    precision gives other last bits.
    """
    return eased(clip01((x - start) / (end - start)))


def smoothstep32(x: npt.ArrayLike, low: float, high: float) -> Array:
    """The same of every element of a picture or a mask [...], in single precision: float32 [...] in 0..1."""
    t = np.clip((np.asarray(x, np.float32) - low) / (high - low), 0, 1)
    return np.asarray(eased(t), np.float32)
