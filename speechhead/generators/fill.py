"""Filling holes in pictures from what surrounds them, and soft edges."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def push_pull(colour: Array, weight: Array) -> Array:
    """Colours everywhere, from colours that count where `weight` is high.

    The pyramid of Gortler et al., "The Lumigraph" (1996): averages are pulled up to coarser levels, and pushed back
    down where a level knows too little. Smooth, and it touches nothing that has full weight.

    Parameters
    ----------
    colour : float32 [H, W, C]; weight : float32 [H, W] in 0..1

    Returns
    -------
    float32 [H, W, C]
    """
    height, width = weight.shape
    if min(height, width) <= 2 or weight.min() >= 1:
        total = weight.sum()
        mean = (colour * weight[..., None]).sum((0, 1)) / max(total, 1e-6)
        return (colour * weight[..., None] + mean * (1 - weight[..., None])).astype(np.float32)
    size = ((width + 1) // 2, (height + 1) // 2)
    small_weight = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(colour * weight[..., None], size, interpolation=cv2.INTER_AREA)
    small = small.reshape(*small_weight.shape, -1) / np.maximum(small_weight, 1e-6)[..., None]
    coarse = push_pull(np.asarray(small, np.float32), np.asarray(np.minimum(small_weight * 4, 1), np.float32))
    up = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(colour.shape)
    return (colour * weight[..., None] + up * (1 - weight[..., None])).astype(np.float32)


def smoothstep(x: npt.ArrayLike, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((np.asarray(x, np.float32) - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
