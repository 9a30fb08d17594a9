"""A part of a picture that was drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speechhead.core.arrays import Array
from speechhead.media.image import Picture


@dataclass(frozen=True)
class Patch:
    """Pixels uint8 [h, w, 3] to lay into a picture with their corner at (left, top), each with a weight [h, w] in 0..1:
    where it is 0, the picture stays as it is, bit by bit."""

    left: int
    top: int
    pixels: Picture
    weight: Array

    def within(self, width: int, height: int) -> Patch | None:
        """What of it lies in a picture of this size; None where nothing does."""
        x0, y0 = max(self.left, 0), max(self.top, 0)
        x1 = min(self.left + self.pixels.shape[1], width)
        y1 = min(self.top + self.pixels.shape[0], height)
        if x1 <= x0 or y1 <= y0:
            return None
        part = slice(y0 - self.top, y1 - self.top), slice(x0 - self.left, x1 - self.left)
        return Patch(x0, y0, self.pixels[part], self.weight[part])

    def onto(self, picture: Picture) -> None:
        """Lay it into a picture uint8 [H, W, 3], in place."""
        part = self.within(picture.shape[1], picture.shape[0])
        if part is None:
            return
        height, width = part.weight.shape
        where = slice(part.top, part.top + height), slice(part.left, part.left + width)
        weight = part.weight[..., None]
        mixed = picture[where] + weight * (part.pixels.astype(np.float32) - picture[where])
        picture[where] = np.round(mixed).astype(np.uint8)
