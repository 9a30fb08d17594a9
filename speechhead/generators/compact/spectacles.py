"""Spectacles: found by their rims, which turn as one stiff piece before the face.

Both rims are looked for at once, each as a closed line about its eye that is darker, or lighter, than what lies on both
of its sides. Where there are none, nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.face.landmarks import Pose, to_pixels

from .meshwarp import EYE_LEFT, EYE_RIGHT


@dataclass(frozen=True)
class RimShape:
    """What rims are like. Lengths are outer eye distances; chosen by eye on portraits with and without spectacles."""

    wide: float = 1.3
    """Width of a lens over its height."""

    near: float = 0.13
    """Half the height of the lowest lens."""

    far: float = 0.36
    """That of the highest."""

    down: float = 0.04
    """How far the middle of a lens is under that of its eye."""

    step: float = 0.006
    """Between heights that are looked at."""

    thick: tuple[int, ...] = (4, 6, 9)
    """Steps from the middle of a line to what lies beside it."""

    steep: int = 2
    """Steps by which a rim may grow from one of its directions to the next."""

    even: float = 0.01
    """What such a step costs, of a line's contrast."""

    alike: int = 3
    """Steps by which the two rims may differ where they are looked for at once."""

    below: tuple[float, float] = (15.0, 165.0)
    """Degrees from outwards on, clockwise, between which a rim passes under its eye, where no brow and no lash is."""

    around: tuple[int, int] = (21, 21)
    """Places whose mean light the contrast of a line is a part of."""

    dark: float = 20.0
    """The least such light, in levels."""

    sure: float = 0.036
    """Contrast from which on the faintest quarter of what is under an eye is a rim: of 139 portraits 15 of 22 pairs of
    spectacles have it, wire and lenses without rims not, and one drawn face without."""

    bridge: tuple[float, float] = (-0.26, 0.22)
    """Heights over and under the inner corners of the eyes between which a bridge crosses the nose."""

    across: float = 0.11
    """Half its width."""

    joined: float = 0.25
    """Contrast of a line across the nose from which on it is a bridge, however faint the rims: of 28 pairs of
    spectacles 21 have it, those without rims or with half ones among them, and of 121 faces without none has."""

    bend: float = 1.4
    """Radius about which a pair of spectacles is bent."""

    level: float = -0.27
    """Depth of their middle where they are looked for."""

    before: float = 0.05
    """How far it is before the skin under it, on the average."""

    stiff: tuple[float, float] = (0.05, 0.11)
    """Distances from a rim up to which a face's points go with it, and from which they do not."""

    eyes: tuple[float, float] = (0.02, 0.08)
    """Distances from an eye's opening up to which its points stay with the eye, and from which they need not."""


RIMS = RimShape()

DIRECTIONS = np.arange(72) * (2 * np.pi / 72)
"""In which a rim lies from the middle of its lens: 0 is away from the nose, a quarter of a turn is down."""

EYES = (EYE_LEFT, EYE_RIGHT)

INNER = (133, 362)
"""Points at the inner corners of the eyes."""


def worn(crop: NDArray[np.uint8], canonical: Array, pose: Pose) -> Array | None:
    """How far points of a face come forward, so that a pair of spectacles is stiff.

    Parameters
    ----------
    crop : uint8 [S, S, 3]; canonical : float32 [478, 3], the face's mesh in normalised space; pose : its pose

    Returns
    -------
    float32 [478], along the camera's axis in pixels; 0 of what goes with the face. None of one without spectacles.
    """
    found = rims(crop, canonical, pose)
    return None if found is None else lifts(found, canonical, pose)


def rims(crop: NDArray[np.uint8], canonical: Array, pose: Pose) -> Array | None:
    """The two rims of a pair of spectacles in normalised space, float32 [2, 72, 2]; None where there are none."""
    luma = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float32)
    luma = np.asarray(cv2.GaussianBlur(luma, (0, 0), max(0.6, 0.006 * pose.scale)), np.float32)
    places = np.stack([_places(canonical[loop].mean(0), side) for loop, side in zip(EYES, (-1, 1))])
    sure = RIMS.sure if bridged(luma, canonical, pose) < RIMS.joined else -np.inf
    return _found(_read(luma, places, pose), places, sure)


def bridged(luma: Array, canonical: Array, pose: Pose) -> float:
    """Contrast of the line of luma [S, S] that crosses the nose between the eyes, the darkest one."""
    high, low = RIMS.bridge
    level = canonical[list(INNER), 1].mean()
    down = np.arange(level + high, level + low, RIMS.step, dtype=np.float32)
    across = np.linspace(-RIMS.across, RIMS.across, 23, dtype=np.float32)
    places = np.stack(np.broadcast_arrays(across[:, None], down[None], RIMS.level), -1)
    light = _light(luma, places.reshape(-1, 3), pose).reshape(places.shape[:2])
    lines = contrast(light) / np.maximum(cv2.blur(light, RIMS.around), RIMS.dark)
    best = lines[0]
    for row in lines[1:]:
        best = _steps(best).max(0) + row
    return float(best.max()) / len(lines)


def _places(middle: Array, side: int) -> Array:
    """Places about an eye's middle [3] in normalised space, float32 [72, R, 2], away from the nose on `side` first."""
    far = np.arange(RIMS.near, RIMS.far, RIMS.step)
    across, down = (np.outer(part(DIRECTIONS), far) for part in (np.cos, np.sin))
    return np.stack([middle[0] + side * RIMS.wide * across, middle[1] + RIMS.down + down], -1).astype(np.float32)


def _read(luma: Array, places: Array, pose: Pose) -> Array:
    """A picture [S, S] at places [2, 72, R, 2] of spectacles."""
    depth = RIMS.level + _bent(places[..., 0])
    solid = np.concatenate([places, depth[..., None]], -1).reshape(len(DIRECTIONS), -1, 3)
    return _light(luma, solid, pose).reshape(places.shape[:-1])


def _light(luma: Array, places: Array, pose: Pose) -> Array:
    """A picture [S, S] at places [..., n, 3] in normalised space, [..., n]."""
    x, y = np.moveaxis(to_pixels(places.reshape(-1, places.shape[-2], 3), pose)[..., :2] - 0.5, -1, 0)
    x, y = (np.ascontiguousarray(part, np.float32) for part in (x, y))
    read = cv2.remap(luma, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read.reshape(places.shape[:-1]), np.float32)


def _bent(x: Array) -> Array:
    """How far back spectacles go at a distance [...] from their middle."""
    return np.asarray(np.square(x) / (2 * RIMS.bend), np.float32)


def _found(light: Array, places: Array, sure: float = RIMS.sure) -> Array | None:
    """The rims among places [2, 72, R, 2] of which this is the luma [2, 72, R], with more contrast than `sure`."""
    around = np.stack([cv2.blur(one, RIMS.around) for one in light])
    score, rim = sure, None
    for sign in (1, -1):
        lines = [_softened(one) for one in contrast(np.float32(sign) * light) / np.maximum(around, RIMS.dark)]
        wide = [cv2.dilate(one, np.ones((1, 2 * RIMS.alike + 1), np.uint8)) for one in lines]
        both = np.sqrt(wide[0] * wide[1])
        path = closed_line(both)
        if _faintest(both, path) <= score:
            continue
        near = np.abs(np.arange(light.shape[2]) - path[:, None]) <= RIMS.alike + RIMS.steep
        own = [closed_line(np.where(near, one, -1)) for one in lines]
        faintest = min(_faintest(one, line) for one, line in zip(lines, own))
        if faintest > score:
            score, rim = faintest, np.stack([at[np.arange(len(line)), line] for at, line in zip(places, own)])
    return rim


def _faintest(lines: Array, path: NDArray[np.int64]) -> float:
    """What of lines [72, R] the faintest quarter of a path [72] has, where it passes under its eye."""
    low, high = np.searchsorted(np.rad2deg(DIRECTIONS), RIMS.below)
    return float(np.percentile(lines[np.arange(low, high), path[low:high]], 25))


def _softened(lines: Array) -> Array:
    """Lines [72, R] about an eye, a little blurred; after the last direction comes the first."""
    turns = cv2.GaussianBlur(np.concatenate([lines] * 3), (0, 0), 1)
    return np.asarray(turns[len(lines) : 2 * len(lines)], np.float32)


def contrast(light: Array) -> Array:
    """By how much places are darker than what lies on both sides of them along the last axis of luma [..., R], >= 0."""
    out = np.zeros_like(light)
    for apart in RIMS.thick:
        sides = np.minimum(light[..., 2 * apart :], light[..., : -2 * apart])
        inner = out[..., apart:-apart]
        np.maximum(inner, sides - light[..., apart:-apart], out=inner)
    return out


def closed_line(worth: Array) -> NDArray[np.int64]:
    """Columns [T] of the line through all rows of `worth` [T, R], the last beside the first, that gathers most."""
    best, ways = worth[0], []
    for row in np.concatenate([worth[1:], worth]):
        each = _steps(best)
        way = each.argmax(0)
        best = each[way, np.arange(len(way))] + row
        ways.append(way - RIMS.steep)
    line = [int(best.argmax())]
    for way in ways[::-1]:
        line.append(line[-1] + int(way[line[-1]]))
    half = len(worth) // 2
    return np.roll(line[::-1][half:][: len(worth)], half)  # of two turns the one in the middle


def _steps(best: Array) -> Array:
    """What lines [R] so far are worth where they come from any of their neighbours, [2 steep + 1, R]."""
    padded = np.pad(best, RIMS.steep, constant_values=-1e6)
    steps = range(-RIMS.steep, RIMS.steep + 1)
    return np.stack([padded[RIMS.steep + k :][: len(best)] - np.float32(RIMS.even * abs(k)) for k in steps])


def lifts(found: Array, canonical: Array, pose: Pose) -> Array:
    """What `worn` says of rims [2, 72, 2]."""
    shape = canonical[:, :2]
    line = np.concatenate([found.reshape(-1, 2), bridge(found)])
    apart, eyes = (nearest(shape, to) for to in (line, canonical[[*EYE_LEFT, *EYE_RIGHT], :2]))
    share = (1 - smoothstep32(apart, *RIMS.stiff)) * smoothstep32(eyes, *RIMS.eyes)
    share[468:] = 0
    under = share > 0.5
    flat = canonical[:, 2] - _bent(canonical[:, 0])
    level = float(np.median(flat[under])) - RIMS.before if under.any() else RIMS.level
    axis = pose.rotation[2].astype(np.float64)  # towards what is behind, in normalised space
    way = np.zeros(len(canonical))
    for _ in range(4):
        here = canonical + way[:, None] * axis
        way += (level + _bent(here[:, 0]) - here[:, 2]) / axis[2]
    return np.asarray(share * way * pose.scale, np.float32)


def bridge(found: Array) -> Array:
    """What joins two rims [2, 72, 2] over the nose, [9, 2]."""
    ends = []
    for rim in found:
        upper = rim[rim[:, 1] < rim[:, 1].mean()]
        ends.append(upper[np.abs(upper[:, 0]).argmin()])
    return np.asarray(np.linspace(ends[0], ends[1], 9), np.float32)


def nearest(points: Array, line: Array) -> Array:
    """Distance [n] of points [n, 2] to the nearest of a line [m, 2]."""
    return np.asarray(np.linalg.norm(points[:, None] - line[None], axis=2).min(1), np.float32)
