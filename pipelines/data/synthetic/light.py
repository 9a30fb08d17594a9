"""Light on a head as second-order spherical harmonics of its normals (Ramamoorthi and Hanrahan, 2001)."""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array

_STRENGTH = 0.75
"""Exponent on the change of light: part of what the fit takes for light is the skin's own colour."""
_RANGE = (0.62, 1.45)


def harmonics(normals: Array) -> Array:
    """The nine functions [V, 9] of unit normals [V, 3]."""
    x, y, z = normals.T
    return np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], 1).astype(np.float32)


def estimate(luma: Array, normals: Array, weight: Array) -> Array:
    """Light [9], mean 1, from the brightness [V] of skin with normals [V, 3]; brows and beards are voted out."""
    basis = harmonics(normals).astype(np.float64)
    keep = weight.astype(np.float64).copy()
    ridge = np.diag([0, 1, 1, 1, 3, 3, 3, 3, 3.0]) * 0.01 * keep.sum()
    light = np.zeros(9)
    scale = max(float(np.median(luma)), 1.0)
    for _ in range(6):
        left = basis.T * keep
        light = np.linalg.solve(left @ basis + ridge, left @ (luma / scale))
        off = luma / scale - basis @ light
        keep = weight / (1 + (off / 0.12) ** 2)
    return (light / max(float((basis @ light).mean()), 1e-3)).astype(np.float32)


def change(light: Array, before: Array, after: Array, added: Array | None = None) -> Array:
    """Factor [V] on the brightness of vertices whose normals [V, 3] turn from `before` to `after`.

    `added` [9] is a change of the light itself, as a share of its mean.
    """
    old = np.maximum(harmonics(before) @ light, 0.35)
    new = np.maximum(harmonics(after) @ (light if added is None else light + added), 0.35)
    return np.clip((new / old) ** _STRENGTH, *_RANGE).astype(np.float32)
