"""How close our faces move to real ones: five measures of THEval (CVPR 2026 Findings), beside blinks and ranges.

Real and ours are seen by one tracker; the score of a measure is 1 - |ours - real| / real.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array, Array64
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.face.landmarks import eye_opening, mouth_opening, outer_eye_distance

from .beats import beat_measures
from .clips import FaceTrack
from .motion import blink_events, blinks_per_minute
from .picture import Frames
from .shut_eyes import shut_measures

Row = dict[str, Any]

# fmt: off
LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
)
# fmt: on
"""The 40 mesh vertices of the outer and the inner lips."""

SHORTEST_SILENCE = 8
"""Video frames of a silence that counts: 0.3 s."""

LOUDNESS_SAMPLES = 800
"""Sound around the middle of a frame that its loudness is of: 50 ms."""

HEAD = ("head_turn", "head_steps", "head_travel")
"""The three parts of the score of the head, each compared with the real one; the score is their mean."""

SCORES: dict[str, tuple[str, ...]] = {
    "lip_dynamics": ("lip_dynamics",),
    "lip_sync": ("lip_sync",),
    "silent_lips": ("silent_lips",),
    "brows": ("brows",),
    "head": HEAD,
    "blinks": ("blinks",),
}
"""Measures of which each score is made."""

DRAWS = 1000
"""Of people, for an interval."""

AXES = ("yaw", "pitch", "roll")


def lip_dynamics(track: FaceTrack) -> float:
    """Standard deviation over time of the distances between 40 lip points, mean over pairs, outer eye distances."""
    lips = track.mesh[:, LIPS, :2] / outer_eye_distance(track.landmarks)[:, None, None]
    first, second = np.triu_indices(len(LIPS), 1)
    return float(np.linalg.norm(lips[:, first] - lips[:, second], axis=-1).std(0).mean())


def loudness(samples: Array, frames: int) -> Array:
    """Root mean square of the 50 ms of 16 kHz sound around the middle of each video frame, [frames]."""
    half = LOUDNESS_SAMPLES // 2
    padded = np.zeros(frames * SAMPLES_PER_FRAME + 2 * half, np.float64)
    used = samples[: frames * SAMPLES_PER_FRAME]
    padded[half : half + len(used)] = used
    sums = np.concatenate([[0.0], np.cumsum(padded**2)])
    start = np.arange(frames) * SAMPLES_PER_FRAME + SAMPLES_PER_FRAME // 2
    return np.sqrt((sums[start + 2 * half] - sums[start]) / LOUDNESS_SAMPLES).astype(np.float32)


def _unit(curve: Array) -> Array:
    low, high = float(curve.min()), float(curve.max())
    return (curve - low) / max(high - low, 1e-9)


def lip_sync(opening: Array, loud: Array, speech: NDArray[np.bool_]) -> float | None:
    """Mean absolute difference of opening and loudness [T], each from 0 to 1, in speech; None under 5 such frames."""
    if speech.sum() < 5:
        return None
    return float(np.abs(_unit(opening) - _unit(loud))[speech].mean())


def silent_lips(opening: Array, speech: NDArray[np.bool_]) -> float | None:
    """Median absolute deviation of the opening [T] in silences of 0.3 s and more, outer eye distances; None if none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (~speech).astype(np.int8), [0]])))
    parts = [opening[start:end] for start, end in zip(edges[::2], edges[1::2]) if end - start >= SHORTEST_SILENCE]
    if not parts:
        return None
    return float(np.average([np.median(np.abs(p - np.median(p))) for p in parts], weights=[len(p) for p in parts]))


def brow_heights(normalised: Array) -> Array:
    """Height of each brow over the corners of its eye, [T, 2], of landmarks [T, 70, 3] in normalised space."""
    y = normalised[..., 1]
    return np.stack([y[:, [36, 39]].mean(1) - y[:, 17:22].mean(1), y[:, [42, 45]].mean(1) - y[:, 22:27].mean(1)], 1)


def head_measures(track: FaceTrack) -> Row:
    """Turns, their steps, and the travel of the face's centre, with range and speed of each axis."""
    angles, eyes = np.unwrap(track.angles, period=360, axis=0), track.landmarks[:, [36, 45], :2]
    centre = track.mesh[:, :468, :2].mean(1) / float(outer_eye_distance(track.landmarks).mean())
    steps = np.diff(angles, axis=0)
    row: Row = {
        "head_turn": float(angles.std(0).mean()),
        "head_steps": float(steps.var(0).mean()) if len(steps) else 0.0,
        "head_travel": float(centre.var(0).sum()),
    }
    for axis, name in enumerate(AXES):
        low, high = np.percentile(angles[:, axis], [5, 95])
        row |= {f"{name}_std": float(angles[:, axis].std()), f"{name}_range": float(high - low)}
        row[f"{name}_speed"] = float(np.abs(steps[:, axis]).mean() * FPS) if len(steps) else 0.0
    row["travel"] = float(np.ptp(eyes.mean(1)[:, 0]) / outer_eye_distance(track.landmarks).mean())
    return row


def eye_measures(normalised: Array) -> Row:
    """Blinks per minute, and how far they close the eyes: lowest opening over the usual one, mean; None without."""
    opening = eye_opening(normalised).mean(-1)
    usual = float(np.median(opening))
    depths = [float(opening[start:end].min()) / usual for start, end in blink_events(opening)]
    return {"blinks": blinks_per_minute(opening), "blink_lowest": float(np.mean(depths)) if depths else None}


def measures(track: FaceTrack, samples: Array, speech: NDArray[np.bool_]) -> Row:
    """Every measure of one talking face.

    Parameters
    ----------
    track : the face as the tracker sees it, T frames
    samples : float32 [n], its sound at 16 kHz
    speech : bool [T], frames in which it speaks
    """
    opening = mouth_opening(track.landmarks)
    brow = brow_heights(track.normalised)
    return {
        "lip_dynamics": lip_dynamics(track),
        "lip_sync": lip_sync(opening, loudness(samples, len(opening)), speech),
        "silent_lips": silent_lips(opening, speech),
        "brows": float(np.abs(np.diff(brow, axis=0)).mean()) if len(brow) > 1 else 0.0,
        "brow_range": float(np.ptp(np.percentile(brow, [5, 95], axis=0), axis=0).mean()),
        **head_measures(track),
        **eye_measures(track.normalised),
        **shut_measures(track.landmarks),
        **beat_measures(track.angles, samples),
    }


def background_flicker(frames: Frames, truth: Frames, background: NDArray[np.bool_]) -> float | None:
    """Frame difference over time of the background [H, W], over the truth's; None where there is hardly any.

    Both videos are uint8 [T, H, W, 3].
    """
    if background.mean() < 0.02 or len(frames) < 2:
        return None

    def change(video: Frames) -> float:
        seen = video[:, background].astype(np.int16)
        return float(np.abs(np.diff(seen, axis=0)).mean())

    return change(frames) / max(change(truth), 1e-3)


def score(real: float | None, ours: float | None) -> float | None:
    """1 - |ours - real| / real, not below 0; None where either is not known."""
    if real is None or ours is None:
        return None
    return max(0.0, 1.0 - abs(ours - real) / max(abs(real), 1e-9))


def scores(real: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, float | None]:
    """The score of each of SCORES for measures of the real and of our face."""
    found: dict[str, float | None] = {}
    for name, parts in SCORES.items():
        known = [value for part in parts if (value := score(real.get(part), ours.get(part))) is not None]
        found[name] = float(np.mean(known)) if known else None
    return found


def _mean(rows: Sequence[Mapping[str, Any]]) -> Row:
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row[name] for row in rows if row.get(name) is not None] for name in names}
    return {name: float(np.mean(known)) if known else None for name, known in values.items()}


def known_of(name: str, real: Sequence[Row], ours: Sequence[Row]) -> tuple[Array64, Array64]:
    """Measures [people, parts] that a score is made of, real and ours, of the people of whom all are known."""
    parts = SCORES[name]
    pairs = [
        ([a.get(part) for part in parts], [b.get(part) for part in parts])
        for a, b in zip(real, ours)
        if all(row.get(part) is not None for row in (a, b) for part in parts)
    ]
    return np.array([a for a, _ in pairs], np.float64), np.array([b for _, b in pairs], np.float64)


def interval(real: Array64, ours: Array64) -> list[float] | None:
    """Where closeness of the means lies in 95 of 100 draws of as many people, with repeats; None of one person.

    Both are measures [people, parts].
    """
    if len(real) < 2:
        return None
    drawn = np.random.default_rng(0).integers(len(real), size=(DRAWS, len(real)))
    means = real[drawn].mean(1), ours[drawn].mean(1)
    close = np.maximum(0.0, 1.0 - np.abs(means[1] - means[0]) / np.maximum(np.abs(means[0]), 1e-9)).mean(1)
    return [float(end) for end in np.percentile(close, [2.5, 97.5])]


def summary(rows: Sequence[Mapping[str, Any]]) -> Row:
    """What clips with `life` (measures of `real` and of `ours`) say together, in means over people.

    `closeness` compares those means. `each` is the mean over people of each one's own closeness, and `others` the
    same for the mean of the other real people in place of ours: a face that moves like people, but not like this one.
    `known` is of how many people each is known, and `interval` how sure closeness is with so many.
    """
    known = [row for row in rows if row.get("life")]
    people: dict[str, list[Mapping[str, Any]]] = {}
    for row in known:
        people.setdefault(row["identity"], []).append(row["life"])
    if not people:
        return {}
    real, ours = ([_mean([clip[who] for clip in own]) for own in people.values()] for who in ("real", "ours"))
    others = [_mean(real[:i] + real[i + 1 :]) for i in range(len(real))] if len(real) > 1 else []
    paired = {name: known_of(name, real, ours) for name in SCORES}
    return {
        "people": len(people),
        "clips": len(known),
        "seconds": sum(row["frames"] for row in known) / FPS,
        "real": _mean(real),
        "ours": _mean(ours),
        "closeness": scores(_mean(real), _mean(ours)),
        "known": {name: len(pair[0]) for name, pair in paired.items()},
        "interval": {name: interval(*pair) for name, pair in paired.items()},
        "each": _mean([scores(a, b) for a, b in zip(real, ours)]),
        "others": _mean([scores(a, b) for a, b in zip(real, others)]),
    }
