"""The inside of the mouth: colours of teeth, gums, tongue and cheeks, vertex by vertex."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32

from .head import GUMS, MOUTH_BAG, TEETH, Head, pieces, vertex_normals

_DEEP = 2.6
"""Centimetres behind the front teeth at which light has fallen to a third."""
_SHADES = np.array([[236, 226, 204], [228, 214, 184], [240, 233, 218], [218, 200, 164]], np.float32)
"""Teeth from the A and B rows of shade guides, in white light."""


def paint(
    head: Head, random: np.random.Generator, white: Array, chroma: float, tint: Array, shown: bool = False
) -> Array:
    """Colours [V, 3] in 0..255 of the vertices inside the mouth.

    Parameters
    ----------
    white : [3] what a white thing at the face is in this photo (the eye's white)
    shown : `white` is the colour of this person's teeth, which the photo shows
    chroma : 0 for black-and-white photos, 1 for colour; tint : [3] colour of the photo's greys, mean 1
    """
    out = np.zeros_like(head.neutral)
    neutral = head.neutral
    normals = vertex_normals(neutral, head.triangles)
    teeth = np.unique(head.triangles[head.of(TEETH)])
    soft = np.unique(head.triangles[head.of(GUMS, MOUTH_BAG)])
    if not len(teeth) or not len(soft):
        return out
    front = neutral[teeth, 2].min()
    occlusion = 0.16 + 0.84 * np.exp(-np.maximum(neutral[:, 2] - front - 0.3, 0) / _DEEP)

    shade = _SHADES[random.integers(len(_SHADES))] * random.uniform(0.93, 1.0)
    if shown:
        shade = np.array([235, 233, 229], np.float32)
    along = _along(head)[teeth]
    facing = np.clip(-normals[teeth, 2] * 0.85 + np.abs(normals[teeth, 0]) * 0.15, 0, 1)
    tooth = shade * (0.72 + 0.28 * facing)[:, None]
    tooth = tooth * (1 - np.outer(1 - along, [0.06, 0.10, 0.18]))  # warmer towards the gum
    tooth = tooth * (1 - np.outer(smoothstep32(along, 0.75, 1.0), [0.08, 0.05, 0.02]))  # the edge lets light through
    out[teeth] = tooth

    gum = np.array([196, 112, 106], np.float32) * random.uniform(0.85, 1.08) * random.uniform(0.95, 1.05, 3)
    flesh = np.array([186, 92, 90], np.float32) * random.uniform(0.85, 1.1) * random.uniform(0.95, 1.05, 3)
    to_tooth = cKDTree(neutral[teeth]).query(neutral[soft])[0]
    near = 1 - smoothstep32(to_tooth, 0.25, 0.6)
    out[soft] = (gum * near[:, None] + flesh * (1 - near[:, None])) * (0.7 + 0.3 * np.clip(-normals[soft, 2:], 0, 1))
    bag = np.unique(head.triangles[head.of(MOUTH_BAG)])
    out[bag] *= 0.8
    out *= occlusion[:, None]
    luma = out @ np.array([0.299, 0.587, 0.114], np.float32)
    out = luma[:, None] * tint * (1 - chroma) + out * chroma
    return (out * (white / 235.0)).astype(np.float32)


def seat_teeth(head: Head, vertices: Array, bite: tuple[float, float]) -> Array:
    """Shift each row of teeth, with its gum, to where it stands behind lips at rest.

    Parameters
    ----------
    vertices : [V, 3] of a head without expression
    bite : centimetres by which the upper front teeth reach below the upper lip's edge, and the lower ones stay below
        the lower lip's edge
    """
    out = vertices.copy()
    teeth = np.unique(head.triangles[head.of(TEETH)])
    if not len(teeth):
        return out
    middle = teeth[np.abs(head.neutral[teeth, 0]) < 0.9]
    split = (head.neutral[middle, 1].min() + head.neutral[middle, 1].max()) / 2
    upper, lower = (middle[(head.neutral[middle, 1] < split) == side] for side in (True, False))
    lips = out[head.landmarks[[61, 62, 63]], 1].mean(), out[head.landmarks[[65, 66, 67]], 1].mean()
    up = np.clip(lips[0] + bite[0] - out[upper, 1].max(), -0.5, 0.5)
    down = np.clip(lips[1] + bite[1] - out[lower, 1].min(), -0.5, 0.5)
    rows = np.unique(head.triangles[head.of(TEETH, GUMS)])
    share = smoothstep32(head.neutral[rows, 1], split - 0.15, split + 0.15)
    out[rows, 1] += up * (1 - share) + down * share
    return out


def _along(head: Head) -> Array:
    """How far [V] each tooth's vertex is from the gum (0) to the tooth's edge (1)."""
    triangles = head.triangles[head.of(TEETH)]
    size = len(head.neutral)
    label = pieces(triangles, size)
    rows = np.unique(triangles)
    out = np.zeros(size, np.float32)
    middle = (head.neutral[rows, 1].min() + head.neutral[rows, 1].max()) / 2
    for tooth in np.unique(label[rows]):
        mine = rows[label[rows] == tooth]
        y = head.neutral[mine, 1]
        along = (y - y.min()) / max(float(np.ptp(y)), 1e-6)
        out[mine] = along if y.mean() < middle else 1 - along
    return out
