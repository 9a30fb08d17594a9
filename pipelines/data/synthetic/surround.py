"""What is round the head: hair, neck and background, moved by the outline of the head and falling to rest."""

from __future__ import annotations

import cv2
import numba
import numpy as np

from speechhead.core.arrays import Array

ANGLES = 180
"""Directions in which the outline is known."""
CENTRE = np.array([0, -2.0, -3.0], np.float32)
"""The point in the head from which directions are counted."""
_RIGID, _STILL = 1.22, 2.35
"""Radii, in units of the outline's: up to the first everything moves with the outline, from the second nothing does."""


def outline(pixels: Array, centre: Array, turn: float) -> Array:
    """Radius [ANGLES] of the outline of vertices [V, 2+] round a centre, in the axes of a head rolled by `turn`."""
    delta = pixels[:, :2] - centre[:2]
    angle = np.arctan2(delta[:, 1], delta[:, 0]) - turn
    slot = np.floor(angle / (2 * np.pi) * ANGLES).astype(np.int64) % ANGLES
    radius = np.zeros(ANGLES, np.float64)
    np.maximum.at(radius, slot, np.hypot(delta[:, 0], delta[:, 1]))
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.2) ** 2)
    tiled = np.concatenate([radius[-6:], radius, radius[:6]])
    return np.convolve(tiled, kernel / kernel.sum(), "valid").astype(np.float32)


@numba.njit(cache=True, fastmath=True)
def _shifts(
    height: int, width: int, here: Array, there: Array, turn_here: float, turn_there: float, outline_here: Array,
    outline_there: Array, zoom: float, rest: float, out: Array,
) -> None:  # fmt: skip
    count = len(outline_here)
    for row in range(height):
        for column in range(width):
            x, y = 2 * column + np.float32(0.5), 2 * row + np.float32(0.5)
            dx, dy = x - here[0], y - here[1]
            radius = np.sqrt(dx * dx + dy * dy)
            angle = np.arctan2(dy, dx) - turn_here
            slot = angle / (2 * np.pi) * count - 0.5
            low = np.floor(slot)
            part = slot - low
            i, j = int(low) % count, (int(low) + 1) % count
            mine = outline_here[i] * (1 - part) + outline_here[j] * part
            other = outline_there[i] * (1 - part) + outline_there[j] * part
            if radius < mine:
                reach = other * radius / mine
            else:
                reach = other + (radius - mine) / zoom
            t = min(max((radius / mine - _RIGID) / (_STILL - _RIGID), 0.0), 1.0)
            weight = 1 - t * t * (3 - 2 * t)
            angle += turn_there
            sx, sy = there[0] + reach * np.cos(angle), there[1] + reach * np.sin(angle)
            out[row, column, 0] = weight * (sx - x - rest)
            out[row, column, 1] = weight * (sy - y - rest)


class Surround:
    """The outline of a head in one picture."""

    def __init__(self, pixels: Array, centre: Array, turn: float, scale: float) -> None:
        """Vertices [V, 3] of the head's skin and its centre in pixels, roll in radians, pixels per head unit."""
        self.centre, self.turn, self.scale = centre, turn, scale
        self.outline = outline(pixels, centre, turn)

    def places(self, other: Surround, height: int, width: int, rest: float = 0.0) -> Array:
        """Where in the picture of `other` each pixel [H, W, 2] of this one's surround lies.

        What does not move lies `rest` pixels further right and down there.
        """
        out = np.empty(((height + 1) // 2, (width + 1) // 2, 2), np.float32)
        zoom = self.scale / other.scale
        _shifts(
            len(out),
            out.shape[1],
            self.centre,
            other.centre,
            self.turn,
            other.turn,
            self.outline,
            other.outline,
            zoom,
            rest,
            out,
        )
        full = cv2.resize(out, (width + width % 2, height + height % 2), interpolation=cv2.INTER_LINEAR)[
            :height, :width
        ]
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
        return full + rest + np.stack(np.broadcast_arrays(x, y), -1)
