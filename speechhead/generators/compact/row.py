"""One row of teeth, seen from the front."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32

TOOTH = (0.62, 0.75)
"""Whiteness (least channel over largest) below which a row is gum, and above which it is tooth."""

DEEPEST = 0.6
"""The most that a groove takes of a row's light."""


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

    def grooved(self, across: float, soft: float, gain: float) -> Row:
        """The row with teeth that turn away from the light towards each other: where it is darker than what is within
        `across` pixels to both sides, it becomes `gain` times darker, over a breadth of `soft` pixels more; gums stay,
        and teeth are as light as before in the mean.
        """
        opacity = self.colour[..., 3]
        colour = self.colour[..., :3] / np.maximum(opacity, 1e-3)[..., None]
        least, most = colour.min(-1), np.maximum(colour.max(-1), 1)
        tooth = smoothstep32(least / most, *TOOTH) * opacity
        filled = cv2.morphologyEx(most, cv2.MORPH_CLOSE, np.ones((1, 2 * round(across) + 1), np.uint8))
        dip = np.asarray((1 - most / np.maximum(filled, 1)) * tooth, np.float32)
        shade = np.minimum(gain * cv2.GaussianBlur(dip, (0, 0), soft), DEEPEST) * tooth
        kept = 1 + tooth * ((1 - shade) / (1 - np.average(shade, weights=tooth)) - 1)
        kept = np.dstack([kept, kept, kept, np.ones_like(kept)])
        return Row(np.asarray(self.colour * kept, np.float32), self.edge, self.curve)
