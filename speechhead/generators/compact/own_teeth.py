"""A smile's own teeth: their colour and how far down they reach, lent to the head model's rows.

The teeth themselves are not taken over: a smile seldom shows a whole row sharply, and a row in parts the portrait's and
in parts the model's has dots, notches and double edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.face.landmarks import Pose, to_pixels

from .meshwarp import LOWER_INNER_LIP, UPPER_INNER_LIP
from .row import Row


@dataclass(frozen=True)
class Smile:
    """What of a smile is taken for its teeth. Lengths in outer eye distances; chosen by eye."""

    white: tuple[float, float] = (0.45, 0.70)
    """Least channel of a pixel beside that of the brightest teeth: below the first it is lip, tongue or dark, above the
    second it is tooth. Red things are bright in one channel only."""

    lowest: float = 0.12
    """How far below the line of closed lips a row's edge is looked for: then come lower teeth."""

    shown: tuple[float, float] = (0.02, 0.05)
    """Bounds of where the edge is put: the line is guessed, and a smile draws it up."""

    light: float = 0.55
    """The least that teeth have of what a white thing would have in the portrait's light, in every channel."""

    incisors: float = 0.07
    """Half width of the front teeth."""

    seen: float = 0.5
    """Part of the front teeth's width that has to be tooth for a height to belong to them."""

    shaded: float = 0.97
    """How light a row is drawn in the usual shade of lips."""

    lit: float = 0.9
    """How light teeth are in speech beside those of a smile, which stand in front of the lips' shade."""

    gain: tuple[float, float] = (0.7, 1.6)
    """Bounds of how much lighter than the head model's a portrait's teeth may be."""

    shortest: float = 0.04
    """Least height of the front teeth that tells how long they are."""


SMILE = Smile()


def own_teeth(
    crop: NDArray[np.uint8], mesh: Array, pose: Pose, place: Array, row: Row, unit: float, white: Array
) -> tuple[Array, float | None] | None:
    """Gain [3] by which rows are as light as the portrait's teeth, and where the upper row's edge is, if it is seen;
    None where hardly any teeth are seen.

    Parameters
    ----------
    crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels; pose : of the portrait
    place : float32 [3], where the front teeth's middle meets the line of closed lips, in normalised space
    row : the head model's upper row, `unit` pixels to an outer eye distance
    white : float32 [3], colour of a white thing in the portrait's light
    """
    opening = np.zeros(crop.shape[:2], np.uint8)
    outline = np.round(mesh[UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1], :2] * 16).astype(np.int32)
    cv2.fillPoly(opening, [outline], 255, cv2.LINE_AA, 4)
    if (opening > 127).sum() < 40:
        return None
    picture = crop.astype(np.float32)
    lightest = picture.min(-1)
    bright = (opening > 127) & (lightest >= np.percentile(lightest[opening > 127], 75))
    teeth = picture[bright].mean(0)
    if (teeth < SMILE.light * white).any():
        return None
    drawn = front(row, unit) * SMILE.shaded * white / 235
    gain = np.clip(SMILE.lit * teeth / np.maximum(drawn, 1), *SMILE.gain).astype(np.float32)
    tooth = smoothstep32((picture / np.maximum(teeth, 1)).min(-1), *SMILE.white) * (opening > 127)
    return gain, _edge(tooth, pose, place, row, unit)


def front(row: Row, unit: float) -> Array:
    """Mean colour float32 [3] of a row's front teeth, in 0..255."""
    across = np.abs(np.arange(row.colour.shape[1]) - row.edge[0]) / unit < SMILE.incisors
    teeth = row.colour[max(0, round(row.edge[1] - SMILE.incisors * unit)) : max(1, round(row.edge[1])), across]
    return np.asarray(teeth[..., :3].sum((0, 1)) / max(float(teeth[..., 3].sum()), 1e-6), np.float32)


def _edge(tooth: Array, pose: Pose, place: Array, row: Row, unit: float) -> float | None:
    """How far the front teeth's edge lies below `place`, in outer eye distances; tooth: float32 [S, S] in 0..1."""
    reach = np.arange(-round(SMILE.incisors * unit), round(SMILE.incisors * unit) + 1, dtype=np.float32) / unit
    down = np.arange(-round(row.edge[1]), round(SMILE.lowest * unit) + 1, dtype=np.float32) / unit
    points = place + np.stack(np.broadcast_arrays(reach, down[:, None], row.curve * reach * reach), -1)
    pixels = to_pixels(points.reshape(-1, 3), pose)[:, :2].reshape(len(down), len(reach), 2)
    laid = cv2.remap(tooth, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    heights = down[laid.mean(1) > SMILE.seen]
    if not len(heights) or np.ptp(heights) < SMILE.shortest or not 0 < heights.max() < SMILE.lowest:
        return None
    return min(max(float(heights.max()), SMILE.shown[0]), SMILE.shown[1])
