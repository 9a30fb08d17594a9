"""Curves of mouth opening and of sound at 25 Hz: how alike two are, and by how many frames one comes late.

A lag has one sign everywhere: it is positive where the curve that is named first comes late. So the lag of our mouth is
`best_lag(ours, truth)`, and the lag of a clip's picture behind its sound is `best_lag(truth, predicted_from_sound)`.
"""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME

MAX_LAG = 10
"""Search range of a lag, in video frames either way."""

CONSTANT = 1e-5
"""Standard deviation below which a curve does not move, in outer eye distances (a mouth) or full scale (a sound)."""


def correlation(curve: Array, reference: Array) -> float:
    """Pearson correlation of two curves [T] at zero lag; 0 where either does not move, or has under three values."""
    if len(reference) < 3 or min(np.std(curve), np.std(reference)) < CONSTANT:
        return 0.0
    a, b = curve - np.mean(curve), reference - np.mean(reference)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def at_lag(curve: Array, reference: Array, lag: int) -> tuple[Array, Array]:
    """The pairs (curve[t + lag], reference[t]) that exist: both together, when `curve` is `lag` frames late."""
    count = min(len(curve), len(reference))
    return curve[max(lag, 0) : count + min(lag, 0)], reference[max(-lag, 0) : count - max(lag, 0)]


def best_lag(curve: Array, reference: Array, reach: int = MAX_LAG, preference: float = 0.0) -> tuple[int | None, float]:
    """Lag in frames at which the correlation peaks, and that correlation.

    Positive: `curve` is late. The overlap is always at least half of the curve. Of equal lags the smaller one is taken;
    a curve that does not move has no lag (None) and correlation 0.

    Parameters
    ----------
    curve, reference : float32 [T]
    reach : frames searched to either side
    preference : correlation that a lag has to gain for each frame, so that small lags are preferred
    """
    if min(np.std(curve), np.std(reference)) < CONSTANT:
        return None, 0.0
    reach = min(reach, len(reference) // 2)
    scored = []
    for lag in range(-reach, reach + 1):
        peak = correlation(*at_lag(curve, reference, lag))
        scored.append((peak - preference * abs(lag), -abs(lag), lag, peak))
    _, _, lag, peak = max(scored)
    return lag, peak


def envelope(audio: Array, frames: int) -> Array:
    """Root of the smoothed energy per video frame of 16 kHz sound, float32 [frames]; silent where it has ended."""
    padded = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    count = min(len(audio), len(padded))
    padded[:count] = audio[:count]
    energy = np.sqrt((padded.reshape(frames, SAMPLES_PER_FRAME) ** 2).mean(1))
    return np.convolve(energy, [0.25, 0.5, 0.25], "same").astype(np.float32)
