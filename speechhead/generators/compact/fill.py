"""Filling holes in pictures from what surrounds them."""

from __future__ import annotations

import cv2
import numpy as np

from speechhead.core.arrays import Array


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
