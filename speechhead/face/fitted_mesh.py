"""The face mesh of somebody of whom only the 70 landmarks are known: the canonical face, bent to them."""

from __future__ import annotations

from functools import cache

import numpy as np

from speechhead.core.arrays import Array

from .landmarks import MESH_REFERENCE, MESH_TO_70, REFERENCE, remove_pose, to_pixels

IRIS_RINGS = ((468, slice(469, 473)), (473, slice(474, 478)))
"""Vertices of each iris: its centre and its rim, which moves with it."""


@cache
def _spread() -> Array:
    """Weights [478, 70]: how far each vertex goes along with each landmark.

    Biharmonic splines through the landmarks (Bookstein, 1989; in three dimensions the kernel is the distance), with an
    affine part: what bends least, and the landmarks' vertices lie on them.
    """
    known = REFERENCE.astype(np.float64)
    kernel = np.linalg.norm(known[:, None] - known[None], axis=-1)
    affine = np.concatenate([np.ones((70, 1)), known], axis=1)
    system = np.block([[kernel, affine], [affine.T, np.zeros((4, 4))]])
    solved = np.linalg.solve(system, np.eye(74)[:, :70])
    vertices = MESH_REFERENCE.astype(np.float64)
    reach = np.linalg.norm(vertices[:, None] - known[None], axis=-1)
    weights = np.concatenate([reach, np.ones((478, 1)), vertices], axis=1) @ solved
    for centre, rim in IRIS_RINGS:
        weights[rim] = weights[centre]
    return np.asarray(weights, np.float32)


def fitted_mesh(landmarks: Array) -> Array:
    """A mesh [478, 3] in pixels through landmarks [70, 3] in pixels.

    Lids, lips, brows, nose and jaw lie where the landmarks are; cheeks, forehead and what is between are the canonical
    face's, bent along. Irises have its size.
    """
    normalised, poses = remove_pose(np.asarray(landmarks, np.float32)[None])
    mesh = MESH_REFERENCE + _spread() @ (normalised[0] - REFERENCE)
    mesh[MESH_TO_70] = normalised[0]
    return to_pixels(mesh, poses[0])
