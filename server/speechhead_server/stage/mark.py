"""A visible mark, such as "AI", in the corner of every live picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.media.lettering import lettering

INK, PLATE = 226.0, 0.5
"""Luma of the letters, and what is left of the picture's light behind them."""

NEUTRAL = 128
"""Of the two planes of colour."""


class Mark:
    """A short text, drawn once and laid into the lower right corner of planar pictures, in place.

    Raises
    ------
    MediaError if a letter of it can not be drawn here.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._plates: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        self._plate(256)

    def lay(self, planar: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mark a picture, uint8 [3 S / 2, S] of 4:2:0, and return it; a copy of one that may not be written."""
        size = planar.shape[1]
        gain, bias = self._plate(size)
        if not planar.flags.writeable:
            planar = planar.copy()
        height, width = gain.shape
        luma = planar[size - height : size, size - width :]
        luma[:] = luma * gain + bias
        half = size // 2
        for plane in planar[size:].reshape(2, half, half):
            colour = plane[half - height // 2 :, half - width // 2 :]
            colour[:] = NEUTRAL + (colour.astype(np.float32) - NEUTRAL) * PLATE
        return planar

    def _plate(self, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if size not in self._plates:
            pad = max(2, size // 100)
            ink = np.pad(lettering(self._text, max(10, size // 24)), pad)[: size // 2, : size // 2]
            even = tuple(side - side % 2 for side in ink.shape)
            share = cv2.resize(ink, even[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            self._plates[size] = np.float32(PLATE) * (1 - share), np.float32(INK) * share
        return self._plates[size]
