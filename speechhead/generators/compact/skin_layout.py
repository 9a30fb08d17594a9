"""A face's skin in a fixed layout, whoever it is and whatever it does: the mesh spread out as the mean face has it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.face.landmarks import MESH_REFERENCE, TRIANGLES

from .meshwarp import EYE_LEFT, EYE_RIGHT, OUTER_LIP, OVAL

SIDE = 96
"""Side of the layout."""

FINEST = 64.0
"""Pixels to an outer eye distance at which a picture is read, at most: somewhat more than the layout has."""

DIMPLE = 6.0
"""Samples around the mouth's corners in which skin is taken for such up to the lips: a smile's dimples lie there."""

DIM = 8.0
"""Grey levels added to luma before its logarithm is taken, so that noise in the dark counts little."""

SIGMAS = (0.8, 1.6, 3.2, 6.4, 12.8)
"""Of the blurs between which the bands lie, samples of the layout."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class SkinLayout:
    """corners: int [N, N, 3], vertices of the triangle at each sample; shares: float32 [N, N, 3] of them there;
    places: float32 [478, 2] of the vertices in samples; skin: float32 [N, N], 1 on skin that is neither lips nor eyes;
    reach: float32 [N, N] in 0..1, where a smile may be taken out: not at the lids, the lips, the forehead or the edge.
    """

    corners: NDArray[np.int64]
    shares: Array
    places: Array
    skin: Array
    reach: Array


def _inside(outline: Array) -> NDArray[np.uint8]:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return mask


@lru_cache(maxsize=1)
def skin_layout() -> SkinLayout:
    """The layout, made once."""
    flat = MESH_REFERENCE[:, :2]
    low, high = flat[:468].min(0), flat[:468].max(0)
    half = float((high - low).max()) / 2 + 0.01
    places = (((flat - (low + high) / 2) / half + 1) * (SIDE / 2) - 0.5).astype(np.float32)
    index = np.zeros((SIDE, SIDE), np.int32)
    for number in np.argsort(-MESH_REFERENCE[TRIANGLES][:, :, 2].sum(1), kind="stable").tolist():
        polygon = np.round(places[TRIANGLES[number]] * 16).astype(np.int32)
        cv2.fillConvexPoly(index, polygon, number + 1, cv2.LINE_8, 4)
    corners = TRIANGLES[np.maximum(index - 1, 0)].astype(np.int64)
    first, second, third = (places[corners[..., k]] for k in range(3))
    here = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).astype(np.float32)
    a, b, c = second - first, third - first, here - first
    area = a[..., 0] * b[..., 1] - b[..., 0] * a[..., 1]
    area = np.where(np.abs(area) < 1e-6, 1, area)
    along = (c[..., 0] * b[..., 1] - b[..., 0] * c[..., 1]) / area
    across = (a[..., 0] * c[..., 1] - c[..., 0] * a[..., 1]) / area
    shares = np.clip(np.stack([1 - along - across, along, across], -1), -0.3, 1.3).astype(np.float32)
    holes = [_inside(places[loop]) for loop in (OUTER_LIP, EYE_LEFT, EYE_RIGHT)]
    wide = np.maximum.reduce([cv2.dilate(hole, np.ones((7, 7), np.uint8)) for hole in holes])
    corner = np.linalg.norm(here[:, :, None] - places[[61, 291]], axis=-1).min(-1) < DIMPLE
    wide[corner] = cv2.dilate(holes[0], np.ones((3, 3), np.uint8))[corner]
    skin = (index > 0) & (wide == 0)
    lips, lids, edge = (
        cv2.distanceTransform((1 - mask).astype(np.uint8), cv2.DIST_L2, 5)
        for mask in (holes[0], holes[1] | holes[2], 1 - _inside(places[OVAL]))
    )
    low_enough = smoothstep32(here[..., 1], places[168, 1] - 2, places[168, 1] + 6)
    reach = low_enough * smoothstep32(lips, 0, 3) * smoothstep32(lids, 2, 5) * smoothstep32(edge, 2, 10)
    return SkinLayout(corners, shares, places, skin.astype(np.float32), np.asarray(reach, np.float32))


def unwrapped(picture: NDArray[np.uint8], mesh: Array, unit: float) -> NDArray[np.uint8]:
    """A picture uint8 [H, W, 3] in the layout, uint8 [N, N, 3].

    Parameters
    ----------
    mesh : float32 [478, 2 or 3] in pixels of the picture
    unit : pixels to an outer eye distance
    """
    finer = unit / FINEST
    if finer > 1:
        sides = [max(1, round(side / finer)) for side in picture.shape[1::-1]]
        scale = np.array(sides, np.float32) / np.array(picture.shape[1::-1], np.float32)
        picture = np.asarray(cv2.resize(picture, sides, interpolation=cv2.INTER_AREA), np.uint8)
    else:
        scale = np.ones(2, np.float32)
    layout = skin_layout()
    points = mesh[:, :2] * scale
    where = (points[layout.corners] * layout.shares[..., None]).sum(2).astype(np.float32) - np.float32(0.5)
    x, y = cv2.split(where)
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def laid(field: Array, mesh: Array, side: int) -> Array:
    """A field of the layout [N, N] on a face: float32 [side, side], 0 beside it.

    Parameters
    ----------
    mesh : float32 [478, 3] in pixels of a square crop of 2 * side
    """
    points = mesh[:, :2] / 2 - np.float32(0.5)
    corners, origin = points[TRIANGLES], skin_layout().places[TRIANGLES]
    index = np.zeros((side, side), np.int32)
    fixed = np.round(corners * 16).astype(np.int32)
    for number in np.argsort(-mesh[TRIANGLES][:, :, 2].sum(1), kind="stable").tolist():
        cv2.fillConvexPoly(index, fixed[number], number + 1, cv2.LINE_8, 4)
    edges, axes = (p[:, 1:] - p[:, :1] for p in (corners, origin))  # rows of both are vectors along two edges
    area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    flat = np.abs(area) < 1e-3
    edges[flat] = np.eye(2)
    linear = np.linalg.solve(edges, axes)
    rest = origin[:, 0] - (corners[:, 0, None] @ linear)[:, 0]
    number = np.maximum(index - 1, 0)
    here = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).astype(np.float32)
    where = (here[..., None, :] @ linear[number])[..., 0, :] + rest[number]
    x, y = cv2.split(np.where((index > 0)[..., None], where, -9).astype(np.float32))
    return np.asarray(cv2.remap(field.astype(np.float32), x, y, cv2.INTER_LINEAR, borderValue=0), np.float32)


def spread(field: Array, sigma: float, known: Array) -> Array:
    """A field [N, N] blurred over where it is known [N, N], and carried on from there."""
    weight = cv2.GaussianBlur(known, (0, 0), sigma)
    return np.asarray(cv2.GaussianBlur(field * known, (0, 0), sigma) / np.maximum(weight, 1e-3), np.float32)


def bands(unwrapped_picture: NDArray[np.uint8]) -> Array:
    """Log luma of the skin, fine to coarse: float32 [5, N, N], the last without its mean; 0 off the skin.

    Parameters
    ----------
    unwrapped_picture : uint8 [N, N, 3], of `unwrapped`
    """
    skin = skin_layout().skin
    light = np.log(unwrapped_picture.astype(np.float32) @ LUMA + np.float32(DIM))
    levels = [spread(light, sigma, skin) for sigma in SIGMAS]
    coarse = levels[-1] - levels[-1][skin > 0].mean()
    return np.stack([*(a - b for a, b in zip(levels, levels[1:])), coarse]).astype(np.float32) * skin
