"""Landmark metrics: distances, velocities, stillness, blinks and the motion of the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS

MOUTH = slice(48, 68)
"""iBUG points of the lips."""


def keypoint_distance(landmarks: Array, truth: Array, points: slice = slice(None)) -> float:
    """AKD: mean distance in the image plane of detected landmarks [T, 70, 3], in pixels; `MOUTH` for the mouth AKD."""
    return float(np.linalg.norm(landmarks[:, points, :2] - truth[:, points, :2], axis=-1).mean())


def landmark_distance(normalised: Array, truth: Array) -> float:
    """LMD of the lips: mean distance in normalised space [T, 70, 3], in outer eye distances."""
    return float(np.linalg.norm(normalised[:, MOUTH] - truth[:, MOUTH], axis=-1).mean())


def velocity_error(normalised: Array, truth: Array) -> float:
    """Mean distance of the lips' velocities [T, 70, 3], in outer eye distances per second; 0 for a single frame."""
    if len(truth) < 2:
        return 0.0
    difference = np.diff(normalised[:, MOUTH], axis=0) - np.diff(truth[:, MOUTH], axis=0)
    return float(np.linalg.norm(difference, axis=-1).mean() * FPS)


def mouth_speed(normalised: Array) -> Array:
    """Mean speed [T] of the lips in outer eye distances per second; the first frame repeats the second."""
    if len(normalised) < 2:
        return np.zeros(len(normalised), np.float32)
    speed = np.linalg.norm(np.diff(normalised[:, MOUTH], axis=0), axis=-1).mean(-1) * FPS
    return np.concatenate([speed[:1], speed]).astype(np.float32)


def silence_motion(normalised: Array, silent: NDArray[np.bool_]) -> float | None:
    """Energy of lip motion in silence against that in speech (mean squared speed); None under 5 frames of either.

    Parameters
    ----------
    normalised : float32 [T, 70, 3]
    silent : bool [T]
    """
    if silent.sum() < 5 or (~silent).sum() < 5:
        return None
    energy = np.square(mouth_speed(normalised))
    return float(energy[silent].mean() / max(float(energy[~silent].mean()), 1e-9))


def blink_events(eye_opening: Array) -> list[tuple[int, int]]:
    """First frame and the one after the last of each blink in a curve of eye opening [T] (either eye or their mean).

    A blink is a drop below 60 % of the usual (median) opening that lasts at most 0.6 s; longer is a closed eye.
    """
    closed = eye_opening < 0.6 * float(np.median(eye_opening))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closed.astype(np.int8), [0]]))).tolist()
    return [(start, end) for start, end in zip(edges[::2], edges[1::2]) if end - start <= 0.6 * FPS]


def blinks_per_minute(eye_opening: Array) -> float:
    """Blinks per minute in a curve of eye opening [T]; see `blink_events`."""
    return len(blink_events(eye_opening)) * 60 * FPS / max(len(eye_opening), 1)


def head_range(angles: Array) -> float:
    """Range of head motion: 5th to 95th percentile of yaw, pitch and roll [T, 3], their mean, in degrees."""
    return float(np.mean(np.percentile(angles, 95, axis=0) - np.percentile(angles, 5, axis=0)))


def head_jerk(angles: Array) -> float:
    """Mean absolute third difference of yaw, pitch and roll [T, 3], in degrees per frame cubed."""
    return float(np.abs(np.diff(angles, n=3, axis=0)).mean()) if len(angles) > 3 else 0.0
