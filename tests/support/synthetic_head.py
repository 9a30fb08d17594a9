"""A small head for the tests of `pipelines.data.synthetic`: an ellipsoid with holes, and something behind each."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipelines.data.synthetic.correspondence import POINTS, nearest
from pipelines.data.synthetic.head import EYE_LEFT, EYE_RIGHT, GUMS, MOUTH_BAG, SKIN, SOCKET, TEETH, Head
from pipelines.data.synthetic.portrait import Rig
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_68

UNIT = 9.0
"""Centimetres between the outer eye corners."""
EYES = (-3.1, 3.1)
SIDE = 288


def surface(x, y):
    """Depth of the ellipsoid."""
    return -11 * np.sqrt(np.clip(1 - (x / 9.5) ** 2 - (y / 13) ** 2, 0, 1))


def grid(x, y, z):
    """Vertices [N, 3] and triangles [F, 3] of a height field, clockwise in a picture."""
    height, width = x.shape
    a = np.arange(height * width).reshape(height, width)
    quads = np.stack([a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]], -1).reshape(-1, 4)
    return np.stack([x, y, z], -1).reshape(-1, 3), np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def patch(x, y, z, half, steps=7):
    """A flat square patch."""
    line = np.linspace(-1, 1, steps)
    u, v = np.meshgrid(line * half[0], line * half[1])
    return grid(u + x, v + y, np.full_like(u, z))


def ball(x, y, z, radius, steps=15):
    """The front of a sphere."""
    line = np.linspace(-1.35, 1.35, steps)
    a, b = np.meshgrid(line, line)
    return grid(x + radius * np.sin(a) * np.cos(b), y + radius * np.sin(b), z - radius * np.cos(a) * np.cos(b))


@lru_cache(maxsize=1)
def head() -> Head:
    """The head, with two identity modes (width, length) and a jaw and a blink."""
    x, y = np.meshgrid(np.linspace(-9, 9, 61), np.linspace(-12.5, 12.5, 81))
    pieces = [(SKIN, *grid(x, y, surface(x, y)))]
    vertices, triangles = pieces[0][1:]
    middle = vertices[triangles].mean(1)
    mouth = (np.abs(middle[:, 0]) < 2) & (np.abs(middle[:, 1] - 3.6) < 0.5)
    eyes = np.minimum(*(((middle[:, 0] - e) / 1.4) ** 2 + ((middle[:, 1]) / 0.6) ** 2 for e in EYES)) < 1
    inside = (middle[:, 0] / 9.4) ** 2 + (middle[:, 1] / 12.9) ** 2 < 1
    pieces = [(SKIN, vertices, triangles[inside & ~mouth & ~eyes])]
    pieces.append((MOUTH_BAG, *patch(0, 3.6, -6, (2.6, 1.4))))
    pieces.append((GUMS, *patch(0, 4.2, -8, (2.0, 0.4))))
    pieces += [(TEETH, *patch(side, 3.3, -8.6, (0.4, 0.3))) for side in (-0.45, 0.45)]
    pieces += [(TEETH, *patch(side, 4.0, -8.5, (0.4, 0.3))) for side in (-0.45, 0.45)]
    for part, side in zip((EYE_LEFT, EYE_RIGHT), EYES):
        depth = float(surface(side, 0.0))
        pieces.append((SOCKET, *patch(side, 0, depth + 2.0, (1.9, 1.2))))
        pieces.append((part, *ball(side, 0, depth + 1.6, 1.4)))
    sizes = np.cumsum([0, *(len(v) for _, v, _ in pieces)])
    neutral = np.concatenate([v for _, v, _ in pieces]).astype(np.float32)
    corners = np.concatenate([t + start for (_, _, t), start in zip(pieces, sizes)]).astype(np.int32)
    part = np.concatenate([np.full(len(t), p) for p, _, t in pieces]).astype(np.int8)
    uv = np.clip(0.5 + neutral[:, :2] * [1 / 20, -1 / 27], 0, 1)
    behind = np.ones(len(neutral), bool)
    behind[: sizes[1]] = False
    uv[behind, 0] += 1  # everything but skin goes to the second tile
    identity = np.zeros((2, *neutral.shape), np.float32)
    identity[0, :, 0], identity[1, :, 1] = 0.04 * neutral[:, 0], 0.04 * neutral[:, 1]
    expression = np.zeros((3, *neutral.shape), np.float32)
    lower = np.clip((neutral[:, 1] - 3.5) / 0.4, 0, 1) * np.exp(-((neutral[:, 0] / 4) ** 2))
    expression[0, :, 1] = 1.5 * lower * ~behind
    lid = np.exp(-(((np.abs(neutral[:, 0]) - 3.1) / 1.2) ** 2) - ((neutral[:, 1] + 0.7) / 0.5) ** 2)
    for row, side in ((1, 1), (2, -1)):
        expression[row, :, 1] = 1.2 * lid * (np.sign(neutral[:, 0]) == side) * ~behind
    marks = MESH_REFERENCE[MESH_TO_68] * UNIT
    skin = neutral[: sizes[1]]
    used = np.unique(pieces[0][2])
    landmarks = used[np.linalg.norm(skin[used, None, :2] - marks[None, :, :2], axis=-1).argmin(0)]
    return Head(
        neutral, corners, part, uv.astype(np.float32), corners, identity, expression,
        ("jawOpen", "eyeBlink_L", "eyeBlink_R"), landmarks.astype(np.int32),
    )  # fmt: skip


@lru_cache(maxsize=1)
def rig() -> Rig:
    """The rig of the small head."""
    points = MESH_REFERENCE[:POINTS] * UNIT
    points[:, 2] = surface(points[:, 0], points[:, 1])
    return Rig(head(), nearest(head(), points.astype(np.float32)))


def mesh(scale: float = 8.0, at: tuple[float, float] = (144.0, 130.0)) -> np.ndarray:
    """The small head's mesh points [478, 3] in a picture."""
    points = np.empty((478, 3), np.float32)
    points[:POINTS] = rig().table.points(head().neutral)
    for first, side in zip((468, 473), EYES):
        depth = float(surface(side, 0.0)) + 0.2
        ring = np.float32([[0, 0, 0], [0.6, 0, 0], [0, -0.6, 0], [-0.6, 0, 0], [0, 0.6, 0]])
        points[first : first + 5] = np.float32([side, 0, depth]) + ring
    return points * scale + np.float32([*at, 0])


def picture() -> np.ndarray:
    """A smooth picture [SIDE, SIDE, 3]."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    waves = [128 + 70 * np.sin(x / a + y / b + c) for a, b, c in ((23, 31, 0), (29, -19, 1), (-37, 21, 2))]
    return np.stack(waves, -1).astype(np.uint8)
