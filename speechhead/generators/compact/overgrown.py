"""Lips under hair: how surely a moustache or a beard hides where a mouth opens, and what such a mouth does.

Nothing tells where lips are that are not seen. The mesh guesses, mostly too high; a mouth that opens there with its
teeth is a hole in the hair. So one that is surely overgrown parts little, its upper lip's hair hanging over it, shows
only shade, and the jaw moves as it does for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep
from speechhead.face.landmarks import Pose, from_mesh, mouth_opening, to_normalised, to_pixels

from .meshwarp import OUTER_LIP
from .mouth_light import CHEEKS, LUMA, OVER_LIP, MouthLight
from .row import Row

Range = tuple[float, float]
"""From where on something tells of hair, and from where it is sure."""


@dataclass(frozen=True)
class Overgrown:
    """What tells hair over lips, all of it at once. Measured on portraits with and without
    (docs/decisions/0042-lips-under-hair.md)."""

    unit: float = 110.0
    """Pixels of an outer eye distance at which is looked: strands of hair are some pixels wide."""

    reach: float = 1.3
    """How far around the mouth is looked, outer eye distances."""

    soft: float = 0.9
    """Sigma of the blur, pixels: grain and dots of a print are finer."""

    dark: float = 12.0
    """Levels that are added to a luma where edges are measured in parts of it."""

    texture: tuple[float, float] = (1.0, 0.3)
    """Edges from side to side over the lip beside the cheeks' (logarithm), of doubtful hair, and how much more make it
    the surer by one: strands hang."""

    upright: tuple[float, float] = (-0.95, 0.25)
    """The same of edges from side to side beside those up and down on the lips: lips lie, and so does their line."""

    strands: Range = (2.2, 2.9)
    """Sum of what both tell."""

    strong: Range = (0.01, 0.016)
    """Edges over the lip, parts of the luma a pixel: skin has none of these."""

    narrow: Range = (0.5, 0.46)
    """Breadth of the inner lips, outer eye distances: of lips that it does not see, the mesh guesses small ones."""

    open: Range = (0.05, 0.035)
    """Opening of the inner lips, outer eye distances: who shows teeth shows lips."""

    red: Range = (0.1, 0.05)
    """How much redder lips are than cheeks, red less green over the sum of the channels: red lips are seen."""


OVERGROWN = Overgrown()


@dataclass(frozen=True)
class Hair:
    """What is seen between lips under hair; chosen by eye."""

    area: tuple[float, float] = (0.2, 0.12)
    """Half width and height of the place whose hair tells of its shade, outer eye distances."""

    darkest: float = 15.0
    """Percentile of the luma of that place which stands for the shade in the hair."""

    shade: float = 0.6
    """How light it is between the lips beside that shade."""

    soft: float = 0.012
    """Sigma of the edge of what is between the lips, outer eye distances: hair has none."""

    tongue: float = -5.0
    """Logarithm of the light on the tongue: it is not seen."""


HAIR = Hair()


def overgrown(picture: NDArray[np.uint8], mesh: Array, pose: Pose) -> float:
    """How surely hair hides the lips, 0 to 1.

    Parameters
    ----------
    picture : uint8 [H, W, 3]; mesh : float32 [478, 3] in its pixels; pose : of the face
    """
    face = from_mesh(to_normalised(mesh, pose))
    broad = float(np.linalg.norm(face[64] - face[60]))
    sure = smoothstep(broad, *OVERGROWN.narrow)
    sure *= smoothstep(float(mouth_opening(face)), *OVERGROWN.open)
    if sure <= 0:
        return 0.0
    near, points = _upright(picture, mesh, pose)
    over, lips, cheeks = (
        _within(near, [points[part] for part in parts]) for parts in ([OVER_LIP], [OUTER_LIP], CHEEKS)
    )
    if min(over.sum(), lips.sum(), cheeks.sum()) < 16:
        return 0.0
    luma = cv2.GaussianBlur(near @ LUMA, (0, 0), OVERGROWN.soft)
    aside, down = (
        np.abs(cv2.Sobel(luma, cv2.CV_32F, x, 1 - x)) / (8 * (luma + OVERGROWN.dark)) + np.float32(1e-4) for x in (1, 0)
    )
    told = (
        (float(np.log(aside[over].mean() / aside[cheeks].mean())), OVERGROWN.texture),
        (float(np.log(aside[lips].mean() / down[lips].mean())), OVERGROWN.upright),
    )
    strands = sum((found - doubtful) / step for found, (doubtful, step) in told)
    sure *= smoothstep(strands, *OVERGROWN.strands) * smoothstep(float(aside[over].mean()), *OVERGROWN.strong)
    redder = _red(near[lips]) - _red(near[cheeks])
    return sure * smoothstep(redder, *OVERGROWN.red)


def _upright(picture: NDArray[np.uint8], mesh: Array, pose: Pose) -> tuple[Array, Array]:
    """The surroundings of the mouth, float32 [n, n, 3], upright and `OVERGROWN.unit` pixels to an outer eye distance;
    and the mesh [478, 2] in them."""
    side = round(2 * OVERGROWN.reach * OVERGROWN.unit)
    factor = OVERGROWN.unit / pose.scale
    across = pose.rotation[:2, 0] / max(float(np.linalg.norm(pose.rotation[:2, 0])), 1e-6)
    turn = factor * np.array([[across[0], across[1]], [-across[1], across[0]]])
    middle = mesh[OUTER_LIP, :2].mean(0, np.float64)
    matrix = np.column_stack([turn, side / 2 - turn @ middle])
    reach = 1.5 * OVERGROWN.reach * pose.scale
    x0, y0 = np.maximum(middle - reach, 0).astype(int)
    x1, y1 = np.maximum(np.minimum(middle + reach, picture.shape[1::-1]).astype(int), (x0 + 2, y0 + 2))
    part = np.ascontiguousarray(picture[y0:y1, x0:x1]).astype(np.float32)
    if factor < 1:
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), 0.4 / factor), np.float32)
    placed = np.column_stack([turn, matrix[:, 2] + turn @ (x0, y0)])
    near = cv2.warpAffine(part, placed, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    points = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(near, np.float32), np.asarray(points, np.float32)


def _within(picture: Array, outlines: list[Array]) -> NDArray[np.bool_]:
    """Pixels [h, w] within outlines [n, 2] each."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32) for outline in outlines], 1)
    return mask > 0


def _red(colours: Array) -> float:
    """How red colours [n, 3] are in the middle: red less green over the sum of the channels."""
    return float(np.median((colours[:, 0] - colours[:, 1]) / (colours.sum(1) + 20)))


def shade(crop: NDArray[np.uint8], seam: Array, pose: Pose) -> Array:
    """Colour float32 [3] of the dark in the hair around lips whose middle is at `seam` [3] in normalised space."""
    across, down = (np.linspace(-reach, reach, 32, dtype=np.float32) for reach in HAIR.area)
    places = seam + np.stack(np.broadcast_arrays(across, down[:, None], np.float32(0)), -1)
    at = np.asarray(to_pixels(places.reshape(-1, 3), pose)[:, :2], np.float32)
    hair = cv2.remap(crop, at[None, :, 0], at[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    colours = hair.astype(np.float32)
    luma = colours @ LUMA
    return np.asarray(HAIR.shade * colours[luma <= np.percentile(luma, HAIR.darkest)].mean(0), np.float32)


def veiled(light: MouthLight, dark: Array, deep: Array, share: float) -> MouthLight:
    """A mouth's light whose back is as dark as the hair around it, as far as hair hides the lips, 0 to 1.

    dark : float32 [3], of `shade`; deep : float32 [3], colour of the back of a mouth beside its skin's
    """
    skin = light.skin + np.float32(share) * (dark / deep - light.skin)
    return replace(light, skin=np.asarray(skin, np.float32))


def thinned(row: Row, share: float) -> Row:
    """A row of teeth as far as hair does not hide it; share: 0 to 1."""
    return replace(row, colour=np.asarray(row.colour * np.float32(1 - share), np.float32))
