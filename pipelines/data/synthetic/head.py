"""The head model: a linear shape with parts, from ICT-FaceKit's light head (MIT)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array, Array64

Integers = NDArray[np.int32]

SKIN, MOUTH_BAG, SOCKET, GUMS, TEETH, EYE_LEFT, EYE_RIGHT = range(7)
"""Parts. Left and right are the picture's: `EYE_LEFT` is the eye of landmarks 36-41."""

_MATERIALS = {"M_Face": SKIN, "M_BackHead": SKIN, "M_GumsTongue": GUMS, "M_Teeth": TEETH}
_ARCH = 0.97
"""Height of the opening beside its middle, against an ellipse."""
_MATERIALS |= {"M_ScleraRight": EYE_LEFT, "M_ScleraLeft": EYE_RIGHT}  # the model's sides are the person's


@dataclass(frozen=True)
class Head:
    """A head in its own axes: x to the right of the picture, y down, z away from the camera; centimetres.

    neutral : float32 [V, 3]; triangles : int32 [F, 3], clockwise as seen from outside in a picture (y down)
    part : int8 [F], one of the constants above
    uv, triangle_uv : float32 [U, 2] (the face's tile in 0..1, the back of the head's in 1..2), int32 [F, 3]
    identity : float32 [40, V, 3]; expression : float32 [57, V, 3], named by `expression_names`
    landmarks : int32 [68], the vertices of the iBUG points
    """

    neutral: Array
    triangles: Integers
    part: NDArray[np.int8]
    uv: Array
    triangle_uv: Integers
    identity: Array
    expression: Array
    expression_names: tuple[str, ...]
    landmarks: Integers

    @classmethod
    def load(cls, folder: Path) -> Head:
        """Read `ict_facekit.npz` and `ict_vertex_indices.json`; lashes and the eyes' extra shells are left out."""
        with np.load(folder / "ict_facekit.npz") as store:
            arrays = dict(store)
        names = [str(name) for name in arrays["material_names"]]
        parts = np.array([_MATERIALS.get(name, -1) for name in names], np.int8)[arrays["triangle_material"]]
        triangles = arrays["triangles"].astype(np.int32)[:, [0, 2, 1]]  # y points down here, so turn them round
        corners = arrays["triangle_uv"].astype(np.int32)[:, [0, 2, 1]]
        flip = np.array([1, -1, -1], np.float32)
        neutral = arrays["neutral"] * flip
        back = arrays["triangle_material"] == names.index("M_BackHead")
        _mark_cavities(neutral, triangles, parts, back)
        keep = parts >= 0
        triangles, corners, parts = triangles[keep], corners[keep], parts[keep]
        used, triangles = np.unique(triangles, return_inverse=True)
        row = np.full(len(neutral), -1, np.int32)
        row[used] = np.arange(len(used))

        def modes(name: str) -> Array:
            scale = arrays[f"{name}_scale"][:, None, None].astype(np.float32)
            return np.ascontiguousarray(arrays[f"{name}_q"][:, used].astype(np.float32) * scale * flip)

        marks = json.loads((folder / "ict_vertex_indices.json").read_text())["idx_to_landmark_verts"]
        landmarks, expression = row[np.int64(marks)], modes("expression")
        expression_names = tuple(str(name) for name in arrays["expression_names"])
        for name in ("jawOpen", "mouthFunnel", "mouthPucker"):
            _round_lower_lip(neutral[used], landmarks, expression[expression_names.index(name)])
        return cls(
            neutral=neutral[used],
            triangles=triangles.reshape(-1, 3).astype(np.int32),
            part=parts,
            uv=arrays["uv"].astype(np.float32),
            triangle_uv=corners,
            identity=modes("identity"),
            expression=expression,
            expression_names=expression_names,
            landmarks=landmarks,
        )

    def shape(self, identity: Array, expression: Array | Array64) -> Array:
        """Vertices [V, 3] of identity weights [I] and expression weights [E]."""
        return self.neutral + _mix(identity, self.identity) + _mix(expression, self.expression)

    def weights(self, **named: float) -> Array:
        """Expression weights [E] from names; a name without its side sets both, one that this head lacks nothing."""
        out = np.zeros(len(self.expression_names), np.float32)
        for name, value in named.items():
            hit = [i for i, known in enumerate(self.expression_names) if known in (name, f"{name}_L", f"{name}_R")]
            out[hit] = value
        return out

    def of(self, *parts: int) -> Integers:
        """Indices [.] of the triangles of these parts."""
        return np.flatnonzero(np.isin(self.part, parts)).astype(np.int32)

    @cached_property
    def skin_vertices(self) -> Integers:
        """Indices of the vertices of skin, mouth bag and sockets, which move as one sheet."""
        return np.unique(self.triangles[self.of(SKIN, MOUTH_BAG, SOCKET)]).astype(np.int32)

    @cached_property
    def face_triangles(self) -> Integers:
        """Skin of the face proper (uv tile 0..1), where landmarks may lie."""
        tile = self.uv[self.triangle_uv].max((1, 2)) <= 1
        return np.flatnonzero((self.part == SKIN) & tile).astype(np.int32)


def _mix(weights: Array | Array64, modes: Array) -> Array:
    return (weights.astype(np.float32) @ modes.reshape(len(modes), -1)).reshape(modes.shape[1:])


def pieces(triangles: Integers, count: int) -> Integers:
    """Number [count] of the connected piece of triangles [F, 3] that each of `count` vertices belongs to."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)


def _mark_cavities(neutral: Array, triangles: Integers, parts: NDArray[np.int8], back: NDArray[np.bool_]) -> None:
    """Tell mouth bag and eye sockets from scalp and neck: the connected pieces of the `back` material."""
    rows = np.flatnonzero(back)
    label = pieces(triangles[rows], len(neutral))[triangles[rows, 0]]
    for piece in np.unique(label):
        chosen = rows[label == piece]
        middle = neutral[np.unique(triangles[chosen])].mean(0)
        extent = np.ptp(neutral[np.unique(triangles[chosen])], axis=0).max()
        if extent < 12 and middle[2] < 0:  # a cavity behind the face; scalp and shoulders are larger
            parts[chosen] = MOUTH_BAG if middle[1] > 0 else SOCKET


def _round_lower_lip(neutral: Array, landmarks: Integers, mode: Array) -> None:
    """Make the lower lip of an opening mouth an arch: these modes pull its middle down to a point.

    At the inner landmarks beside the middle the opening becomes that of an ellipse; the lip follows, and less and
    less of what is below it.
    """
    left, lower, right = landmarks[[67, 66, 65]]
    corner = float(np.abs(neutral[landmarks[[60, 64]], 0]).mean())
    opening = float(mode[lower, 1] - mode[landmarks[62], 1])
    beside = float((mode[[left, right], 1] - mode[landmarks[[61, 63]], 1]).mean())
    at = float(np.abs(neutral[[left, right], 0]).mean()) / corner
    missing = _ARCH * np.sqrt(1 - at**2) * opening - beside
    t = np.abs(neutral[:, 0]) / corner
    across = np.where(t < at, np.clip(t / at, 0, 1) ** 1.5, np.clip((1 - t) / (1 - at), 0, 1) ** 0.7)
    seam = np.interp(np.abs(neutral[:, 0]), [0, at * corner, corner], neutral[landmarks[[66, 65, 64]], 1])
    below = neutral[:, 1] - seam
    down = np.where(below > -0.12, np.exp(-((np.maximum(below, 0) / 1.3) ** 2)), 0) * (neutral[:, 2] < -6)
    mode[:, 1] += max(missing, 0.0) * across * down


def vertex_normals(vertices: Array, triangles: Integers) -> Array:
    """Unit normals [V, 3], outwards, of triangles that run clockwise in a picture."""
    out = np.zeros_like(vertices)
    _normals(np.ascontiguousarray(vertices), np.ascontiguousarray(triangles), out)
    return out


@numba.njit(cache=True, fastmath=True)
def _normals(vertices: Array, triangles: Integers, out: Array) -> None:  # pragma: no cover (compiled)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uz * vy - uy * vz, ux * vz - uz * vx, uy * vx - ux * vy
        for v in (a, b, c):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for v in range(len(out)):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + np.float32(1e-9)
        for k in range(3):
            out[v, k] /= length
