"""Clean plates of a mouth: each lip as a picture of its own, with nothing white behind its edge.

A portrait is one texture, which holds the lips and what lies behind them. A warp that shuts open lips reads the teeth
along the seam. So what is seen between the lips is taken out once, when a portrait is prepared: the upper lip goes on
below its edge, and the lower lip above its own, in their own colours and into the dark.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.face.landmarks import Pose

from .fill import push_pull
from .matte import DENSE
from .meshwarp import LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP

UPPER_OUTER_LIP = OUTER_LIP[:11]
LOWER_OUTER_LIP = [OUTER_LIP[0], *OUTER_LIP[:9:-1]]
"""Outer contours from left to right, like the inner ones."""

PARTED = (0.012, 0.035)
"""Largest gap between the inner lips of a portrait, outer eye distances, below which its lips are shut and stay as they
are, and above which all that is between them is taken out."""

EDGE, RIM = 0.005, 0.016
"""Widths of the rim of an opening: all of the first is taken out with it; of the second what gleams as teeth do, which
is their light and error of the mesh. What is lip stays: an upper lip is often thinner than the second."""

WHITES, WIDE = (80, 95), (0.2, 0.3)
"""Percentile of the opening's least channel that stands for teeth, where it is as narrow as a smile and where it is so
high that most of it is tongue and dark; and those heights, outer eye distances."""

GLEAM = (0.1, 0.35)
"""Least channel of a pixel of the rim, from that of its lip, 0, to that of the teeth, 1, from which it begins to be
taken out, and from which all of it is."""

TOOTH = 0.05
"""How far from the opening tooth-coloured pixels are looked for, where the mesh has missed the lip's edge."""

LIT = 80
"""Percentile of a lip's least channel that stands for its lit parts: they are no teeth."""

GLOSS = 1.5
"""How much lighter than the middling parts of a lip teeth are, if its lit parts may be teeth, or the light on its wet
edge: where those are as light as teeth, it is the middling ones that are no teeth, and all that is as red as a lip."""

PALE = (0.8, 0.9)
"""Least channel over its largest, beside that of teeth, up to which it is red, and from which it is pale."""

LIKE_TEETH = 0.4
"""Least channel of a pixel, from that of a lip, 0, to that of the teeth, 1, from which it is no lip."""

OVER = 0.012
"""How far over the line of closed lips each plate knows the portrait, so that the line is in both."""

ROLL, BEFORE, SHADE = 0.06, 0.03, 0.25
"""Lips roll in: so far behind their edges, in outer eye distances, their colour falls to that of the line between; it
begins to as far before them as the second, and has done the third part of it at the edge."""

SKIN = 0.1
"""How much skin counts beside lips where a lip is filled in: not for its colour, but it tells of the light."""

RED, FAINT = (0.002, 0.014), 0.01
"""How far within its outer edge, in outer eye distances, a lip begins to count where it is filled in, and counts fully;
and how much it counts before."""

SOFT = 0.007
"""Sigma of the edge of what is taken out, outer eye distances."""

LIKE_DARK = 0.5
"""Luma of the dark beside the teeth, as a part of the lips', below which a pixel is no lip."""

LINE, DEEPER = 0.6, 1.6
"""The line between lips is lit by them: their colour to the power of the second, times the first, in 0..1."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Plate:
    """The lips of one portrait.

    upper, lower: uint8 [D h, D w, 3], `density` samples per pixel each way; origin: crop pixel (x, y) of sample 0;
    line: float32 [3], colour of the line between the lips; parted: 0 where the portrait has such a line of its own, 1
    where its lips are open
    """

    upper: NDArray[np.uint8]
    lower: NDArray[np.uint8]
    origin: tuple[int, int]
    density: int
    line: Array
    parted: float


def clean_plate(crop: NDArray[np.uint8], mesh: Array, pose: Pose, box: tuple[int, int, int, int]) -> Plate:
    """Both lips of a portrait without what is between them.

    Parameters
    ----------
    crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels; pose : of the portrait
    box : x0, y0, x1, y1 in crop pixels, what the plates show
    """
    x0, y0, x1, y1 = box
    unit = float(pose.scale)
    picture = np.ascontiguousarray(crop[y0:y1, x0:x1]).astype(np.float32)
    points = mesh[:, :2] - np.array([x0 + 0.5, y0 + 0.5], np.float32)
    parted = how_parted(mesh, unit)
    halves = [
        filled(picture.shape[:2], points[inner + outer[::-1]])
        for inner, outer in ((UPPER_INNER_LIP, UPPER_OUTER_LIP), (LOWER_INNER_LIP, LOWER_OUTER_LIP))
    ]
    opening = filled(picture.shape[:2], points[UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]])
    hole = behind(picture, opening, halves, unit, parted)
    lips = (np.maximum(*halves) > 0.5) & (hole < 0.1)
    colour = np.median(picture[lips], 0) if lips.sum() > 8 else picture.reshape(-1, 3).mean(0)
    plates = []
    for own, other in (halves, halves[::-1]):
        whole = cv2.morphologyEx(np.maximum(opening, other), cv2.MORPH_CLOSE, disc(1))
        far = np.asarray(cv2.erode(whole, disc((1 - parted) * OVER * unit)), np.float32)
        plates.append(dense(rolled(picture, hole, own, far, unit), crop.shape[0]))
    density = plates[0].shape[0] // picture.shape[0]
    return Plate(plates[0], plates[1], (x0, y0), density, line_of(colour), parted)


def how_parted(mesh: Array, unit: float) -> float:
    """How surely the lips of a mesh [478, 3] in pixels are open, 0..1; unit : pixels of an outer eye distance."""
    gaps = np.linalg.norm(mesh[LOWER_INNER_LIP, :2] - mesh[UPPER_INNER_LIP, :2], axis=1)
    return float(smoothstep32(float(gaps.max()) / unit, *PARTED))


def line_of(colour: Array) -> Array:
    """Colour of the dark line beside lips of a colour [..., 3] in 0..255."""
    return np.asarray(255 * LINE * (np.maximum(colour, 0) / 255) ** DEEPER, np.float32)


def filled(shape: tuple[int, ...], outline: Array) -> Array:
    """float32 [h, w] in 0..1: 1 within an outline [n, 2] in pixels."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / np.float32(255)


def disc(radius: float) -> NDArray[np.uint8]:
    """A round structuring element."""
    side = 2 * max(0, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def behind(picture: Array, opening: Array, halves: list[Array], unit: float, parted: float) -> Array:
    """Weight [h, w] of what is no lip: the opening, the light and the dark on its rim, and teeth that are joined to it.

    Parameters
    ----------
    picture : float32 [h, w, 3]; opening : float32 [h, w]; halves : of the upper and lower lip, float32 [h, w] each
    unit : pixels of an outer eye distance; parted : of `Plate`
    """
    if parted <= 0:
        return np.zeros_like(opening)
    taken = np.asarray(cv2.dilate(opening, disc(EDGE * unit)), np.float32)
    inside = opening > 0.5
    if inside.sum() > 8:
        least, luma = picture.min(-1), picture @ LUMA
        near = [cv2.dilate(opening, disc(reach * unit)) for reach in (RIM, TOOTH, 1.5 * RIM)]
        wide = float(smoothstep32(float(opening.sum(0).max()) / unit, *WIDE))
        whites = float(np.percentile(least[inside], WHITES[0] + wide * (WHITES[1] - WHITES[0])))
        like, rim = np.zeros(opening.shape, bool), np.zeros_like(opening)
        for own in halves:
            away = (own > 0.5) & (near[0] < 0.1)  # each lip has its own light
            lit, dull = (least[away], luma[away]) if away.sum() > 8 else (least, luma)
            brightest, tooth = float(np.percentile(lit, LIT)), whites
            found = (luma < LIKE_DARK * float(np.median(dull))) & (near[2] > 0.5)
            middling, pale = float(np.median(lit)), np.ones_like(least)
            if tooth <= 1.15 * brightest + 5 and tooth > GLOSS * middling:
                brightest, pale = middling, paleness(picture, inside & (least >= tooth))
            if tooth > 1.15 * brightest + 5:
                white = pale * (least - brightest) / (tooth - brightest)
                found |= white > LIKE_TEETH
                rim = np.maximum(rim, near[0] * own * smoothstep32(white, *GLEAM))
            like |= found & (own > 0.5)
        like &= near[1] > 0.5
        _, parts = cv2.connectedComponents((like | inside).astype(np.uint8))
        joined = np.isin(parts, np.unique(parts[inside])) & like
        taken = np.maximum(np.maximum(taken, rim), cv2.dilate(joined.astype(np.float32), disc(0.5 * RIM * unit)))
    return np.asarray(parted * cv2.GaussianBlur(taken, (0, 0), max(0.5, SOFT * unit)), np.float32)


def paleness(picture: Array, teeth: NDArray[np.bool_]) -> Array:
    """How white pixels of a picture [h, w, 3] are, float32 [h, w] in 0..1, beside those of its teeth, bool [h, w]."""
    share = picture.min(-1) / np.maximum(picture.max(-1), 1)
    return smoothstep32(share / max(float(np.median(share[teeth])), 1e-3), *PALE)


def rolled(picture: Array, hole: Array, own: Array, far: Array, unit: float) -> Array:
    """One lip's plate: `picture` [h, w, 3] with the lip's colour where it does not show it, darker the further behind.

    Parameters
    ----------
    hole, own, far : float32 [h, w], weights of what is no lip, of this lip, and of what lies behind its edge
    unit : pixels of an outer eye distance
    """
    hidden = np.maximum(hole, far)
    around = np.asarray(SKIN * (1 - hidden) * (own < 0.01), np.float32)
    whole = (np.maximum(own, hidden) > 0.5).astype(np.uint8)  # skin shines in at a lip's outer edge alone
    within = cv2.distanceTransform(whole, cv2.DIST_L2, 3) / np.float32(unit)
    inner = FAINT + (1 - FAINT) * smoothstep32(within, *RED)
    lip = np.asarray(inner * (own > 0.5) * np.maximum(1 - 2 * hidden, 0), np.float32)
    if lip.sum() < 8:
        lip = around
    full = push_pull(picture, lip)
    light = push_pull(picture, np.maximum(around, lip)) @ LUMA
    full *= np.sqrt(light / np.maximum(full @ LUMA, 1))[..., None]
    inside, outside = (cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 3) for part in (far > 0.5, far <= 0.5))
    shade = SHADE * smoothstep32(-outside / unit, -BEFORE, 0) + (1 - SHADE) * smoothstep32(inside / unit, 0, ROLL)
    full += shade[..., None] * (line_of(full) - full)
    return np.asarray(picture + hidden[..., None] * (full - picture), np.float32)


def dense(picture: Array, size: int) -> NDArray[np.uint8]:
    """The picture at the density of samples that `Layers` has for crops of `size`, uint8."""
    if size <= DENSE.largest:
        height, width = picture.shape[:2]
        between = np.array([[1 / DENSE.density, 0, 0], [0, 1 / DENSE.density, 0]], np.float32)
        how = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        sides = (DENSE.density * width, DENSE.density * height)
        fine = cv2.warpAffine(picture, between, sides, flags=how, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        fine += DENSE.crisp * (fine - cv2.GaussianBlur(fine, (0, 0), DENSE.density / 2))
        fine[:: DENSE.density, :: DENSE.density] = picture
        picture = fine
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)
