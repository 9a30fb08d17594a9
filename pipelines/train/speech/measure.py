"""How well predicted motion follows the truth: the numbers of the model card."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array

MAX_LAG = 8
"""Frames searched to either side for the best lag."""


def correlation(a: Array, b: Array) -> float:
    """Pearson's r, 0 where one of the two does not vary."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / scale) if scale > 1e-9 else 0.0


def at_lag(predicted: Array, true: Array, lag: int) -> tuple[Array, Array]:
    """The pairs (predicted[t], true[t + lag]) that exist."""
    n = min(len(predicted), len(true))
    predicted, true = predicted[:n], true[:n]
    return (predicted[: n - lag], true[lag:]) if lag >= 0 else (predicted[-lag:], true[: n + lag])


def best_lag(predicted: Array, true: Array, limit: int = MAX_LAG, preference: float = 0.008) -> tuple[int, float]:
    """Frames by which the truth follows the prediction where r is highest (small ones preferred), and that r."""
    scores = {lag: correlation(*at_lag(predicted, true, lag)) for lag in range(-limit, limit + 1)}
    lag = max(scores, key=lambda k: scores[k] - preference * abs(k))
    return lag, scores[lag]


def amplitude_ratio(predicted: Array, true: Array) -> float:
    """Standard deviation of the prediction over the truth's."""
    return float(predicted.std() / max(float(true.std()), 1e-6))


def closures(opening: Array, depth: float = 0.25) -> NDArray[np.int64]:
    """Frames where an opening signal has a local minimum near its floor after and before having been open."""
    floor, top = np.percentile(opening, 5), np.percentile(opening, 90)
    span = max(float(top - floor), 1e-6)
    level = (opening - floor) / span
    found = []
    for t in range(2, len(level) - 2):
        window = level[t - 2 : t + 3]
        around = level[max(0, t - 6) : t + 7]
        lowest = level[t] <= depth and level[t] == window.min()
        if lowest and around.max() > 0.45 and (not found or t - found[-1] > 2):
            found.append(t)
    return np.array(found, int)


def closure_recall(predicted: Array, true: Array, tolerance: int = 1, closed: float = 0.35) -> float:
    """Share of the truth's closures where the prediction, within +-1 frame, is in the closed part of its range."""
    at = closures(true)
    if len(at) == 0:
        return float("nan")
    floor, top = np.percentile(predicted, 5), np.percentile(predicted, 90)
    level = (predicted - floor) / max(float(top - floor), 1e-6)
    hit = [level[max(0, t - tolerance) : t + tolerance + 1].min() <= closed for t in at if t < len(level)]
    return float(np.mean(hit)) if hit else float("nan")


def envelope(audio: Array, frames: int) -> Array:
    """The baseline: root of the smoothed energy per video frame, float32 [frames]."""
    padded = np.zeros(frames * 640, np.float32)
    n = min(len(audio), len(padded))
    padded[:n] = audio[:n]
    energy = np.sqrt((padded.reshape(frames, 640) ** 2).mean(1))
    return np.convolve(energy, [0.25, 0.5, 0.25], "same").astype(np.float32)
