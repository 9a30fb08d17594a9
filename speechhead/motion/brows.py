"""Brows of one face, raised and lowered."""

from __future__ import annotations

from speechhead.core.arrays import Array
from speechhead.face.landmarks import BROWS

_LEFT, _RIGHT = slice(BROWS.start, BROWS.start + 5), slice(BROWS.start + 5, BROWS.stop)

LID_FOLLOWS = 0.08
"""Part of a brow's rise that the upper lid goes along."""


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
