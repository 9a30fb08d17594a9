"""A smile's own teeth: what a portrait shows between its lips, laid on the arch of the upper row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.face.landmarks import Pose, to_pixels

from .meshwarp import LOWER_INNER_LIP, UPPER_INNER_LIP

if TYPE_CHECKING:
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
    """Half width of the front teeth whose edge is looked for."""

    seen: float = 0.5
    """Part of the front teeth's width that has to be tooth for a height to belong to them."""

    rim: float = 0.02
    """Width of the rim of an opening that lips shade and colour; it is left out, softly."""

    shaded: float = 0.85
    """How light a row is drawn in the usual shade of lips: the portrait's own teeth have been shaded once already."""

    shortest: float = 0.04
    """Least height of the front teeth that tells how long they are."""


SMILE = Smile()


def own_teeth(
    crop: NDArray[np.uint8], mesh: Array, pose: Pose, place: Array, row: Row, unit: float, white: Array
) -> tuple[Row, float] | None:
    """The upper row as the portrait shows it, and where its edge is; None where hardly any teeth are seen.

    Parameters
    ----------
    crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels; pose : of the portrait
    place : float32 [3], where the front teeth's middle meets the line of closed lips, in normalised space
    row : the head model's upper row, `unit` pixels to an outer eye distance: it stays where lips hide the person's own
    white : float32 [3], colour of a white thing in the portrait's light
    """
    opening = np.zeros(crop.shape[:2], np.uint8)
    outline = np.round(mesh[UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1], :2] * 16).astype(np.int32)
    cv2.fillPoly(opening, [outline], 255, cv2.LINE_AA, 4)
    if (opening > 0).sum() < 40:
        return None
    picture = crop.astype(np.float32)
    lightest = picture.min(-1)
    bright = (opening > 127) & (lightest >= np.percentile(lightest[opening > 127], 75))
    teeth = picture[bright].mean(0)
    if (teeth < SMILE.light * white).any():
        return None
    tooth = smoothstep32((picture / np.maximum(teeth, 1)).min(-1), *SMILE.white)
    inner = cv2.GaussianBlur(opening.astype(np.float32) / 255, (0, 0), max(0.5 * SMILE.rim * pose.scale, 0.5))
    layers = np.dstack([picture, tooth * (opening > 127), smoothstep32(inner, 0.6, 0.95)])

    edge = _edge(layers, pose, place, row, unit)
    if edge is None:
        return None
    seen = _laid(layers, pose, place + np.array([0, edge, 0], np.float32), row, unit)
    # What stands above a tooth is tooth or gum, whatever its colour.
    solid = np.maximum.accumulate(seen[::-1, :, 3], axis=0)[::-1]
    share = (solid * seen[..., 4])[..., None]
    own = np.clip(seen[..., :3] * (235 / SMILE.shaded / np.maximum(white, 1)), 0, 255)
    colour = row.colour * (1 - share) + np.dstack([own, np.ones_like(solid)]) * share
    return replace(row, colour=np.asarray(colour, np.float32)), float(np.clip(edge, *SMILE.shown))


def _edge(layers: Array, pose: Pose, place: Array, row: Row, unit: float) -> float | None:
    """How far the front teeth's edge lies below `place`, in outer eye distances."""
    laid = _laid(layers, pose, place, row, unit, round(SMILE.lowest * unit))
    across = (np.arange(laid.shape[1]) - row.edge[0]) / unit
    front = laid[:, np.abs(across) < SMILE.incisors, 3].mean(1) > SMILE.seen
    down = (np.arange(len(front)) - row.edge[1]) / unit
    heights = down[front]
    if not len(heights) or np.ptp(heights) < SMILE.shortest or not 0 < heights.max() < SMILE.lowest:
        return None
    return float(heights.max())


def _laid(layers: Array, pose: Pose, edge: Array, row: Row, unit: float, more: int = 0) -> Array:
    """Layers [S, S, C] of the portrait where the pixels of a row lie whose middle is at `edge`: [h + more, w, C]."""
    height, width = row.colour.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height + more, dtype=np.float32))
    across, down = (x - row.edge[0]) / unit, (y - row.edge[1]) / unit
    points = edge + np.dstack([across, down, row.curve * across * across])
    pixels = to_pixels(points.reshape(-1, 3), pose)[:, :2].reshape(*x.shape, 2).astype(np.float32)
    laid = cv2.remap(layers, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(laid, np.float32)
