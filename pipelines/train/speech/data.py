"""Talking-face clips as motion targets, and batches of encoder features with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipelines.train.config import ConfigError
from speechhead.core.arrays import Array
from speechhead.core.controls import EMOTIONS
from speechhead.face.landmarks import from_mesh, mouth_opening, remove_pose
from speechhead.face.mirror import mirrored

from .recordings import Recording

MOVED = np.zeros(70, np.float32)
"""How much of each point's motion is learned: eyes and irises belong to the motion module."""
MOVED[:17] = MOVED[27:36] = MOVED[48:68] = 1.0
MOVED[17:27] = 0.5

CLOSED_SHARE = 12.0
"""Per cent of a clip's frames, those with the smallest opening, whose median is the neutral face."""

_EMOTION_WORDS = {
    "happy": "happy",
    "sad": "sad",
    "surprise": "surprised",
    "fear": "afraid",
    "angry": "angry",
    "disgust": "disgusted",
}


@dataclass
class SpeechClip:
    """One recording: landmarks with the head pose removed, and its neutral face.

    landmarks: float32 [T, 70, 3] normalised; neutral: float32 [70, 3]; lag: frames by which the picture
    comes after the sound; usable: whether its sound belongs to its picture;
    recording: where it comes from, None for speech without pictures.
    """

    stem: str
    identity: str
    split: str
    source: str
    landmarks: Array
    neutral: Array
    emotion: Array
    lag: float = 0.0
    usable: bool = True
    recording: Recording | None = None

    @cached_property
    def motion(self) -> Array:
        """float32 [T, 70, 3] displacement from the neutral face, of what speech moves."""
        return ((self.landmarks - self.neutral) * MOVED[:, None]).astype(np.float32)

    @cached_property
    def opening(self) -> Array:
        """float32 [T] lip opening in outer-eye distances."""
        return mouth_opening(self.landmarks).astype(np.float32)


def emotion_of(row: dict[str, str]) -> Array:
    """Emotion named in an acted clip's file name, with MEAD's level 1-3 as intensity: float32 [7]."""
    vector = np.zeros(len(EMOTIONS), np.float32)
    if row["identity"].startswith("MEAD"):
        name = row.get("source_file", "").lower()
        level = next((int(name[i + 6]) for i in [name.find("level_")] if i >= 0), 3)
        for word, emotion in _EMOTION_WORDS.items():
            if word in name:
                vector[EMOTIONS.index(emotion)] = level / 3
    return vector


def load_speech_clips(
    recordings: Sequence[Recording], meshes: Path, lags: Path | None = None, lead: float = 0.0
) -> list[SpeechClip]:
    """All recordings whose landmarks are there.

    Parameters
    ----------
    recordings : as `list_recordings` finds them
    meshes : folder with `stem.npz` (mesh float32 [T, 478, 3] pixels, NaN where no face is), which `prepare` writes
    lags : JSON written by `offsets`, {stem: {"lag", "usable"}}; in shards the offset is undone already
    lead : frames by which learned motion comes before the sound, added to every lag

    Raises
    ------
    ConfigError if no recording has landmarks.
    """
    known = json.loads(lags.read_text(encoding="utf-8")) if lags and lags.exists() else {}
    clips = []
    for recording in recordings:
        path = meshes / f"{recording.stem}.npz"
        if not path.exists():
            continue
        with np.load(path) as data:
            mesh = fill_gaps(data["mesh"])
        if mesh is None:
            continue
        normal, neutral = normal_and_neutral(mesh)
        found = {} if recording.sample is not None else known.get(recording.stem, {})
        about = recording.about
        clips.append(
            SpeechClip(
                recording.stem, recording.identity, about["split"], about.get("source", ""), normal, neutral,
                emotion_of(about), found.get("lag", 0.0) + lead, found.get("usable", True), recording,
            )
        )  # fmt: skip
    if not clips:
        raise ConfigError(f"{meshes}: no landmarks of a recording. Run pipelines.train.speech.prepare first.")
    return clips


def normal_and_neutral(mesh: Array) -> tuple[Array, Array]:
    """Landmarks [T, 70, 3] of a tracked mesh [T, 478, 3], pose removed and hardly smoothed, and the neutral face."""
    normal, _ = remove_pose(from_mesh(mesh))
    normal = gaussian_filter1d(normal, 0.5, axis=0).astype(np.float32)
    opening = mouth_opening(normal)
    return normal, np.median(normal[opening <= np.percentile(opening, CLOSED_SHARE)], axis=0).astype(np.float32)


def fill_gaps(mesh: Array) -> Array | None:
    """Repeat the last good frame where tracking failed; None if over a third of the clip failed."""
    good = np.isfinite(mesh).all(axis=(1, 2))
    if good.mean() < 0.67 or len(mesh) < 20:
        return None
    last = np.maximum.accumulate(np.where(good, np.arange(len(mesh)), -1))
    first = int(np.argmax(good))
    return mesh[np.where(last < 0, first, last)]


class SpeechFeatures:
    """Features of one recording in all its copies: float16 [blocks, frames, channels] memory maps and their speeds."""

    def __init__(self, folder: Path, stem: str, copies: list[int], frames: int, channels: slice | None = None) -> None:
        self.copies: dict[int, tuple[NDArray[np.float16], float]] = {}
        for copy in copies:
            path = folder / str(copy) / f"{stem}.npy"
            if path.exists():
                array = np.load(path)
                if channels is not None:
                    array = np.ascontiguousarray(array[..., channels])
                speed = json.loads(path.with_suffix(".json").read_text())["speed"]
                self.copies[copy] = (array.reshape(len(array), frames, -1), speed)

    def stretch(self, first: int, last: int) -> SpeechFeatures:
        """Blocks [first, last) of the recording as it is."""
        part: SpeechFeatures = object.__new__(SpeechFeatures)
        part.copies = {0: (self.copies[0][0][first:last], self.copies[0][1])}
        return part


def targets_at(values: Array, frames: NDArray[np.float64]) -> tuple[Array, Array]:
    """Linear interpolation of [T, ...] at fractional frames, and 1 where they are inside."""
    inside = (frames >= 0) & (frames <= len(values) - 1)
    at = np.clip(frames, 0, len(values) - 1)
    low = np.minimum(at.astype(int), max(len(values) - 2, 0))
    share = (at - low).reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
    high = np.minimum(low + 1, len(values) - 1)
    return values[low] * (1 - share) + values[high] * share, inside.astype(np.float32)


def motion_modes(clips: list[SpeechClip], modes: int, weights: Array) -> Array:
    """Principal motions of the given clips, rows scaled to unit variance of their coefficients: float32 [modes, 210].

    Mirrored motion is added, so that the modes are symmetric or antisymmetric, and every identity counts alike.
    """
    by_identity: dict[str, list[Array]] = {}
    for clip in clips:
        by_identity.setdefault(clip.identity, []).append(clip.motion)
    rng = np.random.default_rng(0)
    parts = []
    for motions in by_identity.values():
        joined = np.concatenate(motions)
        parts.append(joined[rng.integers(len(joined), size=150)])
    frames = np.concatenate(parts)
    frames = np.concatenate([frames, mirrored(frames)]) * weights[:, None]
    _, values, vectors = np.linalg.svd(frames.reshape(len(frames), -1), full_matrices=False)
    rows = vectors[:modes] * (values[:modes, None] / np.sqrt(len(frames)))
    return (
        (rows.reshape(modes, 70, 3) / np.maximum(weights, 1e-6)[:, None] * (MOVED > 0)[:, None])
        .reshape(modes, -1)
        .astype(np.float32)
    )
