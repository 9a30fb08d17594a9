"""The frame in which an eye is drawn: upright, a pixel as large as the crop's; and how it is laid over a picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array

LAST = 8
"""Place of the second corner in an eye's loop of 16 vertices, which starts at the corner at image left."""


def edges(points: Array, width: int) -> tuple[Array, Array]:
    """Rows [w] of the upper and the lower edge of an eye's loop [16, 2] in its frame, smooth."""
    columns = np.arange(width, dtype=np.float32)
    found = []
    for part in (points[: LAST + 1], np.concatenate([points[LAST:], points[:1]])[::-1]):
        x = np.maximum.accumulate(part[:, 0] + np.arange(len(part)) * 1e-3)
        rows = np.interp(columns, x, part[:, 1]).astype(np.float32)
        side = 2 * max(1, round(0.06 * float(x[-1] - x[0]))) + 1
        before, behind = 2 * rows[0] - rows[side:0:-1], 2 * rows[-1] - rows[-2 : -2 - side : -1]  # its slope goes on
        smooth = cv2.blur(np.concatenate([before, rows, behind])[None], (side, 1))[0, side:-side]
        found.append(np.asarray(smooth, np.float32))
    upper, lower = found
    return np.minimum(upper, lower), np.maximum(upper, lower)


def affine(known: Array, wanted: Array) -> Array:
    """The affine map [2, 3] that best takes points [n, 2] to others [n, 2]."""
    middle, goal = known.mean(0, np.float64), wanted.mean(0, np.float64)
    places = known - middle
    linear = np.linalg.solve(places.T @ places, places.T @ (wanted - goal)).T
    return _columns(linear, goal - linear @ middle)


def after(first: Array, second: Array) -> Array:
    """The affine map [2, 3] that is `second` after `first`."""
    return _columns(second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2])


def _columns(linear: NDArray[Any], offset: NDArray[Any]) -> Array:
    """A map [2, 3] of its parts [2, 2] and [2], in double precision."""
    return np.hstack([linear, offset[:, None]])


def box(matrix: Array, shape: tuple[int, ...], size: int) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1: pixels of a picture of `size` a side where a layer [h, w] lies; matrix as in `lay`."""
    height, width = shape[:2]
    ends = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    corners = (ends - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int), 0).tolist()
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, size).tolist()
    return x0, y0, x1, y1


def lay(frame: NDArray[np.uint8], layer: Array, matrix: Array, share: float) -> None:
    """Lay premultiplied colours and cover [h, w, 4] over a picture, in place.

    matrix : [2, 3], from the picture's pixels to the layer's; share : 0..1, how much of the layer there is
    """
    linear, offset = matrix[:, :2], matrix[:, 2]
    x0, y0, x1, y1 = box(matrix, layer.shape[:2], frame.shape[0])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    placed = np.column_stack([linear, offset + linear @ (x0, y0)])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(layer, placed, (int(x1 - x0), int(y1 - y0)), flags=how) * np.float32(share)
    region = frame[y0:y1, x0:x1]
    frame[y0:y1, x0:x1] = cv2.convertScaleAbs(region * (1 - laid[..., 3:]) + laid[..., :3])
