"""Lids that close: skin and lashes laid over the open eye, so that nothing of it can show behind a closed seam.

The networks draw the eye no further closed than they do well. What is left of a blink is done here, in layers: a plate
of lid skin, made once from the portrait around the eye, comes down over the eyeball, and the lash line goes with its
edge. Nothing else moves: the skin above the fold, and spectacles before it, stay. Of an eye that looks aside the
eyeball is drawn first, behind the lids.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.core.stages import staged
from speechhead.face.landmarks import Pose, to_normalised, to_pixels
from speechhead.motion.blink import LID_PAIRS, MEETING

from .eye_frame import LAST, affine, after, edges, lay
from .eyeball import TURNED, Eyeball
from .iris_fit import circles, fitted, usual_radius
from .lid_plate import GRAINY, Eye, busy, drawable, hole, lashes, luma, plate
from .meshwarp import EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT

BEGIN, MOST = 0.10, 0.14
"""Closure up to which the networks draw all of it, and what they never draw more than."""

TAKEN = 0.15
"""Closure, of what the networks leave, at which the layers have fully replaced what the networks paint."""

HASTE = 0.4
"""By how much the layers run ahead half way: a lid stands before the eyeball, and what it leaves open looks wider."""

SMALLEST = 0.03
"""Height in outer eye distances of an eye that can be closed at all."""

MARGIN_X, MARGIN_Y = 0.11, 0.17
"""What the layers' frame holds around the eye, in outer eye distances."""

LINE, FALL, TAIL = 0.009, 0.017, 0.030
"""Standard deviations of the shut lash line in outer eye distances: above its middle, below it, and of the faint lashes
under it."""

OPEN_LINE, OPEN_SHARE = 0.007, 0.8
"""Standard deviation of the lash line of an open lid, seen from under its hairs, and how dark it is beside a shut one.
"""

DARKEST, OVERLAID = 0.5, 1.0
"""How light the lashes of a shut lid are at most beside its skin, and how light beside those of the open one. Real shut
lines are as light as what is darkest at the open lid, in its hue, 0.3 to 0.55 of the skin where there is no paint
(docs/evaluation_notes.md)."""

BOLD, BOLDER = 0.24, 0.15
"""Amid rims of spectacles, dots of a print or grain lashes are no lighter than the first part of their skin, and their
shut line is broader by the second: it is not told from them otherwise."""

SLENDER = (1.0, 0.4)
"""How broad the shut line of lashes as light as the skin is, beside one of black lashes, and by how much of its depth
in the skin it is broader."""

HANGING = (0.7, 1.3)
"""How dark lashes are that hang down, beside those that stand up, and how much shorter."""

SEAM = -0.05
"""Height of the seam over the lower lid, as a part of the opening: shut lids press it down a little."""

SAG, SAG_REACH = 0.15, 0.35
"""How far the seam runs below the outer corner, heights of the eye, and how far along the eye it takes to rise."""

DOME, DOME_AT, DOME_HALF = 0.12, (0.47, 1.0), (0.28, 0.6)
"""How much lighter a shut lid is at its highest place, as it stands out into the light; where that is: in parts of the
eye's width from the outer corner, and of its height over the lower lid; and half how far it reaches. Measured, like the
lash line, on blinks of the training clips."""

LIT = (0.4, 0.9)
"""How light a place is, beside the lightest around the eye, from which it stands in the light, and wholly does."""

LATE = 0.4
"""Closure, of what the networks leave, from which the lower lid takes part."""

SHUT = 0.85
"""Closure, of what the networks leave, from which nothing of the eyeball is shown."""


WARPED = (0.006, 0.014)
"""How far an iris without an eyeball goes all its way, and never further, in outer eye distances: 2.5 and 6 degrees."""

IRISES = [68, 69]
"""Landmarks of the irises."""


@dataclass(frozen=True)
class Lid:
    """One eye's layers in a frame of its own: upright, a pixel as large as the crop's.

    loop: vertices of the eye's contour, from the corner at image left along the upper lid; points: float32 [16, 2], in
    the portrait's crop; matrix: float32 [2, 3], from the crop's pixels to the frame's
    plate: float32 [h, w, 3] in 0..255, the skin of the shut eye and what is around it; laid: float32 [h, w] in 0..1,
    what of the frame is laid over; dome: float32 [h, w], by how much of itself the shut lid is lighter
    upper, lower, sag: float32 [w], rows of the open lids' edges, and how far the seam is below the lower one
    above: float32 [k, w], how much of the place over the lid's edge is lash, by rows up from it; line: float32 [w],
    how much of the edge is; dark: float32 [3], colour of lashes; breadth: of the line, 1 if they are black
    unit: pixels to an outer eye distance; soft: standard deviation of the portrait's blur in pixels
    iris: its vertex; home: float32 [17, 3], the loop and the iris in normalised space; ball: the eyeball, or None
    """

    loop: tuple[int, ...]
    points: Array
    matrix: Array
    plate: Array
    laid: Array
    dome: Array
    upper: Array
    lower: Array
    sag: Array
    above: Array
    line: Array
    dark: Array
    breadth: float
    unit: float
    soft: float
    iris: int
    home: Array
    ball: Eyeball | None


def closures(source: Array, driving: Array, lids: tuple[Lid | None, ...]) -> Array:
    """How far the lids are closed [..., 2] beside the portrait's [70, 3], of driving landmarks [..., 70, 3]; 0 for one
    that has no layers."""
    found = []
    for lid, pairs in zip(lids, (LID_PAIRS[:2], LID_PAIRS[2:])):
        if lid is None:
            found.append(np.zeros(driving.shape[:-2], np.float32))
            continue
        up, low = (list(side) for side in zip(*pairs))
        open_, now = ((f[..., low, :] - f[..., up, :])[..., :2] for f in (source, driving))
        found.append(1 - (now * open_).sum((-2, -1)) / np.maximum((open_ * open_).sum(), 1e-9))
    return np.clip(np.stack(found, -1), 0, 1).astype(np.float32)


def drawn(closure: Array) -> Array:
    """What of a closure the networks draw: all of a small one, never more than MOST."""
    room = MOST - BEGIN
    return np.where(closure <= BEGIN, closure, MOST - room * np.exp(-np.maximum(closure - BEGIN, 0) / room))


def held_open(source: Array, driving: Array, closure: Array) -> Array:
    """Driving landmarks [..., 70, 3] with lids no further closed than `drawn`; the same array where they are not.

    closure : [..., 2], of `closures`
    """
    if (closure <= BEGIN).all():
        return driving
    face, left = driving.copy(), closure - drawn(closure)
    for number, (upper, lower) in enumerate(LID_PAIRS):
        more = left[..., number // 2, None] * (source[lower] - source[upper])
        face[..., upper, :] -= (1 - MEETING) * more
        face[..., lower, :] += MEETING * more
    return face


def steadied(source: Array, driving: Array, lids: tuple[Lid | None, ...]) -> Array:
    """Driving landmarks [..., 70, 3] whose irises look aside no further than the warp draws well, if there are not two
    eyeballs; the same array where they do not."""
    moved = driving[..., IRISES, :] - source[IRISES]
    far = np.linalg.norm(moved[..., :2], axis=-1)
    if all(lid is not None and lid.ball is not None for lid in lids) or (far <= WARPED[0]).all():
        return driving
    face, room = driving.copy(), WARPED[1] - WARPED[0]
    less = np.where(far > WARPED[0], WARPED[1] - room * np.exp(-np.maximum(far - WARPED[0], 0) / room), far)
    face[..., IRISES, :] = source[IRISES] + moved * (less / np.maximum(far, 1e-9))[..., None]
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
        right = EYE_RIGHT[LAST::-1] + EYE_RIGHT[:LAST:-1]
        made = [_lid(crop, mesh, loop, pose, soft) for loop in (EYE_LEFT, right)]
        rims = [mesh[number + 1 : number + 5, :2] - mesh[number, :2] for number in (IRIS_LEFT, IRIS_RIGHT)]
        size = float(np.linalg.norm(rims, axis=2).mean())
        seen = [(*one, circles(*one[1:], size)) for one in made if one is not None]
        usual = usual_radius([tried for *_, tried in seen]) if seen else 0
        balls = [Eyeball.prepare(eye, fitted(eye, tried, usual), soft) for _, eye, _, tried in seen]
        if len(seen) < 2 or any(ball is None for ball in balls):  # both eyes look alike
            return made[0] and made[0][0], made[1] and made[1][0]
        return replace(seen[0][0], ball=balls[0]), replace(seen[1][0], ball=balls[1])

    @staged("composite")
    def close(
        self, frame: NDArray[np.uint8], lids: tuple[Lid | None, ...], closure: Array, keypoints: Array, pose: Pose
    ) -> NDArray[np.uint8]:
        """Turn the eyeballs of a frame that look aside, and lay lids over its eyes, in place.

        Parameters
        ----------
        frame : uint8 [S, S, 3], with the eyes as open as `held_open` holds them
        closure : float32 [2], of `closures`
        keypoints : float32 [478, 3], driving, held open, in normalised space; pose : driving, in crop pixels
        """
        for lid, part in zip(lids, left_over(closure).tolist()):
            if lid is None:
                continue
            ball = turned(lid, part, keypoints, pose)
            if ball is not None and lid.ball is not None:
                lay(frame, lid.ball.layer(ball.points, ball.moved), ball.matrix, ball.share)
            cover = closing(lid, part, keypoints, pose)
            if cover is not None:
                lay(frame, layer(lid, cover.part), cover.matrix, cover.share)
        return frame


@dataclass(frozen=True)
class TurnedBall:
    """Where an eye that looks aside lies: the loop of its lids float32 [16, 2] and how its iris has moved [2] in the
    eye's frame; map [2, 3] from the picture's pixels to the ball's part of it; and how much of it is laid, 0..1."""

    points: Array
    moved: Array
    matrix: Array
    share: float


@dataclass(frozen=True)
class LaidLid:
    """How far a lid is closed by its layer, 0..1; map [2, 3] from the picture's pixels to its frame; and how much of it
    is laid, 0..1."""

    part: float
    matrix: Array
    share: float


def left_over(closure: Array) -> Array:
    """What of closures [..., 2] the networks leave, 0..1 of what they leave open."""
    networks = drawn(closure)
    return np.asarray((closure - networks) / (1 - networks), np.float32)


def closing(lid: Lid, part: float, keypoints: Array, pose: Pose) -> LaidLid | None:
    """How the layer of a lid lies of whose closure `part` is left over; None of one that is open."""
    if part <= 0:
        return None
    part += HASTE * part * (1 - part)
    onto = affine(to_pixels(keypoints[list(lid.loop)], pose)[:, :2], lid.points)
    return LaidLid(part, after(onto, lid.matrix), float(smoothstep32(part, 0, TAKEN)))


def turned(lid: Lid, part: float, keypoints: Array, pose: Pose) -> TurnedBall | None:
    """How the eyeball lies behind lids that have closed by `part`; None of an eye that does not look aside, or has no
    ball."""
    if lid.ball is None or part >= SHUT:
        return None
    far = float(np.hypot(*(keypoints[lid.iris] - lid.home[-1])[:2]))
    if far <= TURNED[0]:
        return None
    home = to_pixels(lid.home, pose)[:, :2]
    matrix = after(affine(home[:-1], lid.points), lid.matrix)
    now = to_pixels(keypoints[[*lid.loop, lid.iris]], pose)[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved = now[-1] - (matrix[:, :2] @ home[-1] + matrix[:, 2])
    place = np.column_stack([matrix[:, :2], matrix[:, 2] - lid.ball.corner])
    return TurnedBall(now[:-1], moved, place, float(smoothstep32(far, *TURNED)))


def _lid(
    crop: NDArray[np.uint8], mesh: Array, loop: list[int], pose: Pose, soft: float
) -> tuple[Lid, Eye, Array] | None:
    """Layers of the eye whose contour `loop` of the mesh [478, 3] is, without its ball; the eye, and the tracked centre
    of its iris [2] in its frame."""
    unit = float(pose.scale)
    points = mesh[loop, :2]
    length = float(np.linalg.norm(points[LAST] - points[0]))
    axis = (points[LAST] - points[0]) / max(length, 1e-6)
    turn = np.array([[axis[0], axis[1]], [-axis[1], axis[0]]], np.float32)
    upright = (points - points[0]) @ turn.T
    top, bottom = float(upright[:, 1].min()), float(upright[:, 1].max())
    beyond = points.min() < 2 or points.max() > crop.shape[0] - 3
    if bottom - top < SMALLEST * unit or length < bottom - top or beyond:
        return None
    corner = np.array([-MARGIN_X * unit, top - MARGIN_Y * unit], np.float32)
    matrix = np.column_stack([turn, -turn @ points[0] - corner]).astype(np.float32)
    width, height = round(length + 2 * MARGIN_X * unit), round(bottom - top + 2 * MARGIN_Y * unit)
    seen = cv2.warpAffine(crop, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    upper, lower = edges(upright - corner, width)
    left = np.arange(width, dtype=np.float32) - MARGIN_X * unit
    outer, inner = (left, length - left) if loop is EYE_LEFT else (length - left, left)
    eye = Eye(np.asarray(seen, np.float32), upper, lower, outer, inner, unit)
    covered, laid = hole(eye)
    skin = plate(eye, covered)
    above, line, dark = lashes(eye, skin)
    seam = (np.abs(eye.rows - lower) < 0.02 * unit) & (eye.inside > 0)
    bold = busy(eye, skin, GRAINY)
    dark = dark + np.float32(bold) * (np.minimum(dark, BOLD * skin[seam].mean(0)) - dark)
    bright = float(luma(skin[seam]).mean())
    paler = drawable(eye, bright, min(OVERLAID * float(luma(dark)), DARKEST * bright))
    above, line = above * paler, line * paler
    depth = float(np.clip(1 - OVERLAID * luma(dark) / max(bright, 1.0), 0, 1))
    tall = bottom - top
    sag = SAG * tall * (1 - smoothstep32(outer / length, 0, SAG_REACH))
    iris = IRIS_LEFT if loop is EYE_LEFT else IRIS_RIGHT
    lid = Lid(
        tuple(loop),
        points,
        matrix,
        skin,
        laid,
        _dome(eye, skin, length, tall),
        upper,
        lower,
        sag,
        above,
        line,
        dark,
        (SLENDER[0] + SLENDER[1] * depth) * (1 + BOLDER * bold),
        unit,
        soft,
        iris,
        to_normalised(mesh[[*loop, iris]], pose),
        None,
    )
    return lid, eye, matrix[:, :2] @ mesh[iris, :2] + matrix[:, 2]


def _dome(eye: Eye, skin: Array, length: float, tall: float) -> Array:
    """By how much of itself a shut lid [h, w] is lighter than the skin [h, w, 3] around it, which is nothing in shadow;
    pixels of the eye's size."""
    light = cv2.GaussianBlur(luma(skin), (0, 0), 0.04 * eye.unit)
    lit = smoothstep32(light / max(float(np.percentile(light, 90)), 1.0), *LIT)
    across = (eye.outer / length - DOME_AT[0]) / DOME_HALF[0]
    up = ((eye.lower - eye.rows) / tall - DOME_AT[1]) / DOME_HALF[1]
    return np.asarray(DOME * lit * np.exp(-np.square(across) - np.square(up)), np.float32)


def layer(lid: Lid, part: float) -> Array:
    """The lid closed by 0..1 of the opening: premultiplied colours and cover, float32 [h, w, 4], in its frame."""
    rows = np.arange(len(lid.plate), dtype=np.float32)[:, None]
    upper, lower, late = lid_edges(lid, part)
    edge = max(lid.soft, 0.5)
    # The eyeball is seen between the edges; the plate covers all else of the opening, its rims and its lashes.
    ball = np.clip(np.minimum(rows - upper, lower - rows) / (2 * edge) + 0.5, 0, 1)
    ball *= 1 - smoothstep32(part, SHUT, 1.0)
    rim = np.clip((rows - lower) / edge, 0, 1) * (1 - late)  # the lower lid's rim stays as long as it is one
    taken = np.maximum(lid.line * _line(lid, rows - upper, late), _hairs(lid, upper - rows, part))
    cover = np.maximum(lid.laid * (1 - ball) * (1 - rim), taken)[..., None]
    skin = lid.plate * (1 + part * lid.dome)[..., None]
    colour = skin + taken[..., None] * (np.minimum(OVERLAID * lid.dark, DARKEST * skin) - skin)
    return np.concatenate([colour * cover, cover], 2).astype(np.float32)


def lid_edges(lid: Lid, part: float) -> tuple[Array, Array, float]:
    """Rows [w] of the upper and of the lower lid's edge in the lid's frame, closed by 0..1, and how much the lower one
    takes part, 0..1."""
    gap, late = lid.lower - lid.upper, float(smoothstep32(part, LATE, 1.0))
    upper = lid.upper + part * (1 - SEAM) * gap + late * lid.sag
    return upper, lid.lower - late * (SEAM * gap - lid.sag), late


def _line(lid: Lid, below: Array, late: float) -> Array:
    """How much of a full lash line there is so far below the edge [h, w], in pixels."""
    blur = 0.5 * max(lid.soft, 0.5)

    def bell(spread: float) -> Array:
        wide = np.square(spread * lid.breadth * lid.unit) + blur * blur
        return np.asarray(np.exp(np.square(below) * (-0.5 / wide)), np.float32)

    shown = (1 - late) * OPEN_SHARE * bell(OPEN_LINE)
    if late > 0:
        shown = shown + late * np.where(below < 0, bell(LINE), 0.75 * bell(FALL) + 0.25 * bell(TAIL))
    return np.asarray(shown, np.float32)


def _hairs(lid: Lid, over: Array, part: float) -> Array:
    """How much of the places so far over the edge [h, w] is lash: hairs stand up from an open lid, and hang down from a
    shut one."""
    columns = np.broadcast_to(np.arange(over.shape[1], dtype=np.float32), over.shape)
    up = cv2.remap(lid.above, columns, over, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    down = cv2.remap(lid.above, columns, -HANGING[1] * over, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(np.maximum(up * (1 - part**3), HANGING[0] * part * part * down), np.float32)
