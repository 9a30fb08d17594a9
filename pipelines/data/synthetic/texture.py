"""The atlas of a portrait: what the photo shows of skin and eyes, and a guess at what it does not."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.generators.compact.fill import push_pull
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP, UPPER_INNER_LIP

from .fit import Eyeball, Fit
from .head import MOUTH_BAG, SKIN, SOCKET, Head, Integers, vertex_normals
from .raster import Buffer

TILE = 448
"""Side of the tiles of the face and of the back of the head."""
EYE_TILE = 128
EYE_ANGLE = 1.25
"""Radians from the eye's axis to the edge of its tile."""
FINE = 2
"""Pixels of the visibility test per photo pixel."""
_FACING = (0.12, 0.45)
"""Cosines between which skin counts as seen: nearer to the outline the photo's background bleeds in."""


class Layout:
    """Where each corner of a head's triangles lies in the atlas, and which triangle each texel shows."""

    def __init__(self, head: Head) -> None:
        uv = head.uv * np.array([TILE, -TILE], np.float32) + np.array([0, TILE], np.float32)
        self.skin: Integers = head.of(SKIN, MOUTH_BAG, SOCKET)
        self.corners: Integers = head.triangle_uv[self.skin]
        self.places: Array = (uv - 0.5).astype(np.float32)
        self.triangles: Integers = head.triangles[self.skin]
        flat = np.concatenate([self.places, np.zeros((len(uv), 1), np.float32)], 1)
        self.texels = Buffer(TILE, 2 * TILE).draw(flat, self.corners)


class PhotoBuffers:
    """What a photo shows of a head: buffers of skin alone and of everything, at `FINE` times the photo's size."""

    def __init__(self, head: Head, vertices: Array, height: int, width: int) -> None:
        fine = fine_pixels(vertices)
        self.all = Buffer(height * FINE, width * FINE).draw(fine, head.triangles)
        skin = head.of(SKIN, MOUTH_BAG, SOCKET)
        self.skin = Buffer(height * FINE, width * FINE).draw(fine, head.triangles[skin])
        part = np.where(self.skin.index >= 0, head.part[skin][self.skin.index], -1)
        self.mouth: NDArray[np.bool_] = part == MOUTH_BAG
        self.eyes: NDArray[np.bool_] = part == SOCKET
        self.part: NDArray[np.int8] = np.where(self.all.index >= 0, head.part[self.all.index], -1).astype(np.int8)


def fine_pixels(pixels: Array, factor: int = FINE) -> Array:
    """Pixels [V, 3] of a picture in one `factor` times as large (centres stay centres; depth grows too)."""
    out = pixels * np.float32(factor)
    out[:, :2] += (factor - 1) / 2
    return out


def sample(image: NDArray[Any], places: Array, interpolation: int = cv2.INTER_LINEAR) -> Array:
    """Read a float32 picture at pixels [H, W, 2]; its border repeats."""
    x, y = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    return np.asarray(cv2.remap(image, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE), np.float32)


def bake_skin(
    head: Head, table: Layout, photo: Array, vertices: Array, mesh: Array, seen: PhotoBuffers, zones: Array
) -> Array:
    """Texels [TILE, 2 TILE, 3] of the skin.

    Parameters
    ----------
    photo : float32 [H, W, 3]; vertices : float32 [V, 3] pixels of the head at rest; mesh : [478, 3] tracked points
    zones : [V, 2], how far skin is ear or temple, and where a narrower face may have its outline
    """
    normals = vertex_normals(vertices, table.triangles)
    trust = trusted(photo.shape[:2], seen, mesh)
    known = table.texels.interpolate(np.concatenate([vertices, normals, zones], 1), table.triangles)
    places, depth, facing = known[..., :2], known[..., 2], -known[..., 5]
    fine = places * FINE + (FINE - 1) / 2
    front = sample(np.where(np.isfinite(seen.all.depth), seen.all.depth, 1e6), fine, cv2.INTER_NEAREST)
    visible = (depth * FINE < front + 3 * FINE).astype(np.float32)
    weight = visible * smoothstep32(facing, *_FACING) * sample(trust, places)
    weight[table.texels.index < 0] = 0
    weight = np.asarray(cv2.erode(weight, np.ones((3, 3))), np.float32)
    colour = sample(photo, places, cv2.INTER_CUBIC)
    # Beside the cheeks the model may be wider than the face: what differs from the cheek there is not skin.
    face = slice(0, TILE)
    cheek = push_pull(colour[:, face], weight[:, face] * (facing[:, face] > 0.55))
    differs = np.linalg.norm(colour[:, face] - cheek, axis=-1)
    weight[:, face] *= 1 - known[:, face, 7] * smoothstep32(differs, 30, 60)
    weight = np.maximum(weight - 0.25, 0) / 0.75  # little is as good as nothing: it would still outweigh nothing
    out = []
    for half in (slice(0, TILE), slice(TILE, 2 * TILE)):
        base = push_pull(colour[:, half], weight[:, half])
        # A turned face: the hidden side borrows detail, not light, from the other one.
        mirrored, known_there = base[:, ::-1], weight[:, half][:, ::-1]
        detail = mirrored - cv2.GaussianBlur(mirrored, (0, 0), 6)
        borrowed = (1 - weight[:, half]) * smoothstep32(cv2.blur(known_there, (9, 9)), 0.5, 1.0)
        filled = base + borrowed[..., None] * detail
        out.append(filled + (1 - weight[:, half, None]) * _grain(base, weight[:, half]))
    return np.clip(np.concatenate(out, 1), 0, 255).astype(np.float32)


def _grain(colour: Array, weight: Array) -> Array:
    """Fine structure like that of the known texels [S, S, 3], for filled ones, which have none."""
    fine = (colour - cv2.GaussianBlur(colour, (0, 0), 2.5)) * weight[..., None]
    size = np.abs(fine[weight > 0.9])
    limit = 2.0 * float(np.median(size)) if len(size) else 0.0
    moved = np.roll(np.clip(fine, -limit, limit), (TILE // 9, TILE // 23), (0, 1))
    return np.asarray(moved, np.float32)


def trusted(shape: tuple[int, int], seen: PhotoBuffers, mesh: Array) -> Array:
    """How far each photo pixel [H, W] shows skin and nothing else: 0 in and beside the openings."""
    height, width = shape
    # The dark line between closed lips belongs to neither; lips that open would carry it along.
    seam = np.zeros((height * FINE, width * FINE), np.uint8)
    loop = np.r_[UPPER_INNER_LIP, LOWER_INNER_LIP[-2:0:-1]]
    points = np.round(mesh[loop, :2] * FINE * 16 + 8).astype(np.int32)
    cv2.fillPoly(seam, [points], 255, lineType=cv2.LINE_AA, shift=4)
    cv2.polylines(seam, [points], True, 255, 3, lineType=cv2.LINE_AA, shift=4)
    mouth = cv2.dilate(np.maximum(seam, seen.mouth.astype(np.uint8) * 255), np.ones((3, 3)))
    eyes = seen.eyes.astype(np.uint8) * 255
    holes = cv2.GaussianBlur(np.maximum(mouth, eyes), (0, 0), 0.8)
    small = cv2.resize(255 - holes, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(255)


def eye_directions() -> Array:
    """Directions [EYE_TILE, EYE_TILE, 3] of an eye tile's texels, in the eye's own axes (it looks along -z)."""
    line = (np.arange(EYE_TILE, dtype=np.float32) + 0.5) * (2 * EYE_ANGLE / EYE_TILE) - EYE_ANGLE
    x, y = np.meshgrid(line, line)
    angle = np.maximum(np.hypot(x, y), 1e-6)
    s = np.sin(angle) / angle
    return np.stack([x * s, y * s, -np.cos(angle)], -1).astype(np.float32)


def eye_texels(directions: Array) -> Array:
    """Tile pixels [..., 2] of directions [..., 3] in the eye's axes; the inverse of `eye_directions`."""
    angle = np.arccos(np.clip(-directions[..., 2], -1, 1))
    across = np.linalg.norm(directions[..., :2], axis=-1)
    flat = directions[..., :2] * (angle / np.maximum(across, 1e-6))[..., None]
    return ((flat + EYE_ANGLE) * (EYE_TILE / (2 * EYE_ANGLE)) - 0.5).astype(np.float32)


def gaze_rotation(yaw: float, pitch: float) -> Array:
    """Rotation [3, 3] that turns an eye looking along -z to yaw (right of the picture) and pitch (down), radians."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return (about_y @ about_x).astype(np.float32)


def bake_eye(eye: Eyeball, fit: Fit, photo: Array, seen: PhotoBuffers) -> tuple[Array, Array]:
    """An eye's tile [EYE_TILE, EYE_TILE, 3], and the colour [3] of its white in this photo's light."""
    directions = eye_directions()
    points = eye.centre + eye.radius * directions @ gaze_rotation(*eye.gaze).T
    places = fit.view.project(points)[..., :2]
    colour = sample(photo, places, cv2.INTER_CUBIC)
    opening = cv2.erode(seen.eyes.astype(np.float32), np.ones((3, 3)))
    weight = sample(cv2.GaussianBlur(opening, (0, 0), 0.7), places * FINE + (FINE - 1) / 2)
    facing = (directions @ gaze_rotation(*eye.gaze).T) @ fit.view.rotation[2]
    weight = np.where(facing < -0.25, np.clip(2 * weight - 0.6, 0, 1), 0).astype(np.float32)
    angle = np.arccos(np.clip(-directions[..., 2], -1, 1))
    rim = float(np.arcsin(min(eye.iris / eye.radius, 0.7)))
    inside = 1 - smoothstep32(angle, 0.96 * rim, 1.1 * rim)
    iris = _iris(colour, weight, angle, rim)
    white = _white(colour, weight * (angle > 1.25 * rim), photo)
    around = weight * smoothstep32(angle, 1.05 * rim, 1.25 * rim)
    # Where little of the white shows, it is guessed: an eye's corners are too dark to stand for all of it.
    pad = push_pull(np.where(around[..., None] > 0, colour, white).astype(np.float32), np.maximum(around, 0.02))
    shade = 1 - 0.25 * smoothstep32(angle, 0.5, 1.2)
    pad = 0.5 * pad + 0.5 * white * shade[..., None]
    sclera = colour * around[..., None] + pad * (1 - around[..., None])
    tile = iris * inside[..., None] + sclera * (1 - inside[..., None])
    return tile.astype(np.float32), white


def _iris(colour: Array, weight: Array, angle: Array, rim: float) -> Array:
    """The iris, its hidden parts from the ring of the same radius."""
    rings = np.linspace(0, 1.3 * rim, 14)
    which = np.clip(np.digitize(angle, rings) - 1, 0, len(rings) - 1)
    profile = np.zeros((len(rings), 3), np.float32)
    count = np.zeros(len(rings), np.float32)
    for ring in range(len(rings)):
        here = (which == ring) & (weight > 0.7)
        count[ring] = here.sum()
        if count[ring] > 4:
            profile[ring] = np.median(colour[here], axis=0)
    if not (count > 4).any():
        profile[:] = 40.0
        count[:] = 5
    known = np.flatnonzero(count > 4)
    for channel in range(3):
        profile[:, channel] = np.interp(np.arange(len(rings)), known, profile[known, channel])
    full = np.stack([np.interp(angle, rings, profile[:, c]) for c in range(3)], -1)
    return (colour * weight[..., None] + full * (1 - weight[..., None])).astype(np.float32)


def _white(colour: Array, weight: Array, photo: Array) -> Array:
    """A plausible colour [3] of the white of the eye: the bright part of what is seen of it."""
    seen = colour[weight > 0.6]
    if len(seen) < 12:
        return np.float32(np.percentile(photo.reshape(-1, 3), 75, axis=0))
    luma = seen.mean(1)
    return np.float32(seen[luma >= np.percentile(luma, 60)].mean(0))
