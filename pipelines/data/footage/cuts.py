"""Cuts and dissolves between shots, from small copies of the pictures, as they come."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array

SMALL = 64
"""Longer side of the copies."""
HISTORY = 5
"""Frames whose largest change a cut must exceed twofold."""
DISSOLVE = 12
"""Frames (0.48 s) over which a slow transition is looked for."""

# Within 45 clips of talking heads the largest change from frame to frame was 11 grey levels, 0.17 of the histogram and
# 0.12 of the pattern (0.02, 0.05 and 0.03 in the mean); across clips the smallest was 12, 0.16 and 0.15.
_LEAST, _PATTERN, _COLOUR = 6.0, 0.14, 0.4
_DISSOLVE_BLOCK, _MIXED = 12.0, 0.2


class _Shown:
    """Colour histogram [256] and grey blocks of one picture."""

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        scale = SMALL / max(picture.shape[:2])
        size = (max(8, round(picture.shape[1] * scale)), max(8, round(picture.shape[0] * scale)))
        copy = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        colours = cv2.cvtColor(copy, cv2.COLOR_RGB2HSV)
        counts = cv2.calcHist([colours], [0, 1, 2], None, [8, 4, 8], [0, 180, 0, 256, 0, 256]).ravel()
        self.histogram: Array = counts / counts.sum()
        self.blocks: Array = cv2.cvtColor(copy, cv2.COLOR_RGB2GRAY).astype(np.float32)


class CutDetector:
    """Tells for each picture whether a new shot begins with it.

    A cut changes colours or pattern at once, and more than twice what any frame just before it changed: a moving
    camera or a head that fills the picture changes every frame, a flash changes the light but not the pattern. In a
    dissolve the picture in the middle of half a second is the mean of the first and the last, which are unlike each
    other: movement makes that only of pictures that are alike.
    """

    def __init__(self) -> None:
        self._shown: deque[_Shown] = deque(maxlen=DISSOLVE + 1)
        self._changes: deque[float] = deque(maxlen=HISTORY)

    def push(self, picture: NDArray[np.uint8]) -> int | None:
        """The next picture, uint8 [H, W, 3].

        Returns
        -------
        None in the same shot; else a new shot begins, and so many pictures before this one belong to neither
        """
        now, found = _Shown(picture), None
        if self._shown:
            last, before = self._shown[-1], max(self._changes, default=0.0)
            change = _change(last, now)
            pattern = _pattern(last, now)
            other = pattern > _PATTERN or (pattern > _PATTERN / 3 and _colour(last, now) > _COLOUR)
            if other and change > 2 * max(before, _LEAST):
                found = 0
            elif len(self._shown) > DISSOLVE and self._is_mixture(now):
                found = DISSOLVE
            self._changes.append(change)
        if found is not None:
            self._shown.clear()
            self._changes.clear()
        self._shown.append(now)
        return found

    def _is_mixture(self, now: _Shown) -> bool:
        first, middle = self._shown[1], self._shown[1 + DISSOLVE // 2].blocks
        change = _change(first, now)
        rest = float(np.abs(middle - 0.5 * (first.blocks + now.blocks)).mean())
        other = _pattern(first, now) > _PATTERN  # a lamp that is dimmed is no dissolve
        return other and change > _DISSOLVE_BLOCK and rest < _MIXED * change


def _change(a: _Shown, b: _Shown) -> float:
    """Mean difference of the blocks in grey levels."""
    return float(np.abs(a.blocks - b.blocks).mean())


def _colour(a: _Shown, b: _Shown) -> float:
    """Half the distance of the histograms, 0..1."""
    return 0.5 * float(np.abs(a.histogram - b.histogram).sum())


def _pattern(a: _Shown, b: _Shown) -> float:
    """One less the correlation of the blocks; 0 where one picture is of one grey (a fade)."""
    spread = float(a.blocks.std() * b.blocks.std())
    together = float(((a.blocks - a.blocks.mean()) * (b.blocks - b.blocks.mean())).mean())
    return 1 - together / spread if spread > 1 else 0.0
