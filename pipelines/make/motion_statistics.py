"""Fit what speechhead/motion knows about people: closed mouths and nods.

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
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.audio.io import load_audio
from speechhead.audio.prosody import prosody
from speechhead.core.arrays import Array64
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.face.landmarks import from_mesh, mouth_opening, remove_pose
from speechhead.face.mirror import mirrored
from speechhead.motion.cues import Cues
from speechhead.motion.easing import LowPass
from speechhead.motion.pose import DIP_SECONDS, LIFT_SECONDS
from speechhead.motion.rest import PRIOR

CLOSED_FRAMES = 0.1
"""Part of a clip's frames, those with the smallest mouth opening, that show its closed mouth."""

CLOSED_AT_MOST = 0.03
"""A clip whose closed frames stand further open than this has none."""

DIRECTIONS = 12
"""Identity directions kept."""

HEAD_SECONDS = 5.0
"""Clips shorter than this are left out of the statistics of heads."""

POSED = ("lipnet", "LipNet", "mcgurk", "Text2Video", "spectre")
"""Sources whose speakers were told to keep still, in part of the name; left out of the head statistics."""


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


def nod_statistics(clips: list[tuple[Array64, Array64]]) -> dict[str, object]:
    """Constants of `speechhead.motion.pose.Nods` from (pitch [T] degrees, stress [T] dB) of each clip."""
    nods, pitches = [], []
    for pitch, stress in clips:
        lift, dip = LowPass(LIFT_SECONDS, 0.0), LowPass(DIP_SECONDS, 0.0)
        told = np.array([[lift.step(dB), dip.step(dB)] for dB in stress.tolist()])
        nods.append(told - smooth(told, 1.0))
        calm = smooth(pitch, 0.04)  # without the mesh's own jitter
        pitches.append(calm - smooth(calm, 1.0))
    nod, moved = np.concatenate(nods), np.concatenate(pitches)
    gains = np.linalg.lstsq(nod, moved, rcond=None)[0]
    return {
        "clips": len(clips),
        "minutes": round(len(moved) / FPS / 60, 1),
        "lift and dip, degrees per dB": gains.round(3),
        "correlation of pitch with lift and dip": round(float(np.corrcoef(nod @ gains, moved)[0, 1]), 3),
    }


def stress_of(sound: NDArray[np.float32]) -> Array64:
    """Stress in dB of each video frame of a sound, see `speechhead.motion.cues.Cues`."""
    heard, cues, stress = prosody(sound), Cues(), []
    for energy, pitch, active in zip(heard.energy.tolist(), heard.pitch.tolist(), heard.active.tolist()):
        cues.step(energy, pitch, active)
        stress.append(cues.stress)
    return np.array(stress)


def main(
    landmarks: Annotated[Path, typer.Argument(help="Folder of NAME.npz with the tracked mesh of each clip.")],
    media: Annotated[Path, typer.Argument(help="Folder of the clips, with catalog.csv.")],
) -> None:
    """Write the prior of closed mouths and print the constants of nods."""
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
            stress = stress_of(np.pad(sound, (0, len(angles) * SAMPLES_PER_FRAME - len(sound))))
            heads.append((angles[:, 1], stress))
    mean, directions = rest_prior(faces)
    np.savez_compressed(PRIOR, mean=mean, directions=directions)
    print(f"{PRIOR}: {len(faces)} people")
    for name, value in nod_statistics(heads).items():
        print(f"{name}: {value}")


app = command(main)

if __name__ == "__main__":
    app()
