"""What is seen inside an open mouth: how light it is there, and how much of it is teeth.

The opening between the lips is laid straight, so that an open mouth is read alike whatever its shape, size and tilt;
lips are kept out by a margin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array

from .meshwarp import EYE_LEFT, EYE_RIGHT, LOWER_INNER_LIP, OUTER_LIP, OVAL, UPPER_INNER_LIP
from .mouth_light import LUMA

MARGIN = 0.015
"""What is left out along either lip, outer eye distances: lips are soft, and tracked to no better."""

CORNERS = 0.18
"""Parts of the opening's breadth left out at either corner, where it is a line."""

ACROSS, DOWN = 48, 24
"""Samples of an opening that is laid straight."""

TOOTH = 0.72
"""Least channel of a tooth over the skin's luma, where the skin is no redder than usual."""

PALE = 0.12
"""How much of the way from the skin's whiteness (least channel over largest) to white a tooth is at least: lips and
tongue are redder than skin."""

GREY = 0.97
"""Whiteness that is white: in a picture without colours everything is."""


@dataclass(frozen=True)
class SeenInside:
    """One open mouth, in parts of the skin's luma.

    contrast: standard deviation of luma; light: its 95th percentile; teeth, lower: share of tooth pixels in the opening
    and in its lower half.
    """

    contrast: float
    light: float
    teeth: float
    lower: float

    @property
    def upper(self) -> float:
        """Share of tooth pixels in the opening's upper half."""
        return 2 * self.teeth - self.lower


def straightened(picture: NDArray[np.uint8], mesh: Array, unit: float) -> tuple[Array, Array]:
    """The opening between the lips of a mesh [478, 3] in pixels, laid straight.

    Returns
    -------
    float32 [DOWN, ACROSS, 3] colours, from the upper to the lower lip, and [ACROSS] how many pixels high it is there.
    """
    upper, lower = mesh[UPPER_INNER_LIP, :2], mesh[LOWER_INNER_LIP, :2]
    at = np.linspace(CORNERS, 1 - CORNERS, ACROSS, dtype=np.float32) * (len(upper) - 1)
    known = np.arange(len(upper))
    above, below = (np.stack([np.interp(at, known, line[:, k]) for k in (0, 1)], 1) for line in (upper, lower))
    gap = np.linalg.norm(below - above, axis=1)
    margin = np.minimum(MARGIN * unit / np.maximum(gap, 1e-6), 0.5)
    down = margin + (np.arange(DOWN)[:, None] + 0.5) / DOWN * (1 - 2 * margin)
    places = (above + down[..., None] * (below - above)).astype(np.float32)
    colours = cv2.remap(picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return colours.astype(np.float32), np.maximum(gap - 2 * MARGIN * unit, 0).astype(np.float32)


def skin(picture: NDArray[np.uint8], mesh: Array) -> Array:
    """Median colour float32 [3] of the face below the eyes, without the mouth."""
    points = np.round(mesh[:, :2]).astype(np.int32)
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [points[OVAL]], 1)
    for hidden in (OUTER_LIP, EYE_LEFT, EYE_RIGHT):
        cv2.fillPoly(mask, [points[hidden]], 0)
    mask[: max(0, int(points[EYE_LEFT + EYE_RIGHT, 1].max()))] = 0
    shown = picture[mask > 0]
    return np.maximum(np.median(shown, 0), 1).astype(np.float32) if len(shown) else np.full(3, 128, np.float32)


def tooth(colours: Array, beside: Array) -> NDArray[np.bool_]:
    """Which colours [..., 3] are teeth beside skin [3].

    A tooth is bright in its least channel, where lips and tongue are dark, and no redder than skin. What is asked of
    the least channel falls with the skin's own, as red light leaves teeth little of it.
    """
    least, most = colours.min(-1), np.maximum(colours.max(-1), 1)
    white = float(beside.min() / beside.max())
    level = TOOTH * float(beside @ LUMA) * min(1.0, white / 0.62)
    return np.asarray((least > level) & (least / most > min(white + PALE * (1 - white), GREY)), np.bool_)


def look(picture: NDArray[np.uint8], mesh: Array, unit: float) -> SeenInside:
    """What is seen in one open mouth; unit: outer eye distance in pixels."""
    colours, height = straightened(picture, mesh, unit)
    beside = skin(picture, mesh)
    luma = colours @ LUMA / float(beside @ LUMA)
    weight = np.broadcast_to(height + 1e-6, luma.shape)
    weight = weight / weight.sum()
    teeth = tooth(colours, beside) * weight
    middle = float((luma * weight).sum())
    order = np.argsort(luma, axis=None)
    light = luma.ravel()[order][np.searchsorted(np.cumsum(weight.ravel()[order]), 0.95)]
    contrast = float(np.sqrt((np.square(luma - middle) * weight).sum()))
    return SeenInside(contrast, float(light), float(teeth.sum()), 2 * float(teeth[DOWN // 2 :].sum()))
