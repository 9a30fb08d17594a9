"""Fit what speechhead/motion knows about people: closed mouths and constants of head motion.

    python -m pipelines.make.motion_statistics LANDMARKS ../shared/media

LANDMARKS holds NAME.npz with the tracked `mesh` [T, 478, 3] of each clip (pipelines.data.prepare). Writes
speechhead/motion/rest.npz and prints the constants that stand in speechhead/motion/pose.py. Training people only.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from pipelines.command import command
from speechhead.audio.io import load_audio
from speechhead.core.arrays import Array64
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.face.landmarks import from_mesh, mouth_opening, remove_pose
from speechhead.face.mirror import mirrored
from speechhead.motion.easing import LowPass, Noise
from speechhead.motion.pose import ACCENT_LIMIT, DIP_SECONDS, LIFT_SECONDS
from speechhead.motion.rest import PRIOR

CLOSED_FRAMES = 0.1
"""Part of a clip's frames, those with the smallest mouth opening, that show its closed mouth."""

CLOSED_AT_MOST = 0.03
"""A clip whose closed frames stand further open than this has none."""

DIRECTIONS = 12
"""Identity directions kept."""

HEAD_SECONDS = 5.0
"""Clips shorter than this say nothing about posture."""

POSED = ("lipnet", "LipNet", "mcgurk", "Text2Video", "spectre")
"""Sources whose speakers were told to keep still, in part of the name; left out of the head statistics."""

SPLIT_SECONDS = 0.5
"""Standard deviation of the Gaussian that parts posture (slow) from gestures (fast)."""


def smooth(x: Array64, seconds: float) -> Array64:
    """Gaussian smoothing along time with mirrored ends."""
    radius = max(int(4 * seconds * FPS), 1)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (seconds * FPS)) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(x, [(radius, radius)] + [(0, 0)] * (x.ndim - 1), mode="reflect" if len(x) > radius else "edge")
    return np.apply_along_axis(np.convolve, 0, padded, kernel, "valid")


def rest_prior(faces: dict[str, list[Array64]]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean closed-mouth face and the main directions of difference between people, each one standard deviation."""
    people = np.array([np.mean(one, axis=0) for one in faces.values()])
    people = (people + mirrored(people)) / 2  # a bent mouth is no identity
    mean = people.mean(axis=0)
    _, singular, directions = np.linalg.svd((people - mean).reshape(len(people), -1), full_matrices=False)
    kept = directions[:DIRECTIONS] * (singular[:DIRECTIONS, None] / np.sqrt(len(people) - 1))
    return mean.astype(np.float32), kept.reshape(-1, 70, 3).astype(np.float32)


def half_lag(bands: list[Array64]) -> float:
    """Seconds after which the autocorrelation of the bands, pooled, has fallen to one half."""
    lags = range(int(2.0 * FPS))
    power = np.array([sum(float((b[: len(b) - lag] * b[lag:]).sum()) for b in bands if len(b) > lag) for lag in lags])
    size = np.array([sum(len(b) - lag for b in bands if len(b) > lag) for lag in lags])
    return _half(power / size / (power[0] / size[0]))


def noise_half_lag(seconds: float) -> float:
    """`half_lag` of the motion that `Noise(seconds)` makes."""
    response = Noise.response(seconds)
    correlation = np.correlate(response, response, "full")[len(response) - 1 :]
    return _half(correlation / correlation[0])


def _half(correlation: Array64) -> float:
    after = int(np.argmax(correlation < 0.5))
    step = float(correlation[after - 1] - correlation[after])
    return (after - 1 + (float(correlation[after - 1]) - 0.5) / step) / FPS


def time_constant(lag: float) -> float:
    """The `Noise` time constant whose motion has this half lag."""
    candidates = np.arange(0.1, 4.0, 0.03)
    return round(float(candidates[np.argmin([abs(noise_half_lag(c) - lag) for c in candidates])]), 2)


def head_statistics(clips: list[tuple[Array64, Array64]]) -> dict[str, object]:
    """Constants of speechhead/motion/pose.py from (angles [T, 3] degrees, energy [T] dB) of each clip."""
    slow_bands, fast_bands, speaking = [], [], []
    nods, pitches = [], []
    for angles, energy in clips:
        angles = smooth(angles - np.median(angles, axis=0), 0.04)  # the mesh's own jitter
        slow = smooth(angles, SPLIT_SECONDS)
        slow_bands.append(slow - slow.mean(axis=0))
        fast_bands.append(angles - slow)
        active = smooth((energy > np.percentile(energy, 95) - 25).astype(float), 0.2) > 0.5
        speaking.append(active)
        accent = np.clip(energy - smooth(energy, 1.0), -ACCENT_LIMIT, ACCENT_LIMIT) * active
        lift, dip = LowPass(LIFT_SECONDS, 0.0), LowPass(DIP_SECONDS, 0.0)
        nods.append(np.array([[lift.step(a), dip.step(a)] for a in accent.tolist()]))
        pitches.append((angles - smooth(angles, 1.0))[:, 1])
    active = np.concatenate(speaking)
    slow, fast = np.concatenate(slow_bands), np.concatenate(fast_bands)
    per_clip = [(s.std(axis=0), f.std(axis=0)) for s, f in zip(slow_bands, fast_bands, strict=True)]
    nod, pitch = np.concatenate(nods), np.concatenate(pitches)
    gains = np.linalg.lstsq(nod, pitch, rcond=None)[0]
    return {
        "clips": len(clips),
        "minutes": round(len(active) / FPS / 60, 1),
        "slow degrees, median clip": np.median([s for s, _ in per_clip], axis=0).round(2),
        "fast degrees, median clip": np.median([f for _, f in per_clip], axis=0).round(2),
        "slow seconds": time_constant(half_lag([b[:, i] for b in slow_bands for i in range(3)])),
        "fast seconds": time_constant(half_lag([b[:, i] for b in fast_bands for i in range(3)])),
        "silent part": [round(float(band[~active].std() / band[active].std()), 2) for band in (slow, fast)],
        "lift and dip, degrees per dB": gains.round(3),
        "correlation of pitch with lift and dip": round(float(np.corrcoef(nod @ gains, pitch)[0, 1]), 3),
    }


def main(
    landmarks: Annotated[Path, typer.Argument(help="Folder of NAME.npz with the tracked mesh of each clip.")],
    media: Annotated[Path, typer.Argument(help="Folder of the clips, with catalog.csv.")],
) -> None:
    """Write the prior of closed mouths and print the constants of head motion."""
    faces: dict[str, list[Array64]] = defaultdict(list)
    heads: list[tuple[Array64, Array64]] = []
    with (media / "catalog.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "train"]
    for row in rows:
        cached = landmarks / f"{Path(row['file']).stem}.npz"
        if not cached.is_file():
            continue
        points = from_mesh(np.load(cached)["mesh"])
        finite = np.isfinite(points).all(axis=(1, 2))
        points = points[finite]
        if len(points) < FPS:
            continue
        normalised, poses = remove_pose(points)
        angles = np.array([pose.angles for pose in poses], np.float64)
        opening = mouth_opening(normalised)
        frontal = np.abs(angles[:, 0]) < 20
        closed = frontal & (opening <= float(np.quantile(opening, CLOSED_FRAMES))) & (opening < CLOSED_AT_MOST)
        if closed.any():
            faces[row["identity"]].append(normalised[closed].mean(axis=0).astype(np.float64))
        free = not any(part in row["source"] for part in POSED)
        if row["audio"] == "True" and finite.all() and len(angles) >= HEAD_SECONDS * FPS and free:
            sound = load_audio(media / row["file"])[: len(angles) * SAMPLES_PER_FRAME]
            blocks = np.pad(sound, (0, len(angles) * SAMPLES_PER_FRAME - len(sound))).reshape(len(angles), -1)
            heads.append((angles, 10 * np.log10((blocks.astype(np.float64) ** 2).mean(axis=1) + 1e-8)))
    mean, directions = rest_prior(faces)
    np.savez_compressed(PRIOR, mean=mean, directions=directions)
    print(f"{PRIOR}: {len(faces)} people")
    for name, value in head_statistics(heads).items():
        print(f"{name}: {value}")


app = command(main)

if __name__ == "__main__":
    app()
