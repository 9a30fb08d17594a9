"""The lips as two sheets, each with a flow of its own, drawn at the resolution of the crop.

The landmark warp of a whole portrait is one flow on a coarse grid. Across the seam of closed lips, where upper and
lower lip come from different places, it is interpolated: pixels there read what was between. Here a pixel above the lip
line reads the upper lip's plate alone, and one below it the lower lip's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.face.landmarks import TRIANGLES, Pose

from .meshwarp import LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP
from .plate import Plate, clean_plate, filled

CORNERS = (61, 76, 62, 78, 291, 306, 292, 308)
UPPER_BETWEEN: tuple[int, ...] = (185, 40, 39, 37, 0, 267, 269, 270, 409, 184, 74, 73, 72, 11, 302, 303, 304, 408)
UPPER_BETWEEN += (183, 42, 41, 38, 12, 268, 271, 272, 407, 191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_BETWEEN: tuple[int, ...] = (146, 91, 181, 84, 17, 314, 405, 321, 375, 77, 90, 180, 85, 16, 315, 404, 320, 307)
LOWER_BETWEEN += (96, 89, 179, 86, 15, 316, 403, 319, 325, 95, 88, 178, 87, 14, 317, 402, 318, 324)
"""Vertices of the upper and of the lower lip; the corners belong to both."""

BEYOND = 0.12
"""How far a sheet goes on behind its lip's edge, outer eye distances."""

AROUND, FADE = 0.055, 0.03
"""How far from the opening the sheets are laid, and over which they fade: as far as the flow mixes the lips, outer eye
distances. Further out, where a lip that goes down folds the skin under it, the flow is coarse enough for no crease."""

MARGIN = 0.12
"""What the plates show around the mesh of the mouth, outer eye distances."""

THIN = 0.012
"""Width of the line between closed lips, outer eye distances."""

SHARPEST = 0.006
"""Least sigma of the edge of the dark between lips, outer eye distances."""

FINER = 4
"""Samples per pixel, each way, in which the thin dark between lips is drawn."""

SLIVER, SHRUNK = 3.0, 10.0
"""Twice the area in pixels of a triangle so thin that it is one colour: drawn a pixel wider than it is, it would read
far outside itself. So would one that has the second times as many samples in the plate as it has pixels; but not behind
a lip's edge, where triangles are high: of one colour they are dark blocks on the edge of a smile that is rounded."""

APART = (0.004, 0.02)
"""Openings, outer eye distances, between which the dark appears between lips that were shut."""

_RINGS = 2


@dataclass(frozen=True)
class SheetTopology:
    """Vertices of the mouth and its surroundings [n], and triangles [F, 3] of places in them and in what goes on behind
    the lips' edges, 11 vertices of the upper and 11 of the lower lip: `skin` triangles of the skin around the lips, and
    `sheet` of the upper and of the lower lip each, the first `edges` of them behind its edge."""

    vertices: NDArray[np.int64]
    triangles: NDArray[np.int64]
    skin: int
    sheet: int
    edges: int

    @property
    def behind(self) -> NDArray[np.bool_]:
        """Which triangles [F] lie behind the lips' edges."""
        number = np.arange(len(self.triangles)) - self.skin
        return np.asarray((number >= 0) & (number % self.sheet < self.edges), np.bool_)


@lru_cache(maxsize=1)
def sheet_topology() -> SheetTopology:
    """The same for every mouth."""
    triangles = TRIANGLES.astype(np.int64)
    upper, lower = CORNERS + UPPER_BETWEEN, CORNERS + LOWER_BETWEEN
    halves = [np.isin(triangles, half).all(1) for half in (upper, lower)]
    reached = np.unique(np.concatenate([upper, lower]))
    for _ in range(_RINGS):
        reached = np.unique(triangles[np.isin(triangles, reached).any(1)])
    around = np.isin(triangles, reached).all(1) & ~halves[0] & ~halves[1]
    parts = [np.searchsorted(reached, triangles[around])]
    for number, (inner, own) in enumerate(zip((UPPER_INNER_LIP, LOWER_INNER_LIP), halves)):
        edge = np.searchsorted(reached, inner)
        far = len(reached) + number * len(inner) + np.arange(len(inner))
        parts.append(np.stack([edge[:-1], edge[1:], far[1:]], 1))
        parts.append(np.stack([edge[:-1], far[1:], far[:-1]], 1))
        parts.append(np.searchsorted(reached, triangles[own]))
    skin, strips, lip = len(parts[0]), len(parts[1]) + len(parts[2]), len(parts[3])
    return SheetTopology(reached, np.concatenate(parts), skin, strips + lip, strips)


@dataclass(frozen=True)
class LaidLips:
    """Where the lips of one frame lie, in its pixels; places count from the middle of the first pixel.

    box: x0, y0, x1, y1, pixels that they may change; driving: float32 [n + 22, 3], the sheets' vertices
    line: float32 [13, 2], the lip line with the mouth's outer corners; between: float32 [20, 2], outline of the opening
    dark: float32 [n, 2], outline of the dark in it, `shown` of it (0 to 1), its edge blurred by sigma `soft` pixels
    reach, fade: pixels from the opening up to which the sheets are laid, and over which they fade, odd
    """

    box: tuple[int, int, int, int]
    driving: Array
    line: Array
    between: Array
    dark: Array
    shown: float
    soft: float
    reach: int
    fade: int


@dataclass(frozen=True)
class LipSheets:
    """The lips of one portrait.

    plate: its pictures; vertices: float32 [n, 2], where the vertices of the sheets lie in their samples; soft: sigma of
    the edge of what is drawn between them, outer eye distances.
    """

    plate: Plate
    vertices: Array
    soft: float

    @classmethod
    def prepare(cls, crop: NDArray[np.uint8], mesh: Array, pose: Pose, soft: float) -> LipSheets:
        """The sheets of a portrait.

        Parameters
        ----------
        crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels; pose : of the portrait
        soft : sigma of the edge of what is drawn between the lips, outer eye distances
        """
        places = sheet_vertices(mesh, pose)[:, :2]
        margin = MARGIN * pose.scale
        size = crop.shape[0]
        x0, y0 = np.clip(np.floor(places.min(0) - margin), 0, size - 8).astype(int)
        x1, y1 = np.clip(np.ceil(places.max(0) + margin), (x0 + 8, y0 + 8), size).astype(int)
        plate = clean_plate(crop, mesh, pose, (int(x0), int(y0), int(x1), int(y1)))
        samples = (places - np.array([x0 + 0.5, y0 + 0.5], np.float32)) * plate.density
        return cls(plate, samples.astype(np.float32), max(soft, SHARPEST))

    def draw(self, frame: NDArray[np.uint8], mesh: Array, opening: Array, pose: Pose) -> NDArray[np.uint8]:
        """Lay the lips into a frame, in place.

        Parameters
        ----------
        frame : uint8 [S, S, 3]; mesh : float32 [478, 3], driving, in its pixels
        opening : float32 [n, 2 or 3], outline of what is seen between the lips, in its pixels, left to right along the
            upper lip and back along the lower one
        pose : driving
        """
        laid = self.placed(mesh, opening, pose, frame.shape[0])
        if laid is None:
            return frame
        x0, y0, x1, y1 = laid.box
        shape, corner = (y1 - y0, x1 - x0), np.array([x0, y0], np.float32)
        mixed, covered = self._sheets(shape, laid.driving - np.array([x0, y0, 0], np.float32), laid.line - corner)
        self._darken(mixed, laid, corner)
        near = np.zeros(shape, np.uint8)
        cv2.fillPoly(near, [np.round((laid.between - corner) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        side = 2 * laid.reach + 1
        near = cv2.dilate(near, np.ones((side, side), np.uint8))  # type: ignore[assignment]
        faded = cv2.blur(near, (laid.fade, laid.fade), borderType=cv2.BORDER_REPLICATE)
        share = np.multiply(faded, covered, dtype=np.float32) * np.float32(1 / 255)
        region = np.ascontiguousarray(frame[y0:y1, x0:x1])
        frame[y0:y1, x0:x1] = cv2.blendLinear(mixed, region, share, 1 - share)
        return frame

    def _sheets(
        self, shape: tuple[int, int], driving: Array, line: Array
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Both sheets seen from either side of the lip line: colours [h, w, 3], and where they are [h, w].

        Parameters
        ----------
        shape : h, w, pixels; driving : float32 [n, 3], the sheets' vertices in them
        line : float32 [13, 2], the lip line in them, with the mouth's outer corners
        """
        topology = sheet_topology()
        triangles = topology.triangles
        corners, origin = driving[triangles], self.vertices[triangles]
        affine, drawn = _affine(corners[..., :2], origin, topology.behind)
        points = np.round(corners[..., :2] * 16).astype(np.int32)
        depth = corners[..., 2].sum(1)

        def paint(index: NDArray[np.uint8], start: int, stop: int) -> None:
            order = start + np.argsort(-depth[start:stop], kind="stable")
            order = order[drawn[order]]
            for number, polygon in zip((order + 1).tolist(), points[order]):
                cv2.fillConvexPoly(index, polygon, number, cv2.LINE_8, 4)

        base = np.zeros(shape, np.uint8)  # there are fewer than 256 triangles
        paint(base, 0, topology.skin)
        _, top, _, bottom = _window(line, 2, shape[1], shape[0])
        top, bottom = min(top, shape[0]), max(bottom, min(top, shape[0]))
        pictures, covered = np.zeros((2, *shape, 3), np.uint8), np.zeros((2, *shape), bool)
        start = topology.skin
        for number, (plate, rows) in enumerate(
            ((self.plate.upper, slice(0, bottom)), (self.plate.lower, slice(top, shape[0])))
        ):
            index = base.copy()
            paint(index, start, start + topology.edges)
            paint(index, start + topology.edges, start + topology.sheet)
            start += topology.sheet
            index = index[rows]
            index[index == 0] = cv2.dilate(index, np.ones((3, 3), np.uint8))[index == 0]  # between folded triangles
            covered[number, rows] = index > 0
            pictures[number, rows] = _read(plate, affine, index, rows.start)
        above = _above(shape, line, top, bottom)
        there = np.where(above >= 0.5, covered[0], covered[1])
        above = np.where(covered[0] & covered[1], above, covered[0].astype(np.float32))
        mixed = cv2.blendLinear(pictures[0], pictures[1], above, 1 - above)
        return np.asarray(mixed, np.uint8), there

    def placed(self, mesh: Array, opening: Array, pose: Pose, size: int) -> LaidLips | None:
        """Where the lips of a frame of `size` pixels a side lie; None where they are out of it. Arguments of `draw`.

        Between closed lips the dark is a line where the portrait has none.
        """
        reach, outer = AROUND * pose.scale, mesh[OUTER_LIP, :2]
        box = _window(outer, 2 * reach, size, size)
        if box[2] - box[0] < 4 or box[3] - box[1] < 4:
            return None
        middle = (mesh[UPPER_INNER_LIP, :2] + mesh[LOWER_INNER_LIP, :2]) / 2
        line = np.concatenate([outer[:1], middle, outer[10:11]]) - np.float32(0.5)
        between = np.concatenate([mesh[UPPER_INNER_LIP, :2], mesh[LOWER_INNER_LIP[-2:0:-1], :2]]) - np.float32(0.5)
        driving = sheet_vertices(mesh, pose)
        driving[:, :2] -= np.float32(0.5)
        half = len(opening) // 2 + 1
        down = pose.rotation[:2, 1] / max(float(np.linalg.norm(pose.rotation[:2, 1])), 1e-6)
        outline = opening[:, :2] - np.float32(0.5)
        taper = np.sin(np.linspace(0, np.pi, half)) ** 0.8
        back = np.concatenate([outline[:1], outline[: half - 2 : -1]])
        gap = np.maximum((back - outline[:half]) @ down, 0)
        missing = np.maximum(self.plate.parted * THIN * pose.scale * taper - gap, 0) / 2
        outline[:half] -= missing[:, None] * down
        outline[half:] += missing[-2:0:-1, None] * down
        shown = max(self.plate.parted, float(smoothstep32(float(gap.max()) / pose.scale, *APART)))
        wide = max(1, round(reach)), 2 * max(1, round(FADE * pose.scale)) + 1
        return LaidLips(box, driving, line, between, outline, shown, max(0.5, self.soft * pose.scale), *wide)

    def _darken(self, mixed: NDArray[np.uint8], laid: LaidLips, corner: Array) -> None:
        """Draw the dark between the lips into a picture of them [h, w, 3] from a pixel [2] on, in place."""
        outline = laid.dark - corner
        x0, y0, x1, y1 = _window(outline, 3 * laid.soft + 1, mixed.shape[1], mixed.shape[0])
        if laid.shown <= 0 or x1 <= x0 or y1 <= y0:
            return
        region = mixed[y0:y1, x0:x1]
        mask = _fine(region.shape, outline - np.array([x0, y0], np.float32))
        dark = laid.shown * cv2.GaussianBlur(mask, (0, 0), laid.soft)[..., None]
        region[:] = cv2.convertScaleAbs(region + dark * np.minimum(self.plate.line - region, 0))


def _window(points: Array, margin: float, width: int, height: int) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1: the pixels around points [n, 2], within a picture."""
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    x0, y0 = max(math.floor(left - margin), 0), max(math.floor(top - margin), 0)
    return x0, y0, min(math.ceil(right + margin), width), min(math.ceil(bottom + margin), height)


def sheet_vertices(mesh: Array, pose: Pose) -> Array:
    """Vertices of the sheets [n + 22, 3] in pixels, of a mesh [478, 3]: behind its edge a lip goes straight on."""
    down = np.asarray(pose.rotation[:, 1] * (BEYOND * pose.scale), np.float32)
    parts = [mesh[sheet_topology().vertices], mesh[UPPER_INNER_LIP] + down, mesh[LOWER_INNER_LIP] - down]
    return np.concatenate(parts).astype(np.float32)


def _affine(corners: Array, origin: Array, behind: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """Affine maps [6, F + 1] of triangles [F, 3, 2] onto others; column 0 is for none; and which are drawn.

    behind : bool [F], of `SheetTopology`
    """
    (ax, ay), (bx, by) = (corners[:, k].T - corners[:, 0].T for k in (1, 2))
    (sx, sy), (tx, ty) = (origin[:, k].T - origin[:, 0].T for k in (1, 2))
    determinant = ax * by - bx * ay
    drawn = np.abs(determinant) > 1e-3
    shrunk = (np.abs(sx * ty - sy * tx) > SHRUNK * np.abs(determinant)) & ~behind
    wide = (np.abs(determinant) > SLIVER) & ~shrunk
    scale = wide / np.where(wide, determinant, 1)
    affine = np.zeros((6, len(corners) + 1), np.float32)
    affine[0, 1:], affine[1, 1:] = (sx * by - tx * ay) * scale, (tx * ax - sx * bx) * scale
    affine[3, 1:], affine[4, 1:] = (sy * by - ty * ay) * scale, (ty * ax - sy * bx) * scale
    origin = np.where(wide[:, None, None], origin, origin.mean(1, keepdims=True))
    x, y = corners[:, 0].T
    affine[2, 1:] = origin[:, 0, 0] - affine[0, 1:] * x - affine[1, 1:] * y
    affine[5, 1:] = origin[:, 0, 1] - affine[3, 1:] * x - affine[4, 1:] * y
    return affine, drawn


def _read(plate: NDArray[np.uint8], affine: Array, index: NDArray[np.uint8], first: int) -> NDArray[np.uint8]:
    """A plate seen through the affine maps of triangles whose numbers are in `index` [h, w], from row `first` on."""
    height, width = index.shape
    x, y = np.arange(width, dtype=np.float32), np.arange(first, first + height, dtype=np.float32)[:, None]
    maps = []
    for k in (0, 3):
        places = affine[k].take(index)
        places *= x
        places += affine[k + 1].take(index) * y
        places += affine[k + 2].take(index)
        maps.append(places)
    return np.asarray(cv2.remap(plate, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _fine(shape: tuple[int, ...], outline: Array) -> Array:
    """As `filled`, but drawn finer: the edges of what is a pixel or two thin must not waver from frame to frame."""
    height, width = shape[:2]
    fine = filled((height * FINER, width * FINER), (outline + 0.5) * FINER - 0.5)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _above(shape: tuple[int, int], line: Array, top: int, bottom: int) -> Array:
    """Weight [h, w] of the upper sheet: above the lip line [n, 2], which lies between two rows and goes on level beyond
    the mouth's corners."""
    right = shape[1] + 9.0
    ends = np.array([[-9.0, line[0, 1]], [right, line[-1, 1]], [right, -9.0], [-9.0, -9.0]])
    outline = np.concatenate([ends[:1], line, ends[1:]]).astype(np.float32)
    above = np.zeros(shape, np.float32)
    above[:top] = 1
    if bottom > top:
        above[top:bottom] = _fine((bottom - top, shape[1]), outline - np.array([0, top], np.float32))
    return above
