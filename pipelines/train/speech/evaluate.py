"""Measure predicted motion on clips of people that training has not seen."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.data.curves import at_lag, best_lag, correlation, envelope
from pipelines.judge import sync
from pipelines.judge.motion import velocity_error
from speechhead.core.arrays import Array

from .data import SpeechClip, SpeechFeatures
from .losses import opening
from .network import Network

Row = dict[str, float | str]

REACH = 8
"""Frames to either side within which the lag of a clip is looked for."""

PREFERENCE = 0.008
"""Correlation that a lag has to gain for each frame (see `best_lag`)."""


def predict(network: Network, array: np.ndarray, neutral: Array, emotion: Array | None = None) -> Array:
    """Motion of a whole recording from its features [blocks, frames, channels]: float32 [T, 70, 3]."""
    with torch.inference_mode():
        vector = torch.zeros(1, 7) if emotion is None else torch.from_numpy(emotion)[None]
        condition = network.condition(vector, torch.from_numpy(neutral)[None])
        coefficients, _, _ = network(torch.from_numpy(array.astype(np.float32))[None], condition)
        return network.speak(network.smooth(coefficients))[0].numpy()


def opening_of(motion: Array) -> Array:
    """Signed change of the lip opening, float32 [T]."""
    return opening(torch.from_numpy(np.ascontiguousarray(motion))).numpy()


def measure_clip(predicted: Array, clip: SpeechClip, audio: Array) -> Row:
    """All measures of one clip, as `pipelines.evaluate` defines them.

    `own_lag` is how late the clip's picture is behind its sound, and `lag` how late our mouth is behind the picture's
    (within `REACH` frames, with the correlation `r_best`). `r`, `amplitude`, `closures` and `velocity`, the error of
    the lips' velocity over a still mouth's, are taken with the clip's own lag undone, `r_raw` without. `envelope` and
    `closures_envelope` are those of the sound's energy, which is brought to the truth's range.
    """
    ours, true = opening_of(predicted), opening_of(clip.motion)
    own = int(round(clip.lag))
    lag, best = best_lag(ours, true, REACH, PREFERENCE)
    b, a = at_lag(true, ours, own)
    true_motion, our_motion = (np.asarray(m) for m in at_lag(clip.motion, predicted, own))
    sound = envelope(audio, len(ours))
    quiet = sound < 0.05 * np.percentile(sound, 95)
    truth, energy = at_lag(true, sound, own)
    return {
        "clip": clip.stem,
        "r": correlation(a, b),
        "r_raw": correlation(*at_lag(ours, true, 0)),
        "own_lag": own,
        "lag": float("nan") if lag is None else lag,
        "r_best": best,
        "envelope": correlation(energy, truth),
        "amplitude": sync.amplitude_ratio(a, b),
        "closures": _number(sync.closure_recall(a, b)),
        "closures_envelope": _number(sync.closure_recall(sync.matched(energy, truth), truth)),
        "velocity": velocity_error(our_motion, true_motion) / velocity_error(np.zeros_like(true_motion), true_motion),
        "silence": float(np.abs(np.diff(ours)[quiet[1:]]).mean()) if quiet[1:].sum() > 3 else float("nan"),
    }


def _number(value: float | None) -> float:
    """NaN for a measure that a clip does not have."""
    return float("nan") if value is None else value


def evaluate_clips(network: Network, pairs: list[tuple[SpeechClip, SpeechFeatures]]) -> list[Row]:
    """Measure the unaugmented copy of each clip with the clip's own neutral face."""
    rows = []
    for clip, features in pairs:
        assert clip.recording is not None
        motion = predict(network, features.copies[0][0], clip.neutral)[: len(clip.motion) + 8]
        rows.append(measure_clip(motion, clip, clip.recording.sound()))
    return rows


def table(rows: list[Row]) -> str:
    """A plain-text table with the mean in the last line."""
    names = [name for name in rows[0] if name != "clip"]
    lines = [f"{'clip':34s}" + "".join(f"{name[:9]:>10s}" for name in names)]
    mean: Row = {"clip": "mean"} | {name: float(np.nanmean([float(row[name]) for row in rows])) for name in names}
    for row in [*rows, mean]:
        lines.append(f"{str(row['clip'])[:33]:34s}" + "".join(f"{float(row[name]):10.3f}" for name in names))
    return "\n".join(lines)
