"""Lip-sync metrics on curves of mouth opening at 25 Hz, and what the sound says about silence.

Correlation and lag, which data and training need as well, stand in `pipelines.data.curves`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME

CLOSED = 0.15
"""A mouth counts as closed below this part of the way from its 5th to its 95th percentile of opening."""

MOVES = 0.015
"""Range of opening (5th to 95th percentile, outer eye distances) below which a mouth is at rest all the time."""


def amplitude_ratio(opening: Array, truth: Array) -> float:
    """Standard deviation of the opening against the truth's; 1 moves as much."""
    return float(np.std(opening) / max(float(np.std(truth)), 1e-6))


def levels(opening: Array) -> tuple[float, float]:
    """Closed level and open level of a curve: its 5th and 95th percentiles."""
    low, high = np.percentile(opening, [5, 95])
    return float(low), float(high)


def matched(curve: Array, truth: Array) -> Array:
    """A curve [T] of any unit, brought to the closed and the open level of the truth's."""
    (low, high), (closed, opened) = levels(curve), levels(truth)
    return np.asarray((curve - low) * ((opened - closed) / max(high - low, 1e-6)) + closed, np.float32)


def closures(opening: Array) -> NDArray[np.int64]:
    """Frames of closure events: the lowest frame of every stretch below the closed threshold, between openings.

    A stretch counts only if the mouth opens past the middle of its range before the next one, so that trembling
    about the threshold is one event. None if the mouth is at rest all the time.
    """
    low, high = levels(opening)
    if high - low < MOVES:
        return np.zeros(0, np.int64)
    threshold, middle = low + CLOSED * (high - low), 0.5 * (low + high)
    events: list[int] = []
    armed = True  # has the mouth been open since the last event?
    for frame, value in enumerate(opening):
        if value >= middle:
            armed = True
        elif value <= threshold:
            if armed:
                events.append(frame)
                armed = False
            elif value < opening[events[-1]]:
                events[-1] = frame
    return np.array(events, np.int64)


def closure_recall(opening: Array, truth: Array, tolerance: int = 2) -> float | None:
    """Share of the truth's closures at which the rendered mouth closes too, within `tolerance` frames.

    Closed means below the truth's own level half-way to its middle (a quarter of its range). A mouth that never
    opens has recall 1: read it together with `opening_recall`. None if the truth has no closure.
    """
    events = closures(truth)
    if not len(events):
        return None
    low, high = levels(truth)
    threshold = low + 0.25 * (high - low)
    hits = [opening[max(0, e - tolerance) : e + tolerance + 1].min() <= threshold for e in events if e < len(opening)]
    return float(np.mean(hits)) if hits else None


def opening_recall(opening: Array, truth: Array, tolerance: int = 2) -> float | None:
    """Share of the truth's open frames (above the middle of its range) at which the rendered mouth is open too.

    Open means above a quarter of the truth's range, within `tolerance` frames. None if the truth never opens.
    """
    low, high = levels(truth)
    if high - low < MOVES:
        return None
    frames = np.flatnonzero(truth >= 0.5 * (low + high))
    threshold = low + 0.25 * (high - low)
    hits = [opening[max(0, f - tolerance) : f + tolerance + 1].max() > threshold for f in frames if f < len(opening)]
    return float(np.mean(hits)) if hits else None


def energy_db(samples: Array, frames: int) -> Array:
    """Level of each video frame [frames] in dB below full scale (at least -100), of 16 kHz sound."""
    padded = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    padded[: min(len(samples), len(padded))] = samples[: len(padded)]
    power = np.square(padded.reshape(frames, SAMPLES_PER_FRAME), dtype=np.float64).mean(1)
    return (10 * np.log10(power + 1e-10)).astype(np.float32)


def silent_frames(samples: Array, frames: int, shortest: int = 5) -> NDArray[np.bool_]:
    """Frames [frames] in silence: 35 dB below the clip's loud level, for at least `shortest` frames (200 ms).

    The two frames at either end of a silence are left out, since lips rest late and start early. A clip without
    any sound is silent throughout.
    """
    level = energy_db(samples, frames)
    loud = float(np.percentile(level, 95))
    quiet = level < loud - 35 if loud > -60 else np.ones(frames, bool)
    silent = np.zeros(frames, bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    for start, end in zip(edges[::2], edges[1::2]):
        if end - start >= shortest:
            silent[start if start == 0 else start + 2 : end if end == frames else end - 2] = True
    return silent
