"""A smile's corners: the dark line that goes on beside an open mouth, and stays behind when the mouth narrows.

Trackers end a mouth where its lips meet. Beside an open smile a crease goes on from there, which belongs to the smile:
on the skin of a mouth that speaks it is a slit.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep, smoothstep32
from speechhead.motion.rest import rest_face

from .fill import push_pull
from .latents import mouth_width
from .meshwarp import LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP
from .mouth_light import LUMA

ENDS = (61, 291)
"""Vertices of the mesh at the corners of the mouth."""


@dataclass(frozen=True)
class CornerShape:
    """Where creases are looked for and what is one; lengths in outer eye distances."""

    inner: float = 0.07
    """How far within the mouth's end they begin."""

    outer: float = 0.2
    """How far beyond it they go."""

    high: float = 0.09
    """How far above and below the line through both ends."""

    narrow: float = 0.08
    """What is broader is no crease."""

    dark: tuple[float, float] = (0.03, 0.08)
    """By how much a pixel is darker than what lies around it, as parts of the skin's light, from which it begins to be
    taken out, and from which all of it is."""

    wedge: float = 0.06
    """How far within the mouth's end the dark between the lips may be taken for lip: there the opening of the mesh is
    shorter than the mouth's."""

    deepest: tuple[float, float] = (0.4, 0.6)
    """As `dark`, of what is among the lips: they are darker than skin."""

    smiling: tuple[float, float] = (1.08, 1.2)
    """Width of the mouth over that at rest from which it smiles, and from which it surely does: one that talks has such
    corners of its own (1.08 at most in 13 clips; smiles have 1.12 to 1.33)."""

    deep: float = 0.15
    """By how much strands of hair are darker than what lies around them."""

    hair: tuple[float, float] = (0.13, 0.18)
    """Part of what lies above and below that is as dark, from which there is a moustache, and from which nothing is
    taken out (0.11 at most of eight shaven smiles but one, 0.18 and 0.19 of a grey moustache)."""

    wide: float = 0.012
    """How far around a crease is taken out with it."""


CORNERS = CornerShape()


def smiling(landmarks: Array, parted: float) -> float:
    """How surely landmarks [70, 3] in normalised space smile with open lips, 0..1; parted : of `Plate`."""
    width = float(mouth_width(landmarks)) / float(mouth_width(rest_face(landmarks)))
    return parted * float(smoothstep32(width, *CORNERS.smiling))


def without_creases(crop: NDArray[np.uint8], mesh: Array, unit: float, share: float) -> NDArray[np.uint8]:
    """The portrait with skin where creases go on beside the mouth.

    Parameters
    ----------
    crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels; unit : pixels of an outer eye distance
    share : of them that is taken out, see `smiling`
    """
    if share <= 0:
        return crop
    reach = np.ceil((CORNERS.outer + CORNERS.narrow) * unit)
    out, ends = crop, mesh[list(ENDS), :2]
    for end, other in (ends, ends[::-1]):
        low = np.maximum(np.floor(end - reach), 0).astype(int)
        high = np.minimum(np.ceil(end + reach) + 1, crop.shape[1::-1]).astype(int)
        if (high - low).min() < 8:
            continue
        region = np.s_[low[1] : high[1], low[0] : high[0]]
        part = _filled(crop[region].astype(np.float32), mesh[:, :2] - low, end - low, other - low, unit, share)
        if part is not None:
            out = out.copy() if out is crop else out
            out[region] = part
    return out


def _filled(
    picture: Array, points: Array, end: Array, other: Array, unit: float, share: float
) -> NDArray[np.uint8] | None:
    """A region [h, w, 3] around one end of the mouth without its creases, None where there are none."""
    luma, sides = picture @ LUMA, picture.shape[:2]
    lips = cv2.fillPoly(np.zeros(sides, np.uint8), [np.round(points[OUTER_LIP]).astype(np.int32)], 1)
    across = (end - other) / max(float(np.linalg.norm(end - other)), 1e-6)
    away = np.stack(np.meshgrid(np.arange(sides[1]), np.arange(sides[0])), -1).astype(np.float32) - end
    along, beside = away @ across / unit, np.abs(away @ np.array([-across[1], across[0]])) / unit
    near = (along > -CORNERS.inner) & (along < CORNERS.outer) & (beside < CORNERS.high) & (lips == 0)
    opening = np.round(points[UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]]).astype(np.int32)
    among = cv2.fillPoly(lips.copy(), [opening], 0) * (along > -CORNERS.wedge)
    skin = luma[(lips == 0) & (along > 0)]
    if not near.any() or len(skin) < 8:
        return None
    side = 2 * max(1, round(CORNERS.narrow * unit / 2)) + 1
    closed = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    darker = (closed - luma) / max(float(np.median(skin)), 1.0)
    around = (along > -CORNERS.inner) & (along < CORNERS.outer) & (beside > 0.5 * CORNERS.high) & (lips == 0)
    hair = float((darker[around & (beside < 2 * CORNERS.high)] > CORNERS.deep).mean()) if around.any() else 0.0
    crease = smoothstep32(darker, *CORNERS.dark) * near
    inner = smoothstep32(darker, *CORNERS.deepest) * among
    crease, inner = (part * np.float32(1 - smoothstep(hair, *CORNERS.hair)) for part in (crease, inner))
    grown = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(CORNERS.wide * unit)) + 1,) * 2)
    soft = 0.5 * CORNERS.wide * unit + 0.3
    both = (np.asarray(cv2.dilate(part, grown), np.float32) for part in (crease, inner))
    parts = [share * cv2.GaussianBlur(part, (0, 0), soft) for part in both]
    taken = np.maximum(*parts)
    if taken.max() < 0.05:
        return None
    # Beside the mouth there is skin; between its lips, where they meet, both.
    mouth = cv2.fillPoly(np.zeros(sides, np.uint8), [opening], 1)
    for part, kept in zip(parts, (lips, mouth)):
        known = np.asarray((taken < 0.05) & (cv2.dilate(kept, grown) == 0), np.float32)
        picture = picture + np.float32(part)[..., None] * (push_pull(picture, known) - picture)
    return np.asarray(np.clip(np.round(picture), 0, 255), np.uint8)
