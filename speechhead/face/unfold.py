"""A chin below its lips: repairs the mesh of a mouth so wide open that the network folds what lies under it."""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array

from .landmarks import MESH_REFERENCE, from_mesh, remove_pose, to_normalised, to_pixels

COLUMNS = np.array(
    [
        [17, 18, 200, 199, 175, 152],
        [84, 83, 201, 208, 171, 148],
        [314, 313, 421, 428, 396, 377],
        [181, 182, 194, 32, 140, 176],
        [405, 406, 418, 262, 369, 400],
        [91, 106, 204, 211, 170, 149],
        [321, 335, 424, 431, 395, 378],
        [146, 43, 202, 210, 169, 150],
        [375, 273, 422, 430, 394, 379],
    ]
)
"""Vertices of the mesh from the lower lip's edge down to the jaw's, from the middle outwards."""

LEAST = 0.6
"""The least distance from one vertex of a column to the next in a mesh that was folded, in parts of the distance in the
reference face. Folded is a mesh in which a vertex lies above the one before it."""


def unfolded(mesh: Array) -> Array:
    """A face mesh float32 [478, 3] in pixels, with everything under the lower lip below it, in the head's own frame.

    On a mouth gaping wider than it knows, the network leaves the chin where a chin usually is, and the lip hangs over
    it: skin between the two would be read from the lip, and lips could not be shut. Without folds nothing changes.
    """
    _, poses = remove_pose(from_mesh(mesh)[None])
    face = to_normalised(mesh, poses[0])
    heights = face[COLUMNS, 1]
    if (np.diff(heights, axis=1) >= 0).all():
        return mesh
    gaps = LEAST * np.diff(MESH_REFERENCE[COLUMNS, 1], axis=1)
    for step, gap in enumerate(gaps.T, 1):
        heights[:, step] = np.maximum(heights[:, step], heights[:, step - 1] + gap)
    face[COLUMNS, 1] = heights
    return np.asarray(to_pixels(face, poses[0]), np.float32)
