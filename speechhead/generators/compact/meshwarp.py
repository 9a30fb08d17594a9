"""Backward flow from keypoints: the mesh is drawn in its driving position and read in its source position."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import eased
from speechhead.face.landmarks import TRIANGLES, Pose, to_pixels

# Vertex loops of the MediaPipe topology, in order along the contour.
OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377]
OVAL += [152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]
UPPER_INNER_LIP = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
LOWER_INNER_LIP = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
OUTER_LIP = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
EYE_LEFT = [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7]
EYE_RIGHT = [263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249]
IRIS_LEFT, IRIS_RIGHT = 468, 473


@dataclass(frozen=True)
class WarpSizes:
    """Sizes of what is drawn around and into the face mesh; the rings are chosen by eye."""

    head_ring: float = 1.38
    """Ring that moves rigidly with the head (hair, ears, upper neck), in units of the face oval."""

    still_ring: float = 2.3
    """Ring that does not move at all, in units of the face oval; the flow falls to zero between the two."""

    iris_radius: float = 0.065
    """Outer eye distances: an iris of adults is 11.7 mm across, against about 90 mm."""


WARP = WarpSizes()


_MESH, _RING = 478, len(OVAL)
_EYES = ((EYE_LEFT, IRIS_LEFT), (EYE_RIGHT[::-1], IRIS_RIGHT))  # both clockwise in the image
_IRISES = len(EYE_LEFT) + len(EYE_RIGHT)
_MOVING = _MESH + _RING + _IRISES


@lru_cache(maxsize=1)
def topology() -> tuple[NDArray[np.int64], int, int]:
    """Triangles [F, 3] in drawing order, and how many of them are rings and holes."""
    rings = []
    for inner, outer in (
        (np.arange(_RING) + _MESH, np.arange(_RING) + _MOVING),
        (np.array(OVAL), np.arange(_RING) + _MESH),
    ):
        after_inner, after_outer = np.roll(inner, -1), np.roll(outer, -1)
        rings += [np.stack([inner, after_inner, outer], 1), np.stack([after_inner, after_outer, outer], 1)]
    upper, lower = np.array(UPPER_INNER_LIP), np.array(LOWER_INNER_LIP)
    holes = [np.stack([upper[:-1], upper[1:], lower[1:]], 1), np.stack([upper[:-1], lower[1:], lower[:-1]], 1)]
    first = _MESH + _RING
    for loop, iris in _EYES:
        lids, disc = np.array(loop), np.arange(len(loop)) + first
        first += len(loop)
        lids_on, disc_on = np.roll(lids, -1), np.roll(disc, -1)
        # The white of the eye between lids and iris, and the iris, which keeps its shape.
        holes += [np.stack([lids, lids_on, disc_on], 1), np.stack([lids, disc_on, disc], 1)]
        holes.append(np.stack([disc, disc_on, np.full_like(disc, iris)], 1))
    ring, hole = np.concatenate(rings), np.concatenate(holes)
    return np.concatenate([ring, hole, TRIANGLES.astype(np.int64)]), len(ring), len(hole)


@lru_cache(maxsize=32)
def pixel_grid(height: int, width: int) -> Array:
    """Pixel centres [height, width, 2] (x, y) in [-1, 1], x right, y down; shared and read-only."""
    x = (np.arange(width, dtype=np.float32) * 2 + 1) / width - 1
    y = (np.arange(height, dtype=np.float32) * 2 + 1) / height - 1
    grid = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1).astype(np.float32)
    grid.setflags(write=False)
    return grid


@lru_cache(maxsize=8)
def border_taper(resolution: int, width: float = 0.10) -> Array:
    """Weight [N, N] that falls from 1 to 0 over the outer `width` of the crop.

    Everything the generator changes is multiplied by it, so that a crop pasted back has no seam.
    """
    edge = 1 - np.abs(pixel_grid(resolution, resolution)).max(-1)
    taper = eased(np.clip(edge / (2 * width), 0, 1))
    taper.setflags(write=False)
    return taper


def _iris_edge(normalised: Array, loop: list[int], iris: int) -> Array:
    """From an iris's centre to its edge towards each point of its lids [n, 3]; less where a lid covers it."""
    towards = (normalised[loop] - normalised[iris]) * np.array([1, 1, 0], np.float32)
    distance = np.linalg.norm(towards, axis=1, keepdims=True)
    return np.asarray(towards * np.minimum(WARP.iris_radius / np.maximum(distance, 1e-6), 0.9), np.float32)


class MeshWarp:
    """The landmark warp of one portrait, without any network.

    Three sheets are drawn back to front: rings around the head (rigid with the head, then falling to rest), the
    eye and mouth openings, and the face mesh, far triangles first. In the eyes, the iris moves as a disc. Each pixel
    of the driving picture gets the affine map of its triangle: the piecewise form of "sparse motion to dense motion"
    (FOMM, eq. 4) in which the local affine maps come from the mesh and not from a network.

    Parameters
    ----------
    normalised : float32 [478, 3]; the portrait's mesh in normalised space
    pose : its pose, in pixels of the crop
    size : side of the square crop in pixels
    """

    def __init__(self, normalised: Array, pose: Pose, size: int) -> None:
        self.size = size
        self.pose = pose
        oval = normalised[OVAL]
        centre = oval.mean(0)
        self._head_ring = centre + (oval - centre) * np.array([WARP.head_ring, WARP.head_ring, 1], np.float32)
        self._irises = [_iris_edge(normalised, loop, iris) for loop, iris in _EYES]
        self.source = self._vertices(normalised, pose, None)
        self._still = self.source[_MOVING:]

    def _vertices(self, normalised: Array, pose: Pose, still: Array | None) -> Array:
        """All vertices [478 + 2 * 36 + 2 * 16, 3]: x and y in [-1, 1] of the crop, z in the same unit."""
        moving = to_pixels(self.moving(normalised), pose) * np.float32(2 / self.size) - np.array([1, 1, 0], np.float32)
        if still is None:
            oval = moving[OVAL]
            centre = oval.mean(0)
            still = centre + (oval - centre) * np.array([WARP.still_ring, WARP.still_ring, 1], np.float32)
            # Stay inside the picture, yet always outside the head ring.
            reach = 0.98 / np.maximum(np.abs(still[:, :2]).max(-1, keepdims=True), 0.98)
            still = np.concatenate([still[:, :2] * reach, still[:, 2:]], 1)
        return np.concatenate([moving, still]).astype(np.float32)

    def moving(self, normalised: Array) -> Array:
        """Vertices [..., 478 + 36 + 32, 3] that go with meshes [..., 478, 3], in normalised space: the mesh, the ring
        around the head and the rims of the irises; the first of `source`."""
        ring = np.broadcast_to(self._head_ring, (*normalised.shape[:-2], *self._head_ring.shape))
        irises = [normalised[..., iris, None, :] + edge for (_, iris), edge in zip(_EYES, self._irises)]
        return np.concatenate([normalised, ring, *irises], -2)

    def held(self) -> dict[str, Array]:
        """What `moving` adds to a mesh, by name: the ring around the head [36, 3], and the rims of the irises from
        their middles [32, 3]."""
        return {"head_ring": self._head_ring, "irises": np.concatenate(self._irises)}

    def flow(self, normalised: Array, pose: Pose, resolution: int = 128) -> tuple[Array, Array]:
        """Backward flow of a driving face.

        Parameters
        ----------
        normalised : float32 [478, 3]; the driving mesh in normalised space, of this portrait's proportions
        pose : driving pose in crop pixels
        resolution : N, side of the flow field

        Returns
        -------
        flow : float32 [N, N, 2]; where to read the source minus where the pixel is, in [-1, 1] units of the crop
        coverage : float32 [N, N]; 1 on the face mesh, 0.5 on the ring that moves with the head, 0 elsewhere
        """
        driving = self._vertices(normalised, pose, self._still)
        triangles, rings, holes = topology()
        corners, origin = driving[triangles], self.source[triangles]
        # Affine map of each triangle: source = origin0 + M (z - corner0); here as displacement, M - 1.
        (ax, ay), (bx, by) = (corners[:, k, :2].T - corners[:, 0, :2].T for k in (1, 2))
        (sx, sy), (tx, ty) = (origin[:, k, :2].T - origin[:, 0, :2].T for k in (1, 2))
        determinant = ax * by - bx * ay
        drawn = np.abs(determinant) > 1e-7
        openings = slice(rings, rings + holes)
        drawn[openings] = determinant[openings] > 2e-5  # all turn clockwise; where lips or lids have met, nothing shows
        scale = 1 / np.where(drawn, determinant, 1)
        affine = np.zeros((len(triangles) + 1, 6), np.float32)  # row 0: where nothing is drawn, nothing moves
        affine[1:, 0], affine[1:, 1] = (sx * by - tx * ay) * scale - 1, (tx * ax - sx * bx) * scale
        affine[1:, 2], affine[1:, 3] = (sy * by - ty * ay) * scale, (ty * ax - sy * bx) * scale - 1
        x, y = corners[:, 0, 0], corners[:, 0, 1]
        affine[1:, 4] = origin[:, 0, 0] - x - affine[1:, 0] * x - affine[1:, 1] * y
        affine[1:, 5] = origin[:, 0, 1] - y - affine[1:, 2] * x - affine[1:, 3] * y

        face = np.arange(rings + holes, len(triangles))
        depth = corners[face, :, 2].sum(1)
        order = np.concatenate([np.arange(rings + holes), face[np.argsort(-depth, kind="stable")]])
        order = order[drawn[order]]
        index = np.zeros((resolution, resolution), np.int32)
        shift = 4
        points = np.round(((corners[..., :2] + 1) * (resolution / 2) - 0.5) * (1 << shift)).astype(np.int32)
        for number, polygon in zip((order + 1).tolist(), points[order]):
            cv2.fillConvexPoly(index, polygon, number, cv2.LINE_8, shift)

        local = affine.take(index, 0)
        grid = pixel_grid(resolution, resolution)
        # Single pixels between folded triangles belong to none; the median takes the flow around them.
        x, y = grid[..., 0], grid[..., 1]
        parts = (local[..., 2 * k] * x + local[..., 2 * k + 1] * y + local[..., 4 + k] for k in (0, 1))
        flow = cv2.merge([cv2.medianBlur(part, 3) for part in parts])
        coverage = np.where(index > rings, np.float32(1), np.where(index > rings // 2, np.float32(0.5), np.float32(0)))
        return np.asarray(flow, np.float32), coverage


NEIGHBOURS = 6
"""Of nine places around one, those that have to be a face's for the flow there to be surely its own."""


def silhouette(points: Array, side: int) -> Array:
    """Weight [side, side] in 0..1 of what lies within points [n, 2] in pixels, with a soft edge that moves steadily."""
    hull = cv2.convexHull(np.round((points - 0.5) * 256).astype(np.int32))
    mask = cv2.fillConvexPoly(np.zeros((side, side), np.uint8), hull, 255, cv2.LINE_AA, 8)
    return mask.astype(np.float32) / np.float32(255)


def grown(flow: Array, known: NDArray[np.bool_], beyond: Array) -> Array:
    """A flow [N, N, 2] that goes on a little from where it is known, [N, N], and then is another, `beyond`."""
    weight = known.astype(np.float32)
    sums, count = cv2.blur(flow * weight[..., None], (5, 5)), cv2.blur(weight, (5, 5))
    count = np.where(count > 1e-3, count, 0)[..., None]
    near = np.where(count > 0, sums / np.maximum(count, np.float32(1e-6)), beyond)
    return np.where(known[..., None], flow, near)


def sample(image: NDArray[Any], flow: Array) -> NDArray[Any]:
    """Read `image` [H, W, C] through a backward flow [h, w, 2] ([-1, 1] units); bilinear, clamped at the border."""
    height, width = image.shape[:2]
    where = flow * np.array([width / 2, height / 2], np.float32)
    where += _places(*flow.shape[:2], height, width)
    x, y = cv2.split(where)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def upsample(image: NDArray[Any], flow: Array) -> NDArray[Any]:
    """Read `image` [H, W, C] through a coarser flow [h, w, 2]; else as `sample`."""
    x, y = places(flow, *image.shape[:2])
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def places(flow: Array, height: int, width: int, density: int = 1) -> tuple[Array, Array]:
    """Columns and rows [height, width] that a coarser backward flow [h, w, 2] reads in an image.

    Plane by plane: at full resolution this is memory traffic and little else.

    Parameters
    ----------
    density : D, samples of the image per pixel each way; sample D k is pixel k
    """
    maps = []
    for axis, extent in enumerate((width, height)):
        part = np.ascontiguousarray(flow[..., axis]) * np.float32(density * extent / 2)
        fine = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        maps.append(np.asarray(cv2.add(fine, _plane(height, width, axis, density), fine), np.float32))
    return maps[0], maps[1]


@lru_cache(maxsize=8)
def _plane(height: int, width: int, axis: int, density: int) -> Array:
    """Sample column (axis 0) or row (axis 1) of every pixel, float32 [height, width]."""
    return np.ascontiguousarray(np.indices((height, width), np.float32)[1 - axis] * density)


@lru_cache(maxsize=32)
def _places(height: int, width: int, source_height: int, source_width: int) -> Array:
    """Where the pixels of a [height, width] picture lie in a [source_height, source_width] one, in its pixels."""
    places = (pixel_grid(height, width) + 1) * np.array([source_width / 2, source_height / 2], np.float32) - 0.5
    places = places.astype(np.float32)
    places.setflags(write=False)
    return places
