"""Lids that close: skin and lashes laid over the open eye, so that nothing of it can show behind a closed seam.

The networks draw the eye no further closed than they do well. What is left of a blink is done here, in layers: a plate
of lid skin, made once from the portrait around the eye, comes down over the eyeball, and the lash line goes with its
edge. Nothing else moves: the skin above the fold, and spectacles before it, stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose, to_pixels
from speechhead.motion.blink import LID_PAIRS, MEETING

from .fill import push_pull, smoothstep
from .meshwarp import EYE_LEFT, EYE_RIGHT

BEGIN, MOST = 0.10, 0.16
"""Closure up to which the networks draw all of it, and what they never draw more than."""

TAKEN = 0.15
"""Closure, of what the networks leave, at which the layers have fully replaced what the networks paint."""

SMALLEST = 0.03
"""Height in outer eye distances of an eye that can be closed at all."""

ABOVE, BELOW, BESIDE = 0.045, 0.028, 0.025
"""How far around the opening lashes and rims are, in outer eye distances: the plate replaces them."""

LASHES = 0.05
"""How far above the edge lashes reach at most."""

REACH, DARK = 0.08, 0.88
"""How far above the edge lashes are looked for, and how light they are at most beside the skin around them."""

STRAY = 0.6
"""Part of a dark thing that may lie further off; more, and it is no lash."""

THIN = 0.03
"""Half width of what is dark and no wider than lashes are, in outer eye distances."""

NEAR = 0.03
"""How far from the lids the skin is looked at that a shut lid is made of, in outer eye distances."""

MARGIN_X, MARGIN_Y = 0.09, 0.15
"""What the plate's frame holds around the eye, in outer eye distances."""

LINE, FALL, TAIL = 0.009, 0.012, 0.028
"""Standard deviations of the shut lash line in outer eye distances: above its middle, below it, and of the faint lashes
under it."""

DARKEST = 0.4
"""How light lashes are at most beside the lid."""

LINE_SHARE = (0.8, 1.0)
"""How much of the middle of a shut lash line is lash, at least and at most."""

OPEN_LINE = 0.007
"""Standard deviation of the lash line of an open lid, seen from under its hairs."""

DOME, DOME_ROW, DOME_HALF = 0.12, 1.0, (0.28, 0.6)
"""How much lighter a shut lid is at its highest place, as it stands out into the light; where that is, heights of the
eye over the lower lid; and its width and height, in parts of the eye's width and height. Measured, like the lash line,
on blinks of the training clips."""

SAG = 0.15
"""How far the seam runs below the outer corner, heights of the eye."""

_KNOTS = 9


@dataclass(frozen=True)
class Lid:
    """One eye's layers in a frame of its own: x along the eye's corners, y down, one pixel as in the crop.

    matrix: float32 [2, 3], from pixels of the crop to pixels of the frame
    plate: float32 [h, w, 3] in 0..255, the skin of the shut eye
    laid: float32 [h, w] in 0..1, what of the frame is laid over
    above: float32 [k, w], how much of the place over the lid's edge is lash, by rows up from it
    upper, lower: float32 [w], rows of the open lids' edges; equal beyond the corners
    line: float32 [w], how much of the edge is lash; dark: float32 [3], colour of lashes
    unit: pixels to an outer eye distance; soft: blur of the portrait in pixels
    """

    loop: tuple[int, ...]
    points: Array
    matrix: Array
    plate: Array
    laid: Array
    above: Array
    upper: Array
    lower: Array
    line: Array
    sag: Array
    dome: Array
    dark: Array
    unit: float
    soft: float


def closures(source: Array, driving: Array) -> Array:
    """How far the lids are closed [2] beside the portrait's, of landmarks [70, 3] in normalised space."""
    found = []
    for pairs in (LID_PAIRS[:2], LID_PAIRS[2:]):
        open_, now = (np.stack([f[low] - f[up] for up, low in pairs])[:, :2] for f in (source, driving))
        found.append(1 - float((now * open_).sum() / max(float((open_ * open_).sum()), 1e-9)))
    return np.clip(np.array(found, np.float32), 0, 1)


def drawn(closure: Array) -> Array:
    """What of a closure the networks draw: all of a small one, never more than MOST."""
    room = MOST - BEGIN
    return np.where(closure <= BEGIN, closure, MOST - room * np.exp(-np.maximum(closure - BEGIN, 0) / room))


def held_open(source: Array, driving: Array, closure: Array) -> Array:
    """Driving landmarks [70, 3] with lids no further closed than `drawn`; the same array where they are not."""
    if (closure <= BEGIN).all():
        return driving
    face, left = driving.copy(), closure - drawn(closure)
    for number, (upper, lower) in enumerate(LID_PAIRS):
        more = left[number // 2] * (source[lower] - source[upper])
        face[upper] -= (1 - MEETING) * more
        face[lower] += MEETING * more
    return face


class Lids:
    """Closes the eyes of a finished frame."""

    def prepare(self, crop: NDArray[np.uint8], mesh: Array, pose: Pose, soft: float) -> tuple[Lid | None, ...]:
        """Layers of the eye at image left and of that at image right; None for one that is shut or out of the crop.

        Parameters
        ----------
        crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels; pose : of the portrait
        soft : standard deviation of the portrait's blur, pixels
        """
        return tuple(_lid(crop, mesh, loop, float(pose.scale), soft) for loop in (EYE_LEFT, EYE_RIGHT))

    def close(
        self, frame: NDArray[np.uint8], lids: tuple[Lid | None, ...], closure: Array, keypoints: Array, pose: Pose
    ) -> NDArray[np.uint8]:
        """Lay lids over the eyes of a frame, in place.

        Parameters
        ----------
        frame : uint8 [S, S, 3], with the eyes as open as `held_open` holds them
        closure : float32 [2], of `closures`
        keypoints : float32 [478, 3], driving, held open, in normalised space; pose : driving, in crop pixels
        """
        for lid, part in zip(lids, (closure - drawn(closure)) / (1 - drawn(closure))):
            if lid is not None and part > 0:
                _lay(frame, lid, float(part), to_pixels(keypoints[list(lid.loop)], pose)[:, :2])
        return frame


def _edges(points: Array, width: int) -> tuple[Array, Array]:
    """Rows [w] of the upper and the lower edge of an eye's loop [16, 2] in its frame, smooth."""
    columns = np.arange(width, dtype=np.float32)
    edges = []
    for part in (points[: _KNOTS], np.concatenate([points[_KNOTS - 1 :], points[:1]])[::-1]):
        x = np.maximum.accumulate(part[:, 0] + np.arange(_KNOTS) * 1e-3)
        rows = np.interp(columns, x, part[:, 1]).astype(np.float32)
        side = 2 * max(1, round(0.06 * float(x[-1] - x[0]))) + 1
        smooth = cv2.blur(np.pad(rows, side, "reflect", reflect_type="odd")[None], (side, 1))[0, side:-side]
        edges.append(np.asarray(smooth, np.float32))
    upper, lower = edges
    return np.minimum(upper, lower), np.maximum(upper, lower)


def _lid(crop: NDArray[np.uint8], mesh: Array, loop: list[int], unit: float, soft: float) -> Lid | None:
    points = mesh[loop, :2]
    first, last = points[0], points[_KNOTS - 1]
    if last[0] < first[0]:  # the eye at image right runs from its outer corner
        points = np.concatenate([points[_KNOTS - 1 :: -1], points[:_KNOTS - 1 : -1]])
        first, last = last, first
    length = float(np.linalg.norm(last - first))
    if length < 4:
        return None
    axis = (last - first) / length
    turn = np.array([[axis[0], axis[1]], [-axis[1], axis[0]]])
    rows = (points - first) @ turn.T
    top, bottom = float(rows[:, 1].min()), float(rows[:, 1].max())
    if bottom - top < SMALLEST * unit or points.min() < 2 or points.max() > crop.shape[0] - 3:
        return None
    corner = np.array([-MARGIN_X * unit, top - MARGIN_Y * unit])
    matrix = np.column_stack([turn, -turn @ first - corner]).astype(np.float32)
    width, height = round(length + 2 * MARGIN_X * unit), round(bottom - top + 2 * MARGIN_Y * unit)
    seen = cv2.warpAffine(crop, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    seen = np.asarray(seen, np.float32)
    local = np.asarray(rows - corner, np.float32)
    upper, lower = _edges(local, width)
    columns = np.arange(width, dtype=np.float32)
    left, right = columns - local[0, 0], local[_KNOTS - 1, 0] - columns
    inside = np.minimum(left, right)
    hole, laid = _hole(_luma(seen), upper, lower, inside, unit)
    plate = _plate(seen, hole, upper, lower, unit)
    above, line, dark = _lashes(seen, plate, upper, inside, unit)
    outer, inner = (left, right) if loop is EYE_LEFT else (right, left)
    taper = smoothstep(outer / unit, -0.07, 0.06) * smoothstep(inner / unit, -0.02, 0.08)
    tall = float((lower - upper).max())
    sag = SAG * tall * (1 - smoothstep(outer / length, 0, 0.35))
    across = (outer / length - 0.47) / DOME_HALF[0]
    up = ((lower - np.arange(height, dtype=np.float32)[:, None]) / tall - DOME_ROW) / DOME_HALF[1]
    dome = DOME * np.exp(-np.square(across) - np.square(up))
    ordered = tuple(loop) if mesh[loop[0], 0] < mesh[loop[_KNOTS - 1], 0] else (
        *loop[_KNOTS - 1 :: -1], *loop[: _KNOTS - 1 : -1])
    return Lid(ordered, points, matrix, plate, laid, above * taper, upper, lower, line * taper, sag, dome, dark, unit, soft)


def _luma(picture: NDArray) -> Array:
    return np.asarray(picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))


def _zone(rows: Array, upper: Array, lower: Array, inside: Array, above: float, below: float, beside: float) -> Array:
    """Signed distance [h, w] out of the opening widened by these, in their unit; positive outside."""
    tall = np.maximum(upper - above - rows, rows - lower - below)
    return np.asarray(np.maximum(tall, -inside - beside), np.float32)


def _hole(luma: Array, upper: Array, lower: Array, inside: Array, unit: float) -> tuple[Array, Array]:
    """What shows of the open eye [h, w] in 0..1: the opening with its rims, and lashes as far as they reach; and what
    of the frame is laid over at all.

    Dark things around the eye are lashes, but for those that go on out of sight: brows, hair, spectacles.
    """
    rows = np.arange(len(luma), dtype=np.float32)[:, None] / unit
    upper, lower, inside = upper / unit, lower / unit, inside / unit
    hole = 1 - smoothstep(_zone(rows, upper, lower, inside, ABOVE, BELOW, BESIDE), 0, 0.012)
    reach = _zone(rows, upper, lower, inside, REACH, BELOW + 0.012, REACH)
    near = reach < 0
    wide = np.ones((1, 2 * max(1, round(THIN * unit)) + 1), np.uint8)  # lashes stand up, folds lie
    light = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, wide)
    dark = (luma < DARK * light) & (hole < 0.99)
    count, parts = cv2.connectedComponents(dark.astype(np.uint8))
    total, beyond = (np.bincount(parts[where], minlength=count) for where in (dark, dark & ~near))
    lashes = dark & near & (beyond <= STRAY * total)[parts]
    side = 2 * max(1, round(0.01 * unit)) + 1
    grown = cv2.dilate(lashes.astype(np.float32), np.ones((side, side), np.uint8))
    hole = np.maximum(hole, cv2.GaussianBlur(grown, (0, 0), 0.25 * side))
    return np.asarray(hole, np.float32), np.maximum(hole, 1 - smoothstep(reach, -0.03, 0))


def _plate(seen: Array, hole: Array, upper: Array, lower: Array, unit: float) -> Array:
    """Skin [h, w, 3] where the eye is: that over the lid, drawn down, and at the seam that under the eye."""
    rows = np.arange(len(seen), dtype=np.float32)[:, None]
    known = np.square(1 - hole)
    luma = _luma(seen)
    local = np.asarray(cv2.GaussianBlur(luma * known, (0, 0), 0.03 * unit), np.float32)
    local /= np.maximum(cv2.GaussianBlur(known, (0, 0), 0.03 * unit), 1e-3)
    skin = float(np.median(luma[known > 0.9])) if (known > 0.9).any() else 128.0
    glare = smoothstep(luma / max(skin, 1.0), 1.2, 1.5)
    weight = known * (0.02 + smoothstep(luma / np.maximum(local, 1), 0.6, 0.9)) * (1 - 0.99 * glare)
    away = (np.maximum(upper - rows, rows - lower) / unit).clip(0)
    near = np.exp(-0.5 * np.square(np.maximum(away - ABOVE, 0) / NEAR))
    columns = []
    for side in (rows < 0.5 * (upper + lower), rows >= 0.5 * (upper + lower)):
        share = weight * near * side + 1e-4 * weight
        pixels = cv2.GaussianBlur(np.dstack([seen * share[..., None], share]).sum(0)[None], (0, 0), 0.05 * unit)[0]
        columns.append(pixels[:, :3] / np.maximum(pixels[:, 3:], 1e-6))
    down = smoothstep((rows - upper) / np.maximum(lower - upper + 0.03 * unit, 1), 0.55, 1.25)[..., None]
    shade = _luma(columns[0]) / np.maximum(_luma(columns[1]), 1)  # under a rim or a brow, the skin is not the lid's
    columns[0] += 0.8 * (1 - smoothstep(shade, 0.45, 0.8))[:, None] * (columns[1] - columns[0])
    drawn_down = columns[0] + down * (columns[1] - columns[0])
    filled = push_pull(seen, np.asarray(np.minimum(weight, 1), np.float32))
    inner = cv2.GaussianBlur((np.asarray(hole) > 0.5).astype(np.float32), (0, 0), 0.025 * unit)
    inner = smoothstep(inner, 0.45, 0.95)[..., None]
    even = cv2.GaussianBlur(np.asarray(filled + inner * (drawn_down - filled), np.float32), (0, 0), 0.015 * unit)
    fine = seen - cv2.GaussianBlur(seen, (0, 0), 0.012 * unit)
    skin_drawn = even + _grain(fine, lower, unit)
    return np.asarray(seen + hole[..., None] * (skin_drawn - seen), np.float32)


def _grain(fine: Array, lower: Array, unit: float) -> Array:
    """Texture [h, w, 3] of the skin under the eye, for all of the frame."""
    height = len(fine)
    first = min(int(lower.max() + (BELOW + 0.01) * unit), height - 2)
    strip = fine[first:]
    limit = 2.5 * float(np.median(np.abs(strip))) + 0.5
    tiles = [strip if k % 2 == 0 else strip[::-1] for k in range(-(-height // len(strip)))]
    return np.clip(np.concatenate(tiles)[:height], -limit, limit)


def _lashes(seen: Array, plate: Array, upper: Array, inside: Array, unit: float) -> tuple[Array, Array, Array]:
    """How much of each place over the lid's edge is lash [k, w], by rows up from it, and of the edge itself [w]; and
    the colour of lashes [3]."""
    rows, columns = np.mgrid[0 : round(LASHES * unit) + 1, 0 : seen.shape[1]].astype(np.float32)

    def over(picture: Array) -> Array:
        return np.asarray(cv2.remap(picture, columns, upper - rows, cv2.INTER_LINEAR), np.float32)

    eye = (inside > 0) & (rows < 0.03 * unit)
    colours, luma = over(seen), over(_luma(seen))
    dark = colours[eye & (luma <= np.percentile(luma[eye], 12))].mean(0)
    room = np.maximum(over(_luma(plate)) - float(_luma(dark[None])[0]), 12)
    taken = np.clip((over(_luma(plate)) - luma) / room, 0, 1)
    near = taken[: max(2, round(0.02 * unit))].max(0)
    line = cv2.blur(near[None], (2 * round(0.04 * unit) + 1, 1))[0]
    far = 1 - smoothstep(rows / unit, 0.3 * LASHES, LASHES)
    return np.asarray(taken * far, np.float32), np.asarray(np.clip(line, *LINE_SHARE), np.float32), dark


def layer(lid: Lid, part: float) -> Array:
    """The lid closed by 0..1 of the opening: premultiplied colours and cover, float32 [h, w, 4], in its frame."""
    rows = np.arange(len(lid.plate), dtype=np.float32)[:, None]
    gap = lid.lower - lid.upper
    late = float(smoothstep(part, 0.4, 1.0))
    upper = lid.upper + part * (1 - MEETING) * gap + late * lid.sag
    lower = lid.lower - late * MEETING * gap + late * lid.sag
    edge = max(lid.soft, 0.5)
    # The eyeball is seen between the edges; the plate covers all else of the opening, its rims and its lashes.
    ball = np.clip(np.minimum(rows - upper, lower - rows) / (2 * edge) + 0.5, 0, 1)
    ball *= 1 - smoothstep(part, 0.85, 1.0)
    under = np.clip((rows - lower) / edge, 0, 1) * (1 - late)  # the lower lid's rim stays as long as it is one
    cover = lid.laid * (1 - ball) * (1 - under)
    # The lash line, and the lashes: over the lid while it is up, under its edge when it is down.
    away = (rows - upper) / lid.unit

    def bell(spread: float) -> Array:
        return np.asarray(np.exp(-0.5 * np.square(away / np.hypot(spread, 0.5 * edge / lid.unit))), np.float32)

    shut = np.where(away < 0, bell(LINE), 0.75 * bell(FALL) + 0.25 * bell(TAIL))
    taken = lid.line * ((1 - late) * 0.8 * bell(OPEN_LINE) + late * shut)
    taken = np.maximum(taken, _hairs(lid, upper, rows, part))
    cover = np.maximum(cover, taken)
    skin = lid.plate * (1 + part * lid.dome)[..., None]
    colour = skin + taken[..., None] * (np.minimum(lid.dark, DARKEST * skin) - skin)
    return np.dstack([colour * cover[..., None], cover]).astype(np.float32)


def _hairs(lid: Lid, upper: Array, rows: Array, part: float) -> Array:
    columns = np.broadcast_to(np.arange(len(upper), dtype=np.float32), (len(rows), len(upper)))
    off = np.asarray(upper - rows, np.float32)
    up = cv2.remap(lid.above, columns, off, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    down = cv2.remap(lid.above, columns, -off * 1.3, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(np.maximum(up * (1 - part) ** 2, 0.7 * down * part * part), np.float32)


def _lay(frame: NDArray[np.uint8], lid: Lid, part: float, points: Array) -> None:
    """Lay a lid's layer over the frame where its open eye's loop [16, 2] is."""
    size = frame.shape[0]
    # Least squares: pixels of the frame to pixels of the portrait's crop, then to those of the lid.
    ones = np.column_stack([points, np.ones(len(points))])
    fitted = np.linalg.lstsq(ones, lid.points, rcond=None)[0].T
    matrix = np.vstack([fitted, [0, 0, 1]])
    matrix = np.vstack([lid.matrix, [0, 0, 1]]) @ matrix
    height, width = lid.plate.shape[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]) @ np.linalg.inv(matrix).T
    x0, y0 = np.maximum(np.floor(corners[:, :2].min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners[:, :2].max(0)).astype(int) + 1, size)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    shifted = matrix[:2].copy()
    shifted[:, 2] += matrix[:2, :2] @ (x0, y0)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(layer(lid, part), shifted, (int(x1 - x0), int(y1 - y0)), flags=how)
    laid *= np.float32(smoothstep(part, 0, TAKEN))
    region = frame[y0:y1, x0:x1]
    frame[y0:y1, x0:x1] = cv2.convertScaleAbs(region * (1 - laid[..., 3:]) + laid[..., :3])
