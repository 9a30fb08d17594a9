"""Filling holes in pictures from what surrounds them, and soft edges."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def push_pull(colour: Array, weight: Array) -> Array:
    """Colours everywhere, from colours that count where `weight` is high.

    The pyramid of Gortler et al., "The Lumigraph" (1996): averages are pulled up to coarser levels, and pushed back
    down where a level knows too little. Smooth, and it touches nothing that has full weight. The levels are Gaussian:
    averages of two by two pixels leave the outline of a hole to be seen.

    Parameters
    ----------
    colour : float32 [H, W, C]; weight : float32 [H, W] in 0..1

    Returns
    -------
    float32 [H, W, C]
    """
    colours, weights = [np.asarray(colour * weight[..., None], np.float32)], [np.asarray(weight, np.float32)]
    while min(weights[-1].shape) > 1:
        known = np.asarray(cv2.pyrDown(weights[-1]), np.float32)
        small = cv2.pyrDown(colours[-1]).reshape(*known.shape, -1)
        weights.append(np.minimum(4 * known, np.float32(1)))  # a quarter of the neighbourhood is enough to be sure
        colours.append(np.asarray(small * (weights[-1] / np.maximum(known, 1e-6))[..., None], np.float32))
    filled = colours[-1] / max(float(weights[-1].max()), 1e-6)
    for small, known in zip(colours[-2::-1], weights[-2::-1]):
        height, width = known.shape
        coarse = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR).reshape(small.shape)
        filled = small + (1 - known[..., None]) * coarse
    return np.asarray(filled, np.float32)


def smoothstep(x: npt.ArrayLike, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((np.asarray(x, np.float32) - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def mirrored(image: npt.NDArray[np.uint8], hole: npt.NDArray[np.bool_], depth: float) -> npt.NDArray[np.uint8]:
    """`image` [H, W, 3] with the hole filled from around it: all of it is a hole, the mean colour.

    A wall goes on as sharp as it is: up to about `depth` pixels into the hole it is continued as its own mirror image
    at the hole's edge; further in, and where the mirror shows the hole itself, by `push_pull`.
    """
    if hole.all():
        return np.broadcast_to(image.mean((0, 1)).astype(np.uint8), image.shape).copy()
    height, width = hole.shape
    smooth = push_pull(image.astype(np.float32), (~hole).astype(np.float32))
    distance, labels = cv2.distanceTransformWithLabels(
        hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(~hole)
    nearest = np.zeros((labels.max() + 1, 2), np.float32)
    nearest[labels[rows, columns]] = np.column_stack([columns, rows])
    places = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    # An edge is ragged, and so would be its mirror image: the way to it is taken in the mean of a neighbourhood.
    way = cv2.GaussianBlur((nearest[labels] - places) * hole[..., None], (0, 0), max(depth / 8, 0.5))
    share = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), max(depth / 8, 0.5))
    x, y = cv2.split(places + 2 * way / np.maximum(share, 0.1)[..., None])
    seen = np.dstack([smooth, (~hole).astype(np.float32)])
    mirror = cv2.remap(seen, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    weight = (smoothstep(mirror[..., 3], 0.5, 1) * (1 - smoothstep(distance, 0.5 * depth, 1.5 * depth)))[..., None]
    filled = smooth + cv2.GaussianBlur(weight, (0, 0), 1).reshape(weight.shape) * (mirror[..., :3] - smooth)
    filled[~hole] = image[~hole]
    return np.clip(np.round(filled), 0, 255).astype(np.uint8)
