"""What is left of the opening of shut eyes: in space, in the picture's plane, and across the eye."""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array
from speechhead.face.landmarks import eye_opening
from speechhead.motion.blink import LID_PAIRS

CORNERS = ((36, 39), (42, 45))
"""iBUG points of the eyes' corners."""

MET, OPEN = 0.15, 0.85
"""Distance of the lids across the eye, over the usual one, below which they have met, and above which they are open."""

LOOKING = 0.15
"""Usual distance of the lids, over the eye's width, of eyes that are looked at."""


def _distances(landmarks: Array) -> tuple[Array, Array, Array]:
    """Of landmarks [..., 70, 3]: how far lower lid points are from upper ones across the eye in the picture, and in
    space [..., 2 eyes, 2 pairs]; and the line between the eye's corners [..., 2 eyes, 3]."""
    across, whole, ways = [], [], []
    for (outer, inner), pairs in zip(CORNERS, (LID_PAIRS[:2], LID_PAIRS[2:])):
        way = landmarks[..., inner, :] - landmarks[..., outer, :]
        between = np.stack([landmarks[..., low, :] - landmarks[..., up, :] for up, low in pairs], -2)
        turned = way[..., None, 0] * between[..., 1] - way[..., None, 1] * between[..., 0]
        across.append(turned / np.maximum(np.linalg.norm(way[..., :2], axis=-1), 1e-6)[..., None])
        whole.append(np.linalg.norm(between, axis=-1))
        ways.append(way)
    return np.stack(across, -2), np.stack(whole, -2), np.stack(ways, -2)


def gap(landmarks: Array) -> Array:
    """Distance of the lids across the line between an eye's corners, over the eye's width: mean of both eyes [...].

    The tracker sets the points of shut lids a little aside of each other, and leaves them a depth. Neither is open.
    """
    across, _, way = _distances(landmarks)
    width = np.maximum(np.linalg.norm(way[..., :2], axis=-1), 1e-6)
    return np.asarray((np.abs(across.mean(-1)) / width).mean(-1), np.float32)


def openings(landmarks: Array) -> tuple[Array, Array, Array]:
    """Mean opening of both eyes [...] of landmarks [..., 70, 3] in pixels: in space, as seen in the picture, and
    as `gap` has it."""
    flat = landmarks * np.array([1, 1, 0], np.float32)
    return eye_opening(landmarks).mean(-1), eye_opening(flat).mean(-1), gap(landmarks)


def unopened(landmarks: Array) -> Array:
    """What of an open eye's opening in space is aside and in depth, over all of it [...]: shut eyes keep most of it."""
    across, whole, _ = _distances(landmarks)
    rest = np.sqrt(np.maximum(np.square(whole) - np.square(across), 0))
    return np.asarray((rest.mean(-1) / np.maximum(whole.mean(-1), 1e-6)).mean(-1), np.float32)


def blinks(landmarks: Array) -> list[int]:
    """The most shut frame of each blink in which the lids meet, of landmarks [T, 70, 3] in pixels."""
    apart = gap(landmarks)
    usual = float(np.median(apart))
    if usual < LOOKING:
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (apart < MET * usual).astype(np.int8), [0]]))).tolist()
    return [start + int(apart[start:end].argmin()) for start, end in zip(edges[::2], edges[1::2])]


def shut_measures(landmarks: Array) -> dict[str, float | None]:
    """What the blinks of a face [T, 70, 3] in pixels in which its lids meet leave open, over its open eyes, mean: in
    space, and in the picture's plane; None without."""
    found = blinks(landmarks)
    if not found:
        return {"shut": None, "shut_seen": None}
    space, seen, apart = openings(landmarks)
    awake = apart > OPEN * float(np.median(apart))
    left = [float((one[found] / np.median(one[awake])).mean()) for one in (space, seen)]
    return {"shut": left[0], "shut_seen": left[1]}
