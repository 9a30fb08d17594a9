"""The lower face as a small picture that does not depend on pose, expression and light: what tells a mouth."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array
from speechhead.media.image import Picture

from .landmarks import MESH_REFERENCE, TRIANGLES, from_mesh, remove_pose

WIDTH, HEIGHT = 48, 40
"""Pixels of the view: multiples of CELL."""
CELL = 8
"""Pixels of a side of the squares whose edges and colours are summed up."""
BINS = 6
"""Directions of edges, without their sign."""
SPAN = (-0.45, 0.45, 0.44, 1.19)
"""Left, right, top, bottom of the view in the reference face: the base of the nose to the chin."""
UNIT = 64.0
"""Pixels of an outer eye distance to which pictures are averaged down before they are looked at."""
FEATURES = HEIGHT // CELL * (WIDTH // CELL) * (BINS + 3) + HEIGHT // 4 * (WIDTH // 4)
"""Numbers that `mouth_features` gives."""

_SKIN = (10, 151, 9, 108, 337, 69, 299, 107, 336, 50, 280, 101, 330, 118, 347, 205, 425, 117, 346, 6, 197)
"""Vertices of forehead, nose and upper cheeks."""
_EDGE = 1e-3  # of light per pixel; keeps flat squares flat
_LEAST = 0.02  # of the picture's light; a flat view stays flat


def _grid() -> tuple[npt.NDArray[np.int64], Array]:
    """Corners [N, 3] and weights [N, 3] of the mesh's triangles at the pixels of the view, N = HEIGHT * WIDTH."""
    x = np.linspace(SPAN[0], SPAN[1], WIDTH)
    y = np.linspace(SPAN[2], SPAN[3], HEIGHT)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    low = TRIANGLES[(MESH_REFERENCE[TRIANGLES][:, :, 1].max(1) > SPAN[2] - 0.2)].astype(np.int64)
    a, b, c = np.moveaxis(MESH_REFERENCE[low][..., :2].astype(np.float64), 1, 0)
    area = _cross(b - a, c - a)
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    p = points[:, None]
    v, w = _cross(p - a, c - a) / area, _cross(b - a, p - a) / area
    weights = np.stack([1 - v - w, v, w], axis=-1)
    best = weights.min(axis=-1).argmax(axis=1)  # inside, or nearest to it: between the lips and under the chin
    chosen = np.clip(weights[np.arange(len(points)), best], 0, 1)
    return low[best], (chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float32)


def _cross(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


_CORNERS, _WEIGHTS = _grid()


def mouth_features(image: Picture, mesh: Array) -> Array:
    """What the lower face looks like at the mesh's lips, as numbers for `covered`.

    Parameters
    ----------
    image : uint8 [H, W, 3] RGB
    mesh : float32 [478, 3] px

    Returns
    -------
    float32 [FEATURES]: per square of the view the edges' directions and its colour beside the skin's above, and the
    view's light at a quarter of its resolution, free of brightness and contrast.
    """
    view, skin = _views(image, mesh)
    light = view @ np.array([0.299, 0.587, 0.114], np.float32)
    edges = _edges(light)
    spread = max(float(light.std()), _LEAST)
    small = cv2.resize((light - light.mean()) / spread, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
    cells = np.asarray(cv2.resize(view, (WIDTH // CELL, HEIGHT // CELL), interpolation=cv2.INTER_AREA), np.float32)
    return np.concatenate([edges.ravel(), _colours(cells, skin).ravel(), np.asarray(small).ravel()]).astype(np.float32)


def _views(image: Picture, mesh: Array) -> tuple[Array, Array]:
    """The view [HEIGHT, WIDTH, 3] and the colour [3] of the skin above it, in 0..1."""
    pose = remove_pose(from_mesh(mesh)[None])[1][0]
    left, top = np.floor(mesh[:468, :2].min(axis=0) - 2).astype(int)
    right, bottom = np.ceil(mesh[:468, :2].max(axis=0) + 3).astype(int)
    left, top = max(0, min(left, image.shape[1] - 2)), max(0, min(top, image.shape[0] - 2))
    part = image[top : max(bottom, top + 2), left : max(right, left + 2)]
    factor = min(1.0, UNIT / pose.scale)
    size = max(2, round(part.shape[1] * factor)), max(2, round(part.shape[0] * factor))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    ratio = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
    flat = (mesh[:, :2] - [left, top]) * ratio
    where = np.einsum("nki,nk->ni", flat[_CORNERS], _WEIGHTS)
    skin = flat[list(_SKIN)]
    x, y = np.concatenate([where, skin]).astype(np.float32).T - np.float32(0.5)
    seen = cv2.remap(small, x[None], y[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0] / np.float32(255)
    return seen[: len(where)].reshape(HEIGHT, WIDTH, 3), np.median(seen[len(where) :], axis=0)


def _edges(light: Array) -> Array:
    """Directions of edges [rows, columns, BINS] per square, free of contrast. Dalal and Triggs, 2005, "HOG"."""
    dx, dy = cv2.Sobel(light, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(light, cv2.CV_32F, 0, 1, scale=1 / 8)
    angle = np.mod(np.arctan2(dy, dx), np.pi) * (BINS / np.pi)
    strength = np.sqrt(dx**2 + dy**2)
    low = np.floor(angle)
    share = (angle - low) * strength
    planes = np.zeros((HEIGHT, WIDTH, BINS), np.float32)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    first = low.astype(int) % BINS
    planes[rows, columns, first] = strength - share
    planes[rows, columns, (first + 1) % BINS] = share
    cells = planes.reshape(HEIGHT // CELL, CELL, WIDTH // CELL, CELL, BINS).mean(axis=(1, 3))
    return np.asarray(np.sqrt(cells / (cells.mean() * BINS + _EDGE)), np.float32)


def _colours(cells: Array, skin: Array) -> Array:
    """Light, red and blue [rows, columns, 3] of squares beside the skin's colour [3], as logarithms of ratios."""
    ratio = np.log((cells + 0.05) / (skin + 0.05))
    light = ratio.mean(axis=-1)
    return np.stack([light, ratio[..., 0] - ratio[..., 1], ratio[..., 2] - ratio[..., 1]], axis=-1)
