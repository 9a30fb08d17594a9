"""Light that stays in the room: how the shading of a face changes as its head turns.

What a portrait's skin says of the light around it, second-order spherical harmonics over the normals of its relief
(Ramamoorthi and Hanrahan, 2001), tells how bright each place is once its normal has turned. Nothing changes at the
portrait's own pose, nor away from the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from speechhead.core.arrays import Array, Array64
from speechhead.core.smoothstep import smoothstep32
from speechhead.core.stages import staged
from speechhead.face.landmarks import Pose

from .meshwarp import OVAL, border_taper
from .mouth_light import LUMA


@dataclass(frozen=True)
class RoomShape:
    """How a portrait's light is found and how it acts; chosen on twelve training clips whose heads turn."""

    strength: float = 0.8
    """Part of the change of shading that is drawn."""

    upright: float = 0.5
    """Part of the light from above and below that is believed: foreheads are brighter than chins by themselves."""

    soft: float = 0.1
    """Sigma of the smoothing of what the light is found in, outer eye distances."""

    inner: float = 0.1
    """Distance within the face's edge from which places count as skin, outer eye distances."""

    dark: float = 0.45
    """Part of the median luma of a face below which a place is no skin."""

    ridge: float = 0.01
    """What light from a side costs against what it explains."""

    least: float = 0.3
    """The darkest shading, of which the mean is 1."""

    fade: tuple[float, float] = (0.3, 0.0)
    """Distances outside the face's edge at which nothing changes, and everything; outer eye distances."""

    low: float = -0.25
    """The most by which a place gets darker, of what it is."""

    high: float = 0.33
    """The most by which a place gets brighter."""

    seen: float = 0.002
    """Parts of what a place is by which it has to get brighter or darker: half a level of 255."""

    faint: float = 1e-4
    """Change of light below which nothing is drawn."""


ROOM = RoomShape()

TERMS = 8
"""Of a light beside its mean: x, y, z, xy, yz, xz, xx - yy, 3zz - 1 of normals."""

FINER = 4
"""In how many parts a cell of the map is divided where distances to the face's edge are measured."""


class RoomLight:
    """The light on one portrait.

    Parameters
    ----------
    light : [8], how much brighter than the mean a normal is by each of `harmonics`
    share : float32 [N, N], how much a place of the portrait goes along, by its own shading
    depth : float32 [N, N], of the portrait's `Relief`, in crop pixels; size : side of the crop in pixels
    rotation : float32 [3, 3], of the portrait's head
    """

    def __init__(self, light: npt.ArrayLike, share: Array, depth: Array, size: int, rotation: Array) -> None:
        self.light = np.asarray(light, np.float32)
        self.share = share
        self.rotation = rotation
        shades = harmonics(normals(depth, size)) * share[..., None]
        self.shades = np.ascontiguousarray(shades.reshape(-1, TERMS), np.float32)

    def change(self, pose: Pose) -> Array:
        """How the light changes, float32 [8], as seen by a head that goes to `pose`: none where it stays."""
        turn = pose.rotation.astype(np.float64) @ self.rotation.astype(np.float64).T
        return np.asarray(seen_by(self.light, turn) - self.light, np.float32)

    @staged("composite")
    def draw(self, frame: NDArray[np.uint8], flow: Array, pose: Pose) -> NDArray[np.uint8]:
        """A frame as the room lights it, in place.

        Parameters
        ----------
        frame : uint8 [S, S, 3], of a head in `pose`; flow : float32 [N, N, 2], through which its person was read
        """
        change = self.change(pose)
        if np.abs(change).max() < ROOM.faint:
            return frame
        gain = self._moved(flow, change)
        there = np.abs(gain) > ROOM.seen
        rows, columns = (np.flatnonzero(there.any(axis)) for axis in (1, 0))
        if not len(rows):
            return frame
        cells, size = len(flow), len(frame)
        x0, y0 = max(int(columns[0]) - 1, 0), max(int(rows[0]) - 1, 0)
        x1, y1 = min(int(columns[-1]) + 2, cells), min(int(rows[-1]) + 2, cells)
        left, top, right, bottom = (round(edge * size / cells) for edge in (x0, y0, x1, y1))
        wide = 3 * (right - left), bottom - top  # of a map so smooth three colours are three places
        part = cv2.resize(gain[y0:y1, x0:x1] + 1, wide, interpolation=cv2.INTER_LINEAR)
        region = frame.reshape(size, 3 * size)[top:bottom, 3 * left : 3 * right]
        cv2.multiply(region, part, dst=region, dtype=cv2.CV_8U)
        return frame

    def _moved(self, flow: Array, change: Array) -> Array:
        """By how much places of a frame get brighter [N, N], as parts of what they are, where a flow moves them."""
        count, cells = len(self.share), len(flow)
        gain = np.clip(self.shades @ change, ROOM.low, ROOM.high).reshape(count, count)
        step, half = count / cells, np.float32(count / 2)
        places = ((np.arange(cells) + 0.5) * step - 0.5).astype(np.float32)
        x, y = flow[..., 0] * half + places, flow[..., 1] * half + places[:, None]
        return np.asarray(cv2.remap(gain, x, y, cv2.INTER_LINEAR), np.float32)


def room_light(crop: NDArray[np.uint8], alpha: Array, mesh: Array, depth: Array, pose: Pose) -> RoomLight:
    """The light on a portrait.

    Parameters
    ----------
    crop : uint8 [S, S, 3]; alpha : float32 [S, S] in 0..1, how much of it is the person
    mesh : float32 [478, 3], the face in crop pixels; pose : its pose; depth : float32 [N, N], of its `Relief`
    """
    size, count, unit = len(crop), len(depth), float(pose.scale)
    within = inside_by(mesh, size, count) / np.float32(unit)
    soft = cv2.GaussianBlur(crop.astype(np.float32) @ LUMA, (0, 0), ROOM.soft * unit)
    luma = cv2.resize(soft, (count, count), interpolation=cv2.INTER_AREA)
    terms = harmonics(normals(depth, size))
    light, shading = explained(np.asarray(luma, np.float32), terms, within > ROOM.inner)
    fades = smoothstep32(within, -ROOM.fade[0], -ROOM.fade[1]) * border_taper(count)
    person = cv2.resize(np.asarray(alpha, np.float32), (count, count), interpolation=cv2.INTER_AREA)
    share = np.float32(ROOM.strength) * fades * person / np.maximum(shading, ROOM.least)
    half = np.float32(ROOM.upright)
    believed = light * np.array([1, half, 1, half, half, 1, 1, 1])  # x, y, z and their products, see `harmonics`
    return RoomLight(believed, share.astype(np.float32), depth, size, pose.rotation)


def explained(luma: Array, terms: Array, face: NDArray[np.bool_]) -> tuple[Array64, Array]:
    """The light [8] that explains the luma [N, N] of what is skin in a face [N, N], and the shading [N, N] that it
    gives everywhere; the mean is 1. terms : float32 [N, N, 8], of `harmonics`."""
    none: Array64 = np.zeros(TERMS)
    if not face.any():
        return none, np.ones_like(luma)
    skin = face & (luma > ROOM.dark * np.median(luma[face]))
    mean = float(luma[skin].mean()) if skin.any() else 0.0
    if mean <= 0:
        return none, np.ones_like(luma)
    columns = np.column_stack([np.ones(int(skin.sum())), terms[skin]]).astype(np.float64)
    costs = np.diag([0.0, *[ROOM.ridge] * TERMS]) * len(columns)
    found = np.linalg.solve(columns.T @ columns + costs, columns.T @ (luma[skin] / mean).astype(np.float64))
    return found[1:], np.asarray(found[0] + terms @ found[1:], np.float32)


def inside_by(mesh: Array, size: int, count: int) -> Array:
    """How far places [count, count] of a crop of `size` are within a face's edge, in pixels; less than 0 outside."""
    fine = FINER * count
    outline = np.round(mesh[OVAL, :2] * (fine / size)).astype(np.int32)
    face = cv2.fillPoly(np.zeros((fine, fine), np.uint8), [outline], 1)
    away = cv2.distanceTransform(face, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - face, cv2.DIST_L2, 5)
    return np.asarray(cv2.resize(away, (count, count), interpolation=cv2.INTER_AREA) * (size / fine), np.float32)


def normals(depth: Array, size: int) -> Array:
    """Normals [N, N, 3] towards the camera of a relief's depth [N, N], both in pixels of a crop of `size`."""
    step = len(depth) / size / 8
    across, down = (cv2.Sobel(depth, cv2.CV_32F, 1 - axis, axis, ksize=3, scale=step) for axis in (0, 1))
    ways = np.dstack([across, down, np.full_like(depth, -1)])
    return np.asarray(ways / np.linalg.norm(ways, axis=-1, keepdims=True), np.float32)


def harmonics(ways: Array) -> Array:
    """Spherical harmonics of the first and second order, but for their factors, of normals [..., 3]: [..., 8]."""
    x, y, z = np.moveaxis(ways, -1, 0)
    return np.stack([x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], -1)


def seen_by(light: Array, turn: Array64) -> Array64:
    """A light [8] as normals see it that a turn [3, 3] takes elsewhere: it is to n what the light was to turn n."""
    first, (xy, yz, xz, round_, up) = light[:3].astype(np.float64), light[3:].astype(np.float64)
    square = np.array([[round_ - up, xy / 2, xz / 2], [xy / 2, -round_ - up, yz / 2], [xz / 2, yz / 2, 2 * up]])
    square = turn.T @ square @ turn
    (a, b, c), (_, d, e), (_, _, f) = square
    return np.concatenate([turn.T @ first, [2 * b, 2 * e, 2 * c, (a - d) / 2, f / 2]])
