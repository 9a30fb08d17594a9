"""What a person hides of the background: filled smoothly, with the grain of what is seen of it.

Behind a head that turns away before the grain of an old print, or a restless wall, a smooth filling alone is a blotch.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep

from .fill import push_pull


@dataclass(frozen=True)
class Grain:
    """Lengths are parts of the picture's side; chosen by eye on turned portraits."""

    sigma: float = 0.010
    """Of what is no grain."""

    edge: float = 0.006
    """Over which it sets in at the edge of what is seen."""

    deep: tuple[float, float] = (0.12, 0.18)
    """How far behind a person it begins to end, and ends: no turn uncovers more."""

    calm: float = 25.0
    """The percentile of what is seen that tells how strong grain is."""

    things: tuple[float, float] = (3.2, 4.5)
    """How many times that the mean may be: 2.5 of noise, 2.6 to 3.1 of prints, 6 and more of slats and flags, which
    are none."""

    most: float = 6.5
    """How many times that counts as grain: two standard deviations; the rest are edges of things."""

    seen: tuple[float, float] = (0.7, 1.4)
    """That, in levels, of grain that nobody misses, and from which on it is given."""

    same: float = 0.3
    """Mean difference, in levels, up to which two lines of pixels are the same, but for coding."""


GRAIN = Grain()


def fill(image: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """`image` [H, W, 3] with the hole [H, W] filled from around it, see `push_pull`, with the grain of what is seen.

    All of it is a hole: the mean colour.
    """
    if hole.all():
        return np.broadcast_to(image.mean((0, 1)).astype(np.uint8), image.shape).copy()
    filled = push_pull(image.astype(np.float32), (~hole).astype(np.float32))
    filled[~hole] = image[~hole]
    filled += grain(filled, hole, repeated(image))
    return np.clip(np.round(filled), 0, 255).astype(np.uint8)


def grain(filled: Array, hole: NDArray[np.bool_], beyond: NDArray[np.bool_]) -> Array:
    """What a smoothly filled hole [H, W] of a picture [H, W, 3] lacks, [H, W, 3]: the grain of what is seen, as in a
    mirror at the hole's edge; none where the mirror shows the hole or what lies `beyond`, [H, W]."""
    height, width = hole.shape
    distance, number = cv2.distanceTransformWithLabels(
        hole.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    reach = distance / np.float32(max(height, width))
    known = np.nonzero(~hole)
    nearest = np.zeros((int(number.max()) + 1, 2), np.int64)
    nearest[number[known]] = np.stack(known, 1)
    low, high = GRAIN.deep
    place = np.argwhere(hole & (reach < high))
    rows, columns = place.T
    source = 2 * nearest[number[rows, columns]] - place
    there = np.clip(source, 0, (height - 1, width - 1))
    whole = ~(hole | beyond)
    seen = (source == there).all(1) & whole[tuple(there.T)]
    away = reach[rows, columns]
    share = seen * np.clip(away / GRAIN.edge, 0, 1) * np.clip((high - away) / (high - low), 0, 1)
    fine = filled - cv2.GaussianBlur(filled, (0, 0), max(1.0, GRAIN.sigma * max(height, width)))
    strong = np.abs(fine[whole]) if whole.any() else np.zeros(1, np.float32)
    level, mean = float(np.percentile(strong, GRAIN.calm)), float(strong.mean())
    amount = smoothstep(level, *GRAIN.seen) * (1 - smoothstep(mean / max(level, 1e-3), *GRAIN.things))
    fine = amount * np.clip(fine, -GRAIN.most * level, GRAIN.most * level)
    out = np.zeros_like(filled)
    out[rows, columns] = fine[tuple(there.T)] * share[:, None]
    return out


def repeated(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a crop [H, W, 3] reaches over its picture's border, whose pixels are repeated there, [H, W]."""
    out = np.zeros(image.shape[:2], bool)
    for axis in (0, 1):
        lines = np.moveaxis(image, axis, 0).astype(np.int16)
        same = np.abs(np.diff(lines, axis=0)).mean((1, 2)) < GRAIN.same
        first, last = (len(same) if part.all() else int(np.argmin(part)) for part in (same, same[::-1]))
        edge = np.moveaxis(out, axis, 0)
        edge[:first] = True
        edge[len(edge) - last :] = True
    return out
