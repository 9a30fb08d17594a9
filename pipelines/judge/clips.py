"""Clips to evaluate on: pictures, sound and tracked landmarks of any folder of talking-face videos."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from speechhead.audio import load_audio
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.core.errors import AudioError, FaceError
from speechhead.face.landmarks import Pose, from_mesh, remove_pose
from speechhead.face.tracker import FaceTracker
from speechhead.media.reader import VideoReader

from .picture import Frames

SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".m4v"}
LARGEST = 512
"""Longer side in pixels to which larger clips are scaled down."""
FEWEST_FOUND = 0.8
"""Share of frames in which the face must be found."""


@dataclass(frozen=True)
class ClipEntry:
    """One clip of a folder. notes: the catalogue's, which may tell the clip's own audio offset."""

    path: Path
    identity: str
    split: str = ""
    language: str = ""
    notes: str = ""


def list_clips(folder: Path, split: str | None = None, catalogue: Path | None = None) -> list[ClipEntry]:
    """Clips of a folder by name, described by its catalogue (`catalog.csv` in it by default) where there is one.

    Without a catalogue each file is a person of its own, and `split` is not applied.
    """
    catalogue = catalogue or folder / "catalog.csv"
    rows = {}
    if catalogue.is_file():
        with catalogue.open(newline="", encoding="utf-8") as stream:
            rows = {row["file"]: row for row in csv.DictReader(stream)}
    entries = []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
        row = rows.get(path.name, {})
        described = (row.get(column) or "" for column in ("split", "language", "notes"))
        entry = ClipEntry(path, row.get("identity") or path.stem, *described)
        if not (rows and split) or entry.split == split:
            entries.append(entry)
    return entries


@dataclass(frozen=True)
class FaceTrack:
    """Landmarks of a video. mesh: float32 [T, 478, 3] px, gaps filled; found: share of frames with a face."""

    mesh: Array
    found: float

    @cached_property
    def landmarks(self) -> Array:
        """float32 [T, 70, 3] in pixels."""
        return from_mesh(self.mesh)

    @cached_property
    def _posed(self) -> tuple[Array, list[Pose]]:
        return remove_pose(self.landmarks)

    @property
    def normalised(self) -> Array:
        """float32 [T, 70, 3], the head's pose removed."""
        return self._posed[0]

    @property
    def poses(self) -> list[Pose]:
        """Pose of each frame, in pixels."""
        return self._posed[1]

    @cached_property
    def angles(self) -> Array:
        """Yaw, pitch and roll [T, 3] in degrees."""
        return np.array([pose.angles for pose in self.poses], np.float32)


def track(frames: Iterable[Frames], tracker: FaceTracker | None = None) -> FaceTrack | None:
    """Track the face of a video; frames without a face repeat the nearest one with it. None if no face at all."""
    tracker = tracker or FaceTracker(smooth=False)
    meshes = [None if face is None else face.mesh for face in tracker.track(iter(frames))]
    seen = np.array([i for i, mesh in enumerate(meshes) if mesh is not None])
    if not len(seen):
        return None
    nearest = seen[np.abs(np.arange(len(meshes))[:, None] - seen).argmin(1)]
    return FaceTrack(np.stack([meshes[i] for i in nearest]).astype(np.float32), len(seen) / len(meshes))


@dataclass(frozen=True)
class JudgedClip:
    """A clip in memory. frames: uint8 [T, H, W, 3]; audio: float32 [640 T] or None if it has no usable sound."""

    entry: ClipEntry
    frames: Frames
    audio: Array | None
    truth: FaceTrack = field(repr=False)

    @property
    def unit(self) -> float:
        """Factor from pixels of this clip to pixels at a size of 256."""
        return 256 / max(self.frames.shape[1:3])


def read_frames(path: Path, seconds: float | None) -> Iterator[Frames]:
    """Pictures of a video at 25 fps, at most 512 pixels long."""
    for picture in VideoReader(path, fps=FPS).frames(0, None if seconds is None else round(seconds * FPS)):
        scale = LARGEST / max(picture.shape[:2])
        if scale < 1:
            size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        yield picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]  # as a video encoder needs it


def load(entry: ClipEntry, seconds: float | None = None, tracker: FaceTracker | None = None) -> JudgedClip:
    """Read and track a clip, or its first `seconds`.

    Raises
    ------
    MediaError if it is not a readable video; FaceError if no face can be followed through it.
    """
    frames = np.stack(list(read_frames(entry.path, seconds)))
    truth = track(frames, tracker)
    if truth is None or truth.found < FEWEST_FOUND:
        share = 0 if truth is None else truth.found
        raise FaceError(f"{entry.path.name}: a face in {share:.0%} of the frames, need {FEWEST_FOUND:.0%}. Cut it.")
    try:
        sound = load_audio(entry.path)
    except AudioError:
        return JudgedClip(entry, frames, None, truth)
    audio = np.zeros(len(frames) * SAMPLES_PER_FRAME, np.float32)
    audio[: min(len(sound), len(audio))] = sound[: len(audio)]
    return JudgedClip(entry, frames, audio if np.abs(audio).max() > 1e-3 else None, truth)
