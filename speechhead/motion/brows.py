"""Brows of one face, raised and lowered."""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array, Array64
from speechhead.face.landmarks import BROWS

_LEFT, _RIGHT = slice(BROWS.start, BROWS.start + 5), slice(BROWS.start + 5, BROWS.stop)

LID_FOLLOWS = 0.08
"""Part of a brow's rise that the upper lid goes along."""

HIGHEST, LOWEST, ROOM = 0.045, 0.05, 0.02
"""Outer eye distances up to which brows that move by themselves rise and fall, with what the emotion does to them, and
in which they come to rest beyond."""

LEAST = 0.012
"""By how much they do in any case."""


def rise_of(expression: Array) -> Array64:
    """By how much an expression, displacements [70, 3], raises the brows at the image's left and right, [2]."""
    return -np.array([expression[_LEFT, 1].mean(), expression[_RIGHT, 1].mean()], np.float64)


def reach(felt: Array64) -> tuple[Array64, Array64]:
    """Lowest and highest easy rise [2] of brows that an emotion raises by `felt` [2]; ROOM is beyond."""
    return -np.maximum(LOWEST + felt, LEAST), np.maximum(HIGHEST - felt, LEAST)


def raise_brows(landmarks: Array, left: float, right: float) -> None:
    """Move the brows of one face in place.

    Parameters
    ----------
    landmarks : float32 [70, 3], normalised space, changed in place
    left, right : rise of the brow at the left and at the right of the image, outer eye distances; < 0 lowers it
    """
    for brow, lid, rise in ((_LEFT, (37, 38), left), (_RIGHT, (43, 44), right)):
        landmarks[brow, 1] -= rise
        landmarks[list(lid), 1] -= LID_FOLLOWS * rise
