"""The few colours of a GIF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

BITS = 5
"""Bits of each colour by which the nearest of the palette is looked up."""

COLOURS = 256

BAYER = (
    np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16 - 0.47
)  # fmt: skip
"""Ordered dither (Bayer, 1973): the same at a place in every frame, so that what stands still does not shimmer."""

SPREAD = 10.0
"""Levels of 0..255 that the dither spreads over."""


@dataclass(frozen=True)
class Palette:
    """Colours uint8 [256, 3], and the number of the nearest one for every colour, uint8 [2 ** (3 BITS)]."""

    colours: NDArray[np.uint8]
    nearest: NDArray[np.uint8]

    @classmethod
    def of(cls, frames: Sequence[NDArray[np.uint8]]) -> Palette:
        """Colours that suit some frames [H, W, 3]."""
        step = max(1, round((len(frames) * frames[0].size / 3 / 400_000) ** 0.5))
        rows = np.concatenate([frame[::step, ::step, :3] for frame in frames])
        chosen = Image.fromarray(np.ascontiguousarray(rows)).quantize(COLOURS, Image.Quantize.MEDIANCUT)
        found = np.array(chosen.getpalette() or [0, 0, 0], np.uint8).reshape(-1, 3)
        colours = np.concatenate([found, np.repeat(found[:1], COLOURS - len(found), 0)])
        levels = ((np.arange(1 << BITS) + 0.5) * (256 >> BITS)).astype(np.float32)
        cells = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
        table = colours.astype(np.float32)
        distance = (table**2).sum(1) - 2 * cells @ table.T
        return cls(colours, distance.argmin(1).astype(np.uint8))

    def picture(self, frame: NDArray[np.uint8]) -> Any:
        """A frame [H, W, 3] as libav takes it."""
        height, width = frame.shape[:2]
        dither = np.tile(BAYER, (height // 4 + 1, width // 4 + 1))[:height, :width, None] * SPREAD
        level = (np.clip(frame[..., :3] + dither, 0, 255).astype(np.int32)) >> (8 - BITS)
        index = self.nearest[(level[..., 0] << 2 * BITS) | (level[..., 1] << BITS) | level[..., 2]]
        opaque = np.full((COLOURS, 1), 255, np.uint8)
        argb = np.ascontiguousarray(np.concatenate([opaque, self.colours], 1))
        pair: Any = (np.ascontiguousarray(index), argb)
        return av.VideoFrame.from_ndarray(pair, format="pal8")
