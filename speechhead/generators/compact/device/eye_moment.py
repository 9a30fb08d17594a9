"""The few numbers of eyes that look aside or close, worked out on the CPU."""

from __future__ import annotations

import cv2
import numpy as np

from speechhead.core.arrays import Array
from speechhead.generators.compact.eye_frame import box, edges
from speechhead.generators.compact.eyeball import GLINT, TURNED
from speechhead.generators.compact.eyes import LaidLid, Lid, TurnedBall, closing, left_over, lid_edges, turned

from .frames import BatchRows
from .moment import Driven
from .portrait import WIDTHS, HeldSource, Tensors


def eye_rows(source: HeldSource, driven: Driven) -> tuple[list[BatchRows], list[BatchRows]]:
    """The eyeballs of frames that look aside, and their lids that close."""
    balls, covers = [], []
    parts, still = left_over(driven.closures), np.zeros((len(driven.frames), 2), bool)
    for side, lid in enumerate(source.lids):
        if lid is not None:
            away = driven.keypoints[:, lid.iris, :2] - lid.home[-1, :2]
            still[:, side] = (parts[:, side] <= 0) & (np.hypot(*away.T) <= TURNED[0])
    for k, side in np.argwhere(~still).tolist():
        lid, ball, cover, part = source.lids[side], source.balls[side], source.covers[side], float(parts[k, side])
        if lid is None or cover is None:
            continue
        what = lid, part, driven.keypoints[k], driven.poses[k]
        aside, shut = turned(*what), closing(*what)
        if aside is not None and ball is not None:
            balls += _ball_row(lid, aside, ball, driven.size, driven.frames[k])
        if shut is not None:
            covers += _lid_row(lid, shut, cover, driven.size, driven.frames[k])
    return balls, covers


def _ball_row(lid: Lid, aside: TurnedBall, held: Tensors, size: int, number: int) -> list[BatchRows]:
    ball = lid.ball
    if ball is None:
        return []
    upper, lower = edges(aside.points - ball.corner, ball.white.shape[1])
    numbers = {
        "to": aside.matrix,
        "share": np.array(aside.share),
        "turn": cv2.invertAffineTransform(np.asarray(ball.turn(aside.moved), np.float64)),
        "glint_moved": GLINT * aside.moved,
        "upper": _long(upper, size),
        "lower": _long(lower, size),
        "ball": np.array([upper.mean(), ball.unit, max(ball.soft, 1.0) + 0.004 * ball.unit]),
    }
    return _row(held, numbers, box(aside.matrix, ball.white.shape, size), number)


def _lid_row(lid: Lid, shut: LaidLid, held: Tensors, size: int, number: int) -> list[BatchRows]:
    upper, lower, late = lid_edges(lid, shut.part)
    numbers = {
        "to": shut.matrix,
        "share": np.array(shut.share),
        "upper": _long(upper, size),
        "lower": _long(lower, size),
        "line": _long(lid.line, size),
        "lid": np.array([shut.part, late, lid.soft, lid.breadth, lid.unit]),
        "dark": lid.dark,
    }
    return _row(held, numbers, box(shut.matrix, lid.laid.shape, size), number)


def _row(held: Tensors, numbers: dict[str, Array], where: tuple[int, int, int, int], number: int) -> list[BatchRows]:
    """One eye's layer; none where it is out of the frame."""
    x0, y0, x1, y1 = where
    if x1 - x0 < 2 or y1 - y0 < 2:
        return []
    single = {name: np.asarray(value, np.float32)[None] for name, value in numbers.items()}
    return [BatchRows(held, single, {}, {"eye": np.array([where])}, [number])]


def _long(values: Array, size: int) -> Array:
    out = np.zeros(size + -size % WIDTHS, np.float32)  # as far as what a portrait holds of an eye may go
    out[: len(values)] = values
    return out
