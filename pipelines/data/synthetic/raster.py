"""A z-buffer on the CPU: which triangle each pixel sees, and where in it."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array


@numba.njit(cache=True, fastmath=True, boundscheck=False)
def _rasterise(
    vertices: Array, triangles: NDArray[np.int32], index: NDArray[np.int32], weights: Array, depth: Array
) -> None:  # pragma: no cover (compiled)
    height, width = index.shape
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        bx, by, bz = vertices[b, 0], vertices[b, 1], vertices[b, 2]
        cx, cy, cz = vertices[c, 0], vertices[c, 1], vertices[c, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area <= 1e-9:  # seen from behind, or from the side
            continue
        x0 = max(int(np.ceil(min(ax, bx, cx))), 0)
        x1 = min(int(np.floor(max(ax, bx, cx))), width - 1)
        y0 = max(int(np.ceil(min(ay, by, cy))), 0)
        y1 = min(int(np.floor(max(ay, by, cy))), height - 1)
        if x0 > x1 or y0 > y1:
            continue
        over = np.float32(1.0) / area
        # Barycentric coordinates are affine in x: one division per triangle, additions per pixel.
        u_x, v_x = (by - cy) * over, (cy - ay) * over
        u_y, v_y = (cx - bx) * over, (ax - cx) * over
        for y in range(y0, y1 + 1):
            u = (x0 - cx) * u_x + (y - cy) * u_y
            v = (x0 - cx) * v_x + (y - cy) * v_y
            for x in range(x0, x1 + 1):
                w = 1 - u - v
                if u >= -1e-6 and v >= -1e-6 and w >= -1e-6:
                    z = u * az + v * bz + w * cz
                    if z < depth[y, x]:
                        depth[y, x] = z
                        index[y, x] = t
                        weights[y, x, 0] = u
                        weights[y, x, 1] = v
                u += u_x
                v += v_x


class Buffer:
    """What each pixel of a picture sees; reused from frame to frame.

    index : int32 [H, W] triangle, -1 where there is none
    weights : float32 [H, W, 2] barycentric weights of the triangle's first two vertices
    depth : float32 [H, W] z, away from the camera; infinite where there is no triangle
    """

    def __init__(self, height: int, width: int) -> None:
        self.index = np.full((height, width), -1, np.int32)
        self.weights = np.zeros((height, width, 2), np.float32)
        self.depth = np.full((height, width), np.inf, np.float32)

    def draw(self, vertices: Array, triangles: NDArray[np.int32]) -> Buffer:
        """Clear, then draw triangles [F, 3] of vertices [V, 3]: pixels (x right, y down, centres whole), z away.

        Triangles are drawn whose vertices run clockwise as seen in the picture (y down), the nearest in each pixel.
        """
        self.index.fill(-1)
        self.depth.fill(np.inf)
        _rasterise(
            np.ascontiguousarray(vertices, np.float32),
            np.ascontiguousarray(triangles, np.int32),
            self.index,
            self.weights,
            self.depth,
        )
        return self

    def interpolate(self, attributes: Array, corners: NDArray[np.int32], fill: float = 0.0) -> Array:
        """Attributes [A, C] at every pixel [H, W, C]; `corners` [F, 3] are each triangle's rows in `attributes`."""
        out = np.full((*self.index.shape, attributes.shape[1]), fill, np.float32)
        _interpolate(
            self.index,
            self.weights,
            np.ascontiguousarray(attributes, np.float32),
            np.ascontiguousarray(corners, np.int32),
            out,
        )
        return out


@numba.njit(cache=True, fastmath=True, boundscheck=False)
def _interpolate(
    index: NDArray[np.int32], weights: Array, attributes: Array, corners: NDArray[np.int32], out: Array
) -> None:  # pragma: no cover (compiled)
    height, width = index.shape
    channels = attributes.shape[1]
    for y in range(height):
        for x in range(width):
            t = index[y, x]
            if t >= 0:
                u, v = weights[y, x, 0], weights[y, x, 1]
                w = 1 - u - v
                a, b, c = corners[t, 0], corners[t, 1], corners[t, 2]
                for k in range(channels):
                    out[y, x, k] = u * attributes[a, k] + v * attributes[b, k] + w * attributes[c, k]
