"""One row of teeth, seen from the front."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from speechhead.core.arrays import Array


@dataclass(frozen=True)
class Row:
    """One row of teeth, seen from the front.

    colour: float32 [h, w, 4] premultiplied, 0..255 and 0..1; edge: pixel (x, y) of the edge between the middle teeth;
    curve: depth of the arch at a distance of 1 from the middle, outer eye distances.
    """

    colour: Array
    edge: tuple[float, float]
    curve: float

    def scaled(self, density: float) -> Row:
        """The row at another number of pixels, so that it can be read without aliasing."""
        height, width = self.colour.shape[:2]
        shape = max(1, round(width * density)), max(1, round(height * density))
        small = np.asarray(cv2.resize(self.colour, shape, interpolation=cv2.INTER_AREA), np.float32)
        return Row(small, (self.edge[0] * shape[0] / width, self.edge[1] * shape[1] / height), self.curve)

    def carved(self, sigma: float, gain: float) -> Row:
        """The row with more shade between its teeth: what differs from the colours around, within `sigma` pixels, is
        `gain` times as strong."""
        colour, opacity = self.colour[..., :3], self.colour[..., 3:]
        around = cv2.GaussianBlur(self.colour, (0, 0), sigma)
        mean = around[..., :3] / np.maximum(around[..., 3:], 1e-3) * opacity
        carved = np.clip(mean + gain * (colour - mean), 0, 255 * opacity)
        return Row(np.concatenate([carved, opacity], -1).astype(np.float32), self.edge, self.curve)
