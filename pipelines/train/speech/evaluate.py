"""Measure predicted motion on clips of people that training has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pipelines.judge.motion import velocity_error
from speechhead.audio.io import load_audio
from speechhead.core.arrays import Array

from . import measure
from .data import SpeechClip, SpeechFeatures
from .losses import opening
from .network import Network

Row = dict[str, float | str]


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
    """All measures of one clip; `lag` and `r_best` search +-8 frames, `r` is after the clip's own lag, and so is
    `velocity`, the error of the lips' velocity over a still mouth's."""
    ours, true = opening_of(predicted), opening_of(clip.motion)
    own = int(round(clip.lag))
    lag, best = measure.best_lag(ours, true)
    a, b = measure.at_lag(ours, true, own)
    ours_motion, true_motion = (np.asarray(m) for m in measure.at_lag(predicted, clip.motion, own))
    envelope = measure.envelope(audio, len(ours))
    quiet = envelope < 0.05 * np.percentile(envelope, 95)
    return {
        "clip": clip.stem,
        "r": measure.correlation(a, b),
        "r_raw": measure.correlation(*measure.at_lag(ours, true, 0)),
        "own_lag": own,
        "lag": lag,
        "r_best": best,
        "envelope": measure.correlation(*measure.at_lag(envelope, true, own)),
        "amplitude": measure.amplitude_ratio(a, b),
        "closures": measure.closure_recall(a, b),
        "closures_envelope": measure.closure_recall(*measure.at_lag(envelope, true, own)),
        "velocity": velocity_error(ours_motion, true_motion) / velocity_error(np.zeros_like(true_motion), true_motion),
        "silence": float(np.abs(np.diff(ours)[quiet[1:]]).mean()) if quiet[1:].sum() > 3 else float("nan"),
    }


def evaluate_clips(network: Network, pairs: list[tuple[SpeechClip, SpeechFeatures]], media: Path) -> list[Row]:
    """Measure the unaugmented copy of each clip with the clip's own neutral face."""
    rows = []
    for clip, features in pairs:
        motion = predict(network, features.copies[0][0], clip.neutral)[: len(clip.motion) + 8]
        rows.append(measure_clip(motion, clip, load_audio(media / f"{clip.stem}.mp4")))
    return rows


def table(rows: list[Row]) -> str:
    """A plain-text table with the mean in the last line."""
    names = [name for name in rows[0] if name != "clip"]
    lines = [f"{'clip':34s}" + "".join(f"{name[:9]:>10s}" for name in names)]
    mean: Row = {"clip": "mean"} | {name: float(np.nanmean([float(row[name]) for row in rows])) for name in names}
    for row in [*rows, mean]:
        lines.append(f"{str(row['clip'])[:33]:34s}" + "".join(f"{float(row[name]):10.3f}" for name in names))
    return "\n".join(lines)
