"""A head with ears, skull and neck, fitted to a tracked face: what the mesh of a face does not know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechhead.core import weights
from speechhead.core.arrays import Array, Array64
from speechhead.face.landmarks import MESH_TO_68, RIGID

POINTS = 468
"""Mesh points on the skin; the ten of the irises are no part of the head."""


@dataclass(frozen=True)
class HeadFit:
    """How a head is fitted. Lengths are outer eye distances; chosen on drawn heads and by eye."""

    rounds: int = 4
    """Turns of laying the head on the face, and bending it to what is left."""

    deep: float = 0.35
    """Weight of the tracker's depth, which is a guess, against what is seen."""

    identity: float = 0.004
    """What a standard deviation of a face's shape costs, as a distance of every point."""

    expression: float = 0.014
    """What the whole of an expression costs."""

    side: float = 0.62
    """Distance from the middle beyond which points are an outline more than skin, and count less."""

    reach: float = 0.3
    """How far from the face what the modes can not say of it is believed."""

    worst: float = 0.09
    """Root mean square distance in the picture above which the mean head is laid on: the face is no human one."""


FIT = HeadFit()


@dataclass(frozen=True)
class FittedHead:
    """A head on a portrait.

    vertices: float32 [V, 3] in crop pixels, z away from the camera, of the depth of the tracked mesh; triangles: int32
    [F, 3], clockwise in the picture; rigid: float32 [V] in 0..1, how much of each moves with the skull; error: root
    mean square distance to the tracked face in the picture, outer eye distances
    """

    vertices: Array
    triangles: NDArray[np.int32]
    rigid: Array
    error: float


class HeadModel:
    """The coarse head of ICT-FaceKit, see `python -m pipelines.data.synthetic.coarse`.

    Parameters
    ----------
    file : npz of vertices, triangles, rigid, points and modes
    """

    def __init__(self, file: str = "head.npz") -> None:
        with weights.arrays(file) as store:
            self._vertices = store["vertices"].astype(np.float32)
            self._triangles = store["triangles"].astype(np.int32)
            self._rigid = store["rigid"].astype(np.float32) / np.float32(255)
            self._points = store["points"].astype(np.float64)
            self._vertex_modes = store["vertex_modes"] * store["vertex_scale"][:, None, None]
            self._point_modes = (store["point_modes"] * store["point_scale"][:, None, None]).astype(np.float64)
        identities = len(self._vertex_modes)
        ridge = np.full(len(self._point_modes), FIT.expression)
        ridge[:identities] = FIT.identity
        self._ridge = np.diag(POINTS * ridge**2)
        self._weight = np.where(np.abs(self._points[:, 0]) > FIT.side, 0.4, 1.0)

    def fit(self, mesh: Array) -> FittedHead:
        """The head on a tracked face.

        Parameters
        ----------
        mesh : float32 [478, 3], in pixels
        """
        target = mesh[:POINTS].astype(np.float64)
        found: Array64 = np.zeros(len(self._point_modes))
        for _ in range(FIT.rounds):
            rotation, translation, scale = laid(self._shape(found), target, self._weight)
            found = self._bent((target - translation) @ rotation / scale, rotation[2])
        whole = self._placed(found, target)
        return whole if whole.error <= FIT.worst else self._placed(0 * found, target)

    def _placed(self, found: Array64, target: Array64) -> FittedHead:
        """The head of these weights on points [468, 3] in pixels, and near the face bent to what they can not say."""
        shape = self._shape(found)
        rotation, translation, scale = laid(shape, target, self._weight)
        left = (target - translation) @ rotation / scale - shape
        left -= np.outer(left @ rotation[2], rotation[2])  # depth is the head's affair
        error = float(np.sqrt((left**2).sum(1).mean()))
        vertices = self._vertices + np.tensordot(found[: len(self._vertex_modes)], self._vertex_modes, 1)
        vertices = vertices + spread(left, self._points, self._vertices)
        placed = scale * vertices @ rotation.T + translation
        marks = MESH_TO_68[list(RIGID)]
        own = scale * shape[marks] @ rotation[2] + translation[2]
        placed[:, 2] += float((target[marks, 2] - own).mean())
        return FittedHead(placed.astype(np.float32), self._triangles, self._rigid, error)

    def _shape(self, found: Array64) -> Array64:
        return self._points + np.tensordot(found, self._point_modes, 1)

    def _bent(self, target: Array64, toward: Array64) -> Array64:
        """Weights of all modes, by ridge regression on points [468, 3] in the head's axes; toward: the camera."""
        metric = np.eye(3) - (1 - FIT.deep) * np.outer(toward, toward)
        columns = ((self._point_modes @ metric) * self._weight[:, None]).reshape(len(self._point_modes), -1)
        data = (((target - self._points) @ metric) * self._weight[:, None]).ravel()
        return np.asarray(np.linalg.solve(columns @ columns.T + self._ridge, columns @ data), np.float64)


def laid(shape: Array64, target: Array64, weight: Array64) -> tuple[Array64, Array64, float]:
    """Rotation, translation and scale that lay a shape [P, 3] on a target [P, 3] (Umeyama, 1991)."""
    w = weight / weight.sum()
    a, b = w @ shape, w @ target
    u, s, vt = np.linalg.svd((target - b).T @ ((shape - a) * w[:, None]))
    sign = np.array([1, 1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / (w @ ((shape - a) ** 2).sum(1)))
    return rotation, b - scale * rotation @ a, scale


def spread(moves: Array64, points: Array64, places: Array) -> Array64:
    """Moves [V, 3] of places [V, 3] near points [P, 3] that move by `moves` [P, 3]; of places far off, none."""
    apart = ((places**2).sum(1)[:, None] - 2 * places @ points.T + (points**2).sum(1)) / FIT.reach**2
    near = np.exp(-4 * np.clip(apart, 0, 20))
    return np.asarray(near @ moves / (near.sum(1) + 0.5)[:, None], np.float64)
