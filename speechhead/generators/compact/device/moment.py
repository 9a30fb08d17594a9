"""The few numbers of a frame, worked out on the CPU with the compact generator's own functions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose, from_mesh, to_pixels
from speechhead.generators.compact.cavity import CAVITY, wide
from speechhead.generators.compact.eye_frame import box, edges
from speechhead.generators.compact.eyeball import GLINT
from speechhead.generators.compact.eyes import LaidLid, Lid, TurnedBall, closing, left_over, lid_edges, turned
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
from speechhead.generators.compact.shown import PRIOR_RESOLUTION
from speechhead.generators.compact.teeth import between, parted
from speechhead.generators.compact.windows import WINDOWS, Window

from .frames import BatchRow, Box, spans
from .portrait import HeldSource, Tensors, moving_vertices

INNER_LIPS = UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]
NOWHERE: Box = (0, 0, 1, 1)

Numbers = dict[str, Array]
Counts = dict[str, int]
Places = dict[str, Box]


@dataclass(frozen=True)
class Driven:
    """What drives one frame: keypoints float32 [478, 3] in normalised space, how far the lids are closed [2], pose, and
    the side of the frame."""

    keypoints: Array
    closure: Array
    pose: Pose
    size: int


def frame_row(source: HeldSource, driven: Driven, number: int) -> BatchRow:
    """All of a frame but its eyes."""
    numbers: Numbers = {}
    most: Counts = {}
    boxes: Places = {}
    for part in (_mesh, _lips, _smile, _windows, _inside):
        part(source, driven, numbers, most, boxes)
    return BatchRow(source.held, numbers, most, boxes, number)


def _mesh(source: HeldSource, driven: Driven, numbers: Numbers, most: Counts, _: Places) -> None:
    pose, size = driven.pose, driven.size
    solid = source.relief.raised(driven.keypoints, pose)
    vertices = source.warper.driven(solid, pose)[: moving_vertices()]
    posed = to_pixels(solid, pose)[:, :2]
    triangles, rings, _holes = topology()
    hull = cv2.convexHull(posed * np.float32(PRIOR_RESOLUTION / size) - np.float32(0.5))[:, 0]
    numbers["vertices"] = vertices
    numbers["around"] = source.relief.driven(posed[OVAL], pose)
    numbers["hull"] = np.concatenate([hull, np.repeat(hull[-1:], len(posed) - len(hull), 0)])[: len(OVAL) * 2]
    cells = vertices[:, :2] * np.float32(PRIOR_RESOLUTION / 2)
    most["face"], most["ring"] = spans(cells[triangles[rings:]]), spans(cells[triangles[rings // 2 : rings]])


def _lips(source: HeldSource, driven: Driven, numbers: Numbers, most: Counts, boxes: Places) -> None:
    pose, sheets = driven.pose, source.lips
    mesh = to_pixels(driven.keypoints, pose)
    laid = sheets.placed(mesh, to_pixels(between(driven.keypoints), pose), pose, driven.size)
    there = laid is not None
    laid = laid or _no_lips(len(sheets.vertices))
    tall, wide_ = sheets.plate.upper.shape[:2]
    numbers["lip_driving"], numbers["lip_line"] = laid.driving, laid.line
    numbers["lip_between"], numbers["lip_dark"] = laid.between, laid.dark
    numbers["lip_tone"] = sheets.plate.line
    numbers["lips"] = np.array([laid.shown, laid.soft, laid.reach, laid.fade, there, wide_ - 1, tall - 1], np.float32)
    most["lip_soft"] = int(np.ceil(4 * laid.soft))
    most["lip_triangles"] = spans(laid.driving[sheet_topology().triangles, :2])
    boxes["lips"] = laid.box


def _no_lips(vertices: int) -> LaidLips:
    """Of a mouth that is out of the frame."""
    driving = np.zeros((vertices, 3), np.float32)
    line, outline = driving[: len(UPPER_INNER_LIP) + 2, :2], driving[: len(INNER_LIPS), :2]
    return LaidLips(NOWHERE, driving, line, outline, outline, 0.0, 1.0, 1, 3)


def _smile(source: HeldSource, driven: Driven, numbers: Numbers, most: Counts, _: Places) -> None:
    amount = 0.0 if source.smile is None else source.smile.amount(from_mesh(driven.keypoints))
    numbers["smile"] = np.array([amount if amount >= FAINT else 0.0], np.float32)
    most["smile"] = int(amount >= FAINT)


def _windows(source: HeldSource, driven: Driven, numbers: Numbers, _: Counts, boxes: Places) -> None:
    pose, size = driven.pose, driven.size
    posed, driving = to_pixels(driven.keypoints, pose), from_mesh(driven.keypoints)
    for name, window in WINDOWS.items():
        matrix = window.matrix(window.centre(source.canonical), pose, size)
        pixels = window.pixels(posed, matrix, size)
        if name == "mouth":
            numbers["mouth_first"], numbers["mouth_second"] = pixels[INNER_LIPS], pixels[OUTER_LIP]
        else:
            numbers["eyes_first"] = np.stack([pixels[EYE_LEFT], pixels[EYE_RIGHT]])
            numbers["eyes_second"] = pixels[[IRIS_LEFT, IRIS_RIGHT]]
        numbers[f"{name}_matrix"] = matrix
        numbers[f"{name}_motion"] = window.motion(source.seen, driving, source.pose, pose)
        numbers[f"{name}_to"], boxes[name] = _place(window, matrix, size)
    white = source.inside.white
    numbers["tone"] = white / max(float(white.mean()), 1.0)
    numbers["grey"] = np.array([source.inside.grey], np.float32)


def _place(window: Window, matrix: Array, size: int) -> tuple[Array, Box]:
    """Map [2, 3] from a frame's pixels to a window's, and the box that the window lies in."""
    half = np.array([window.width / 2, window.height / 2])
    ends = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    corners = (ends @ matrix[:, :2].T + matrix[:, 2] + 1) * (size / 2)
    x0, y0 = np.clip(np.floor(corners.min(0)).astype(int), 0, size - 1).tolist()
    x1, y1 = np.clip(np.ceil(corners.max(0)).astype(int) + 1, (x0 + 1, y0 + 1), size).tolist()
    linear = np.diag(half) @ np.linalg.inv(matrix[:, :2]) * (2 / size)
    offset = linear @ (0.5 - (matrix[:, 2] + 1) * (size / 2)) + half - 0.5
    return np.column_stack([linear, offset]), (x0, y0, x1, y1)


def _inside(source: HeldSource, driven: Driven, numbers: Numbers, most: Counts, boxes: Places) -> None:
    inside, pose, size = source.inside, driven.pose, driven.size
    face = from_mesh(driven.keypoints)
    now, scale = inside.now(face), pose.scale
    outline = to_pixels(between(driven.keypoints), pose)[:, :2]
    matrix = np.asarray(pose.rotation * scale, np.float32)
    shade, soft = 2 * round(CAVITY.shade * scale / 2) + 1, inside.soft * scale
    margin = round(CAVITY.shade * scale) + 2
    x0, y0 = np.maximum(np.floor(outline.min(0)).astype(int) - margin, 0).tolist()
    x1, y1 = np.minimum(np.ceil(outline.max(0)).astype(int) + margin, size).tolist()
    there = x1 - x0 >= 4 and y1 - y0 >= 4
    shown = parted(face) if there else 0.0
    numbers["in_outline"], numbers["in_soft"] = outline, np.array([soft])
    numbers["in_shown"], numbers["in_shade"] = np.array([shown]), np.array([float(shade)])
    numbers["in_skin"], numbers["in_white"] = inside.light.skin, inside.white
    numbers["in_most"], numbers["in_grey"] = np.array([inside.light.most]), np.array([inside.grey])
    numbers["in_even"], numbers["in_tongue"] = np.array(now.even), np.array([now.tongue])
    numbers["in_wide"] = np.array([wide(face, inside.rest)])
    numbers["in_matrix"], numbers["in_inverse"] = matrix, np.linalg.inv(matrix[:2, :2])
    for name, edge in (("lower", now.lower), ("upper", now.upper), ("middle", now.middle)):
        numbers[f"in_{name}"] = to_pixels(edge, pose)
    for name, row in (("lower", inside.lower), ("upper", inside.upper)):
        numbers[f"in_{name}_row"] = np.array([row.curve, *row.edge, inside.unit])
    most["in_soft"], most["in_shade"], most["open"] = int(np.ceil(4 * soft)), (shade + 1) // 2 + 1, int(shown > 0)
    boxes["inside"] = (x0, y0, x1, y1) if there else NOWHERE


def eye_rows(source: HeldSource, driven: Driven, number: int) -> tuple[list[BatchRow], list[BatchRow]]:
    """The eyeballs of a frame that look aside, and its lids that close."""
    balls, covers = [], []
    for lid, ball, cover, part in zip(source.lids, source.balls, source.covers, left_over(driven.closure)):
        if lid is None or cover is None:
            continue
        aside = turned(lid, part, driven.keypoints, driven.pose)
        if aside is not None and ball is not None:
            balls.append(_ball_row(lid, aside, ball, driven.size, number))
        shut = closing(lid, part, driven.keypoints, driven.pose)
        if shut is not None:
            covers.append(_lid_row(lid, shut, cover, driven.size, number))
    return [row for row in balls if row is not None], [row for row in covers if row is not None]


def _ball_row(lid: Lid, aside: TurnedBall, held: Tensors, size: int, number: int) -> BatchRow | None:
    ball = lid.ball
    where = None if ball is None else _eye_box(aside.matrix, ball.white.shape, size)
    if ball is None or where is None:
        return None
    upper, lower = edges(aside.points - ball.corner, ball.white.shape[1])
    scalars = float(upper.mean()), ball.unit, max(ball.soft, 1.0) + 0.004 * ball.unit
    numbers = {
        "to": aside.matrix,
        "share": np.array([aside.share]),
        "turn": cv2.invertAffineTransform(np.asarray(ball.turn(aside.moved), np.float64)),
        "glint_moved": GLINT * aside.moved,
        "upper": _long(upper, size),
        "lower": _long(lower, size),
        "ball": np.array(scalars),
    }
    return BatchRow(held, numbers, {}, {"eye": where}, number)


def _lid_row(lid: Lid, shut: LaidLid, held: Tensors, size: int, number: int) -> BatchRow | None:
    where = _eye_box(shut.matrix, lid.laid.shape, size)
    if where is None:
        return None
    upper, lower, late = lid_edges(lid, shut.part)
    numbers = {
        "to": shut.matrix,
        "share": np.array([shut.share]),
        "upper": _long(upper, size),
        "lower": _long(lower, size),
        "line": _long(lid.line, size),
        "lid": np.array([shut.part, late, lid.soft, lid.breadth, lid.unit]),
        "dark": lid.dark,
    }
    return BatchRow(held, numbers, {}, {"eye": where}, number)


def _eye_box(matrix: Array, shape: tuple[int, ...], size: int) -> Box | None:
    x0, y0, x1, y1 = box(matrix, shape, size)
    return None if x1 - x0 < 2 or y1 - y0 < 2 else (x0, y0, x1, y1)


def _long(values: Array, size: int) -> Array:
    return np.pad(np.asarray(values, np.float32), (0, size - len(values)))
