"""Where the tracker's 468 mesh points lie on the head model, and how to spread what they know over its skin.

`mediapipe_on_ict.npz` holds the table; `python -m pipelines.data.synthetic.calibrate` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.sparse import coo_matrix, diags
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from speechhead.core.arrays import Array
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_68
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT, LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP

from .head import Head, Integers

TABLE = Path(__file__).with_name("mediapipe_on_ict.npz")
POINTS = 468
"""Mesh points on the skin; the ten of the irises come from the eyeballs."""


@dataclass(frozen=True)
class Correspondence:
    """Triangle corners [468, 3] (vertices of the head) and barycentric weights [468, 3] of every mesh point."""

    corners: Integers
    weights: Array

    @classmethod
    def load(cls, path: Path = TABLE) -> Correspondence:
        """The calibrated table."""
        with np.load(path) as table:
            return cls(table["corners"].astype(np.int32), table["weights"].astype(np.float32))

    def save(self, path: Path = TABLE) -> None:
        """Write the table, as small as it goes."""
        np.savez_compressed(path, corners=self.corners.astype(np.uint16), weights=self.weights.astype(np.float16))

    def points(self, vertices: Array) -> Array:
        """The mesh points [468, 3] on vertices [V, 3] in any space."""
        return np.einsum("pc,pcx->px", self.weights, vertices[self.corners])


_CONTOURS = (
    *(UPPER_INNER_LIP, LOWER_INNER_LIP, EYE_LEFT[:9], [*EYE_LEFT[8:], EYE_LEFT[0]], EYE_RIGHT[:9]),
    *([*EYE_RIGHT[8:], EYE_RIGHT[0]], OUTER_LIP[:11], [*OUTER_LIP[10:], OUTER_LIP[0]]),
)
"""Open contours whose ends and some points between are landmarks."""


def initial(head: Head) -> Correspondence:
    """A first table from geometry alone: the canonical face bent onto the head by its 68 landmarks and contours."""
    fixed = {int(m): head.neutral[v] for m, v in zip(MESH_TO_68[17:], head.landmarks[17:])}
    for contour in _CONTOURS:
        fixed |= _between(head, contour)
    rows = np.array(list(fixed))
    # Of the jaw only every fourth point: the tracker sees a contour there, not skin that both heads share.
    jaw = MESH_TO_68[:17:4]
    source = MESH_REFERENCE[np.r_[jaw, rows]].astype(np.float64)
    target = np.concatenate([head.neutral[head.landmarks[:17:4]], np.stack(list(fixed.values()))]).astype(np.float64)
    bend = RBFInterpolator(source, target, kernel="thin_plate_spline", smoothing=1e-3)
    places = bend(MESH_REFERENCE[:POINTS].astype(np.float64)).astype(np.float32)
    places[rows] = target[len(jaw) :]
    return nearest(head, places)


def _between(head: Head, contour: list[int]) -> dict[int, Array]:
    """Places of a contour's mesh points on the head: landmarks as they are, the others along edges between them."""
    marks = {int(m): int(v) for m, v in zip(MESH_TO_68[17:], head.landmarks[17:])}
    edges = head.triangles[head.face_triangles]
    edges = np.concatenate([edges[:, [0, 1]], edges[:, [1, 2]], edges[:, [2, 0]]])
    length = np.linalg.norm(head.neutral[edges[:, 0]] - head.neutral[edges[:, 1]], axis=1)
    size = len(head.neutral)
    graph = coo_matrix((length, (edges[:, 0], edges[:, 1])), (size, size)).tocsr()
    graph = graph.maximum(graph.T)
    known = [i for i, m in enumerate(contour) if m in marks]
    out: dict[int, Array] = {}
    for a, b in zip(known[:-1], known[1:]):
        start, end = marks[contour[a]], marks[contour[b]]
        before = dijkstra(graph, indices=start, return_predecessors=True)[1]
        path = [end]
        while path[-1] != start:
            path.append(int(before[path[-1]]))
        line = head.neutral[path[::-1]]
        along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
        here = MESH_REFERENCE[contour[a : b + 1]]
        share = np.r_[0, np.cumsum(np.linalg.norm(np.diff(here, axis=0), axis=1))]
        for m, t in zip(contour[a : b + 1], share / share[-1] * along[-1]):
            out[m] = np.array([np.interp(t, along, line[:, k]) for k in range(3)], np.float32)
    return out


def nearest(head: Head, points: Array) -> Correspondence:
    """The places on the face's outer skin nearest to points [P, 3] in the neutral head's space."""
    triangles = head.triangles[head.face_triangles]
    corners = head.neutral[triangles]
    centres = corners.mean(1)
    chosen = np.empty((len(points), 3), np.int32)
    weights = np.empty((len(points), 3), np.float32)
    for i, point in enumerate(points):
        near = np.argsort(np.linalg.norm(centres - point, axis=1))[:40]
        candidates = [_closest(corners[t], point) for t in near]
        best = int(np.argmin([np.linalg.norm(w @ corners[t] - point) for w, t in zip(candidates, near)]))
        chosen[i], weights[i] = triangles[near[best]], candidates[best]
    return Correspondence(chosen, weights)


def _closest(corners: Array, point: Array) -> Array:
    """Barycentric weights [3] of the place in a triangle [3, 3] nearest to a point (projected, then clipped)."""
    edges = (corners[:2] - corners[2]).T
    u, v = np.linalg.lstsq(edges, point - corners[2], rcond=None)[0]
    weights = np.clip([u, v, 1 - u - v], 0, None)
    return np.float32(weights / weights.sum())


class Spread:
    """Smooth displacements of the whole skin from displacements of its mesh points.

    Least bending (squared Laplacian over the mesh, so that the lips stay apart) with the points as data; solved
    once for unit data, a matrix product afterwards.
    """

    def __init__(self, head: Head, table: Correspondence, strength: float) -> None:
        skin = head.skin_vertices
        row = np.full(len(head.neutral), -1, np.int64)
        row[skin] = np.arange(len(skin))
        triangles = row[head.triangles[np.isin(head.part, (0, 1, 2))]]
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        edges = np.unique(np.sort(edges, 1), axis=0)
        n = len(skin)
        # Uniform edge weights divided by length: large triangles at the back do not pull on small ones in front.
        length = np.linalg.norm(head.neutral[skin[edges[:, 0]]] - head.neutral[skin[edges[:, 1]]], axis=1)
        weight = 0.2 / np.maximum(length, 0.02)
        adjacency = coo_matrix((weight, (edges[:, 0], edges[:, 1])), (n, n)).tocsr()
        adjacency = adjacency + adjacency.T
        total = np.asarray(adjacency.sum(1)).ravel()
        laplacian = diags(1 / np.maximum(total, 1e-6)) @ (diags(total) - adjacency)
        points = len(table.corners)
        data = coo_matrix(
            (table.weights.ravel(), (np.repeat(np.arange(points), 3), row[table.corners].ravel())), (points, n)
        ).tocsr()
        system = laplacian.T @ laplacian + strength * (data.T @ data) + 1e-5 * diags(np.ones(n))
        self.skin = skin
        self.matrix: Array = splu(system.tocsc()).solve((strength * data.T).toarray()).astype(np.float32)

    def __call__(self, displacement: NDArray[Any]) -> Array:
        """Displacements [P, C] of the points to displacements [S, C] of `head.skin_vertices`."""
        return np.asarray(self.matrix @ displacement.astype(np.float32))
