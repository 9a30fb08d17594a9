"""The few numbers of frames, worked out on the CPU with the compact generator's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array, Array64
from speechhead.face.landmarks import REFERENCE, Pose, from_mesh
from speechhead.generators.compact.cavity import CAVITY, wide
from speechhead.generators.compact.lips import LaidLips, sheet_topology
from speechhead.generators.compact.meshwarp import (
    EYE_LEFT,
    EYE_RIGHT,
    IRIS_LEFT,
    IRIS_RIGHT,
    LOWER_INNER_LIP,
    OUTER_LIP,
    OVAL,
    UPPER_INNER_LIP,
    topology,
)
from speechhead.generators.compact.rest_plate import FADE as FAINT
from speechhead.generators.compact.room_light import ROOM, TERMS
from speechhead.generators.compact.shown import PRIOR_RESOLUTION
from speechhead.generators.compact.teeth import between, parted
from speechhead.generators.compact.windows import WINDOWS, Window

from .frames import BatchRows, spans
from .portrait import HeldSource

INNER_LIPS = UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]
OUTLINES = {
    "mouth": (np.array(INNER_LIPS), np.array(OUTER_LIP)),
    "eyes": (np.array([EYE_LEFT, EYE_RIGHT]), np.array([IRIS_LEFT, IRIS_RIGHT])),
}
"""Vertices of the two masks that each window's network is shown, see `Window.shapes`."""

NOWHERE = (0, 0, 1, 1)
"""The box of what is out of the frame."""


@dataclass(frozen=True)
class Driven:
    """What drives T frames of one portrait.

    keypoints : float32 [T, 478, 3] in normalised space; closures : float32 [T, 2], how far the lids are closed
    poses : T; size : side of the frames; frames : which of the batch they are
    """

    keypoints: Array
    closures: Array
    poses: Sequence[Pose]
    size: int
    frames: Sequence[int]
    turns: Array64 = field(init=False)
    """float64 [T, 3, 3], rotation times scale."""
    shifts: Array64 = field(init=False)
    """float64 [T, 3]."""

    def __post_init__(self) -> None:
        turns = np.stack([pose.rotation.astype(np.float64) * pose.scale for pose in self.poses])
        object.__setattr__(self, "turns", turns)
        object.__setattr__(self, "shifts", np.stack([pose.translation for pose in self.poses]).astype(np.float64))

    def pixels(self, points: Array) -> Array:
        """Points [T, n, 3] or [n, 3] of normalised space in crop pixels, float32 [T, n, 3]."""
        return (points.astype(np.float64) @ self.turns.swapaxes(1, 2) + self.shifts[:, None]).astype(np.float32)


@dataclass(frozen=True)
class MomentParts:
    """What is gathered of T frames, see `BatchRows`."""

    numbers: dict[str, Array] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    boxes: dict[str, NDArray[np.int64]] = field(default_factory=dict)


def frame_rows(source: HeldSource, driven: Driven) -> BatchRows:
    """All of frames but their eyes."""
    wanted = MomentParts()
    mesh, outlines = driven.pixels(driven.keypoints), driven.pixels(between(driven.keypoints))
    _mesh(source, driven, wanted)
    _lips(source, driven, wanted, mesh, outlines)
    _windows(source, driven, wanted, mesh)
    _inside(source, driven, wanted, outlines)
    amounts = [_smile(source, keypoints) for keypoints in driven.keypoints]
    wanted.numbers["smile"] = np.array(amounts, np.float32)
    wanted.most["smile"] = int(max(amounts) > 0)
    lit = np.zeros((len(amounts), TERMS), np.float32)
    if source.room is not None:
        lit = np.stack([source.room.change(pose) for pose in driven.poses])
    wanted.numbers["room"] = lit
    wanted.most["room"] = int(np.abs(lit).max() >= ROOM.faint)
    return BatchRows(source.held, wanted.numbers, wanted.most, wanted.boxes, driven.frames)


def _mesh(source: HeldSource, driven: Driven, wanted: MomentParts) -> None:
    ways = [np.stack(each) for each in zip(*(source.relief.ways(pose) for pose in driven.poses))]
    solid = driven.keypoints + source.relief.lift(ways[0])
    vertices = driven.pixels(source.warper.moving(solid))
    posed = np.ascontiguousarray(vertices[:, : solid.shape[1], :2])
    cells = np.float32(PRIOR_RESOLUTION / driven.size)
    wanted.numbers["around"] = source.relief.driven(posed[:, OVAL], (ways[0], ways[1]))
    wanted.numbers["hull"] = np.stack([_hull(places) for places in posed * cells - np.float32(0.5)])
    wanted.numbers["vertices"] = vertices * np.float32(2 / driven.size) - np.array([1, 1, 0], np.float32)
    triangles, rings, _ = topology()
    flat = vertices[..., :2] * cells
    wanted.most["face"] = spans(flat[:, triangles[rings:]])
    wanted.most["ring"] = spans(flat[:, triangles[rings // 2 : rings]])


def _hull(points: Array) -> Array:
    """The outline around points [n, 2], float32 [72, 2]; its last point is there several times."""
    hull = cv2.convexHull(points)[:, 0]
    return np.concatenate([hull, np.repeat(hull[-1:], max(2 * len(OVAL) - len(hull), 0), 0)])[: 2 * len(OVAL)]


def _lips(source: HeldSource, driven: Driven, wanted: MomentParts, mesh: Array, outlines: Array) -> None:
    sheets, numbers = source.lips, wanted.numbers
    tall, broad = sheets.plate.upper.shape[:2]
    found = [sheets.placed(*one, driven.size) for one in zip(mesh, outlines, driven.poses)]
    laid = [one or _no_lips(len(sheets.vertices)) for one in found]
    for name in ("driving", "line", "between", "dark"):
        numbers[f"lip_{name}"] = np.stack([getattr(one, name) for one in laid])
    numbers["lip_tone"] = np.broadcast_to(sheets.plate.line, (len(laid), 3))
    scalars = [
        (one.shown, one.soft, one.reach, one.fade, there is not None, broad - 1, tall - 1)
        for one, there in zip(laid, found)
    ]
    numbers["lips"] = np.array(scalars, np.float32)
    wanted.most["lip_soft"] = int(np.ceil(4 * max(one.soft for one in laid)))
    wanted.most["lip_triangles"] = spans(numbers["lip_driving"][:, sheet_topology().triangles, :2])
    wanted.boxes["lips"] = np.array([one.box for one in laid])


def _no_lips(vertices: int) -> LaidLips:
    """Of a mouth that is out of the frame."""
    driving = np.zeros((vertices, 3), np.float32)
    line, outline = driving[: len(UPPER_INNER_LIP) + 2, :2], driving[: len(INNER_LIPS), :2]
    return LaidLips(NOWHERE, driving, line, outline, outline, 0.0, 1.0, 1, 3)


def _smile(source: HeldSource, keypoints: Array) -> float:
    """How much of the smile is taken out of a frame."""
    amount = 0.0 if source.smile is None else source.smile.amount(from_mesh(keypoints))
    return amount if amount >= FAINT else 0.0


def _windows(source: HeldSource, driven: Driven, wanted: MomentParts, mesh: Array) -> None:
    numbers, count = wanted.numbers, len(driven.frames)
    for name, window in WINDOWS.items():
        centre = window.centre(source.canonical)
        matrices = np.stack([window.matrix(centre, pose, driven.size) for pose in driven.poses])
        to, wanted.boxes[name] = _places(window, matrices, driven.size)
        for part, vertices in zip(("first", "second"), OUTLINES[name]):
            places = mesh[:, vertices, :2].reshape(count, -1, 2) - np.float32(0.5)
            pixels = places @ to[:, :, :2].swapaxes(1, 2) + to[:, None, :, 2]
            numbers[f"{name}_{part}"] = pixels.reshape(count, *vertices.shape, 2)
        numbers[f"{name}_matrix"], numbers[f"{name}_to"] = matrices, to
        numbers[f"{name}_motion"] = _motions(source, driven, window)
    white = source.inside.white
    numbers["tone"] = np.broadcast_to(white / max(float(white.mean()), 1.0), (count, 3))
    numbers["grey"] = np.full(count, source.inside.grey)


def _motions(source: HeldSource, driven: Driven, window: Window) -> Array:
    """`Window.motion` of T frames."""
    still = window.motion(source.seen, source.seen, source.pose, source.pose)
    half = len(still) // 2
    moved = 5 * (from_mesh(driven.keypoints) - REFERENCE)[:, list(window.points)].reshape(len(driven.frames), -1)
    angles = np.array([pose.angles[:2] for pose in driven.poses]) / 30
    return np.concatenate([moved, angles, np.broadcast_to(still[half:], (len(angles), half))], 1)


def _places(window: Window, matrices: Array, size: int) -> tuple[Array, NDArray[np.int64]]:
    """Maps [T, 2, 3] from a frame's pixels to a window's, and the boxes [T, 4] that the window lies in."""
    half = np.array([window.width / 2, window.height / 2])
    ends = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    corners = (ends @ matrices[:, :, :2].swapaxes(1, 2) + matrices[:, None, :, 2] + 1) * (size / 2)
    low = np.clip(np.floor(corners.min(1)).astype(int), 0, size - 1)
    high = np.clip(np.ceil(corners.max(1)).astype(int) + 1, low + 1, size)
    linear = half[:, None] * np.linalg.inv(matrices[:, :, :2]) * (2 / size)
    offset = np.einsum("tij,tj->ti", linear, 0.5 - (matrices[:, :, 2] + 1) * (size / 2)) + half - 0.5
    return np.concatenate([linear, offset[..., None]], 2), np.concatenate([low, high], 1)


def _inside(source: HeldSource, driven: Driven, wanted: MomentParts, outlines: Array) -> None:
    inside, numbers, size = source.inside, wanted.numbers, driven.size
    faces = from_mesh(driven.keypoints)
    now, scales = inside.now(faces), np.array([pose.scale for pose in driven.poses], np.float32)
    outlines = outlines[..., :2]
    shades = 2 * np.round(CAVITY.shade * scales / 2) + 1
    margins = np.round(CAVITY.shade * scales)[:, None] + 2
    low = np.maximum(np.floor(outlines.min(1)) - margins, 0).astype(int)
    high = np.minimum(np.ceil(outlines.max(1)) + margins, size).astype(int)
    there = (high - low >= 4).all(1)
    shown = parted(faces) * there
    numbers["in_outline"], numbers["in_soft"] = outlines, np.float32(inside.soft) * scales
    numbers["in_shown"], numbers["in_shade"] = shown, np.asarray(shades, np.float32)
    numbers["in_even"], numbers["in_tongue"], numbers["in_wide"] = now.even, now.tongue, wide(faces, inside.rest)
    turns = np.asarray(driven.turns, np.float32)
    numbers["in_matrix"], numbers["in_inverse"] = turns, np.linalg.inv(turns[:, :2, :2])
    edges = driven.pixels(np.stack([now.lower, now.upper, np.broadcast_to(now.middle, now.lower.shape)], 1))
    for k, name in enumerate(("lower", "upper", "middle")):
        numbers[f"in_{name}"] = edges[:, k]
    light = inside.light
    for name, row in (("lower", inside.lower), ("upper", inside.upper)):
        numbers[f"in_{name}_row"] = np.tile([row.curve, *row.edge, inside.unit], (len(faces), 1))
    bound = light.most * light.hue
    for name, value in (("skin", light.skin), ("white", inside.white), ("most", bound), ("grey", [light.grey])):
        numbers[f"in_{name}"] = np.tile(value, (len(faces), 1))
    wanted.most["in_soft"] = int(np.ceil(4 * numbers["in_soft"].max()))
    wanted.most["in_shade"], wanted.most["open"] = int(shades.max() + 1) // 2 + 1, int(shown.max() > 0)
    wanted.boxes["inside"] = np.where(there[:, None], np.concatenate([low, high], 1), NOWHERE)
