"""Frames of one person twice: source and driver pairs from a folder of videos, the same for the same step."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipelines.data.prepare import CLIP_SUFFIXES
from pipelines.train.compact.colours import apply_colour, recolour
from speechhead.core.arrays import Array
from speechhead.core.errors import MediaError
from speechhead.face.landmarks import from_mesh, remove_pose
from speechhead.face.mirror import FLIP, mirrored
from speechhead.face.smoothing import smooth_track
from speechhead.face.tracker import FaceTracker
from speechhead.generators.families.latents import crop_pose
from speechhead.media.reader import VideoReader

FPS = 25.0
TRACKED_SIZE = 256
"""Faces are tracked at this size, whatever the networks' is."""


@dataclass(frozen=True)
class FamilyClip:
    """One video: frames uint8 [T, S, S, 3], and its track if it was asked for.

    Track, NaN where the face is lost, in crop units (see `speechhead.generators.families.latents.crop_pose`):
    landmarks [T, 70, 3], normalised [T, 70, 3], rotation [T, 3, 3], translation [T, 3], scale [T].
    """

    name: str
    frames: NDArray[np.uint8]
    track: dict[str, Array] = field(default_factory=dict)
    usable: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Frames that can be drawn: all, or those with a face."""


def square(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle square of a picture at `size`, averaged when it shrinks."""
    side = min(frame.shape[:2])
    top, left = (frame.shape[0] - side) // 2, (frame.shape[1] - side) // 2
    middle = frame[top : top + side, left : left + side]
    if side == size:
        return np.ascontiguousarray(middle)
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(middle, (size, size), interpolation=how), np.uint8)


def track_frames(frames: Iterator[NDArray[np.uint8]], size: int) -> dict[str, Array]:
    """Track of square frames of side `size`, smoothed; see `FamilyClip`."""
    lost = np.full((478, 3), np.nan, np.float32)
    mesh = smooth_track(
        np.stack([lost if face is None else face.mesh for face in FaceTracker(threads=1).track(frames)])
    )
    count = len(mesh)
    track = {
        "landmarks": np.full((count, 70, 3), np.nan, np.float32),
        "normalised": np.full((count, 70, 3), np.nan, np.float32),
        "rotation": np.full((count, 3, 3), np.nan, np.float32),
        "translation": np.full((count, 3), np.nan, np.float32),
        "scale": np.full(count, np.nan, np.float32),
    }
    found = np.flatnonzero(np.isfinite(mesh).all((1, 2)))
    if len(found):
        normalised, poses = remove_pose(from_mesh(mesh[found]))
        for row, shape, pose in zip(found, normalised, poses):
            unit = crop_pose(pose, size)
            track["normalised"][row] = shape
            track["rotation"][row], track["translation"][row], track["scale"][row] = (
                unit.rotation,
                unit.translation,
                unit.scale,
            )
            track["landmarks"][row] = unit.scale * shape @ unit.rotation.T + unit.translation
    return track


def load_clip(path: Path, size: int, cache: Path, tracked: bool) -> FamilyClip:
    """One video at `size`, from the cache if it has been read before.

    Raises
    ------
    MediaError if the video can not be read.
    """
    stat = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
    store, marks = cache / f"{path.stem}_{key}_{size}.npy", cache / f"{path.stem}_{key}_track.npz"
    cache.mkdir(parents=True, exist_ok=True)
    if not store.is_file():
        frames = np.stack([square(frame, size) for frame in VideoReader(path, FPS).frames()])
        part = store.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as stream:
            np.save(stream, frames)
        part.replace(store)
    frames = np.load(store, mmap_mode="r")
    track: dict[str, Array] = {}
    usable = np.arange(len(frames))
    if tracked:
        if not marks.is_file():
            large = (square(frame, TRACKED_SIZE) for frame in VideoReader(path, FPS).frames())
            part = marks.with_suffix(f".{os.getpid()}.part")
            with part.open("wb") as stream:
                found: dict[str, Any] = {**track_frames(large, TRACKED_SIZE)}
                np.savez(stream, **found)
            part.replace(marks)
            print(f"{path.name}: {len(frames)} frames tracked", flush=True)
        with np.load(marks) as arrays:
            track = dict(arrays)
        usable = np.flatnonzero(np.isfinite(track["scale"]))
    return FamilyClip(path.stem, frames, track, usable)


def load_family_clips(
    source: Path, size: int, cache: Path, tracked: bool = False, shortest: int = 8
) -> list[FamilyClip]:
    """All videos of a folder (or one video) with at least `shortest` usable frames.

    Raises
    ------
    MediaError if there is none.
    """
    paths = [source] if source.is_file() else []
    if source.is_dir():
        paths = sorted(path for path in source.iterdir() if path.suffix.lower() in CLIP_SUFFIXES)
    if not paths:
        kinds = ", ".join(CLIP_SUFFIXES)
        raise MediaError(f"{source}: no videos ({kinds}) there. Name a folder of talking-face clips.")
    clips = [load_clip(path, size, cache, tracked) for path in paths]
    clips = [clip for clip in clips if len(clip.usable) >= shortest]
    if not clips:
        need = "with a face" if tracked else "long"
        raise MediaError(f"{source}: no video has {shortest} frames {need}. Use other clips.")
    return clips


def seed(*numbers: int) -> np.random.Generator:
    """Random numbers that depend on these integers alone."""
    return np.random.default_rng(list(numbers))


class FamilyPairs(Dataset[dict[str, Array]]):
    """Pair number n, the same whenever and wherever it is drawn: training can stop and go on at any step.

    Items are dictionaries of arrays: source, driver float32 [3, S, S] in 0..1; with tracked clips also
    source_rotation, driver_rotation [3, 3] and source_landmarks, driver_landmarks [70, 3] in crop units; with
    `neighbours` also before and after, the frames around the driver.

    Parameters
    ----------
    clips : of one size
    random : number that distinguishes one run from another
    augment : mirror and recolour, the same for both frames
    neighbours : largest distance in frames of before and after from the driver; 0 for none
    """

    def __init__(self, clips: Sequence[FamilyClip], random: int = 0, augment: bool = True, neighbours: int = 0) -> None:
        self.clips, self.random, self.augment, self.neighbours = clips, random, augment, neighbours
        lengths = np.sqrt([len(clip.usable) for clip in clips])
        self.chance = lengths / lengths.sum()

    def __getitem__(self, number: int) -> dict[str, Array]:
        draw = seed(self.random, number)
        clip = self.clips[draw.choice(len(self.clips), p=self.chance)]
        rows = draw.choice(clip.usable, 2, replace=False)
        return self.item(clip, int(rows[0]), int(rows[1]), draw if self.augment else None, draw)

    def item(
        self,
        clip: FamilyClip,
        source: int,
        driver: int,
        augment: np.random.Generator | None = None,
        draw: np.random.Generator | None = None,
    ) -> dict[str, Array]:
        """The pair of two frames of a clip; augmented if a generator is given for it."""
        rows = {"source": source, "driver": driver}
        if self.neighbours:
            step = int(draw.integers(1, self.neighbours + 1)) if draw is not None else 1
            last = len(clip.frames) - 1
            rows |= {"before": max(driver - step, 0), "after": min(driver + step, last)}
        turned = augment is not None and augment.random() < 0.5
        colour = recolour(augment) if augment is not None else None
        item: dict[str, Array] = {}
        for name, row in rows.items():
            image = np.asarray(clip.frames[row])
            image = image[:, ::-1] if turned else image
            image = image if colour is None else apply_colour(image, colour)
            item[name] = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / np.float32(255)
            if clip.track and name in ("source", "driver"):
                marks, turn = clip.track["landmarks"][row], clip.track["rotation"][row]
                item[f"{name}_landmarks"] = mirrored(marks) if turned else marks
                item[f"{name}_rotation"] = turn * FLIP * FLIP[:, None] if turned else turn
        return item


class _Numbers:
    """Batches of pair numbers from a step on, without end: worker processes change nothing about them."""

    def __init__(self, batch: int, start: int, rank: int, world: int) -> None:
        self.batch, self.start, self.rank, self.world = batch, start, rank, world

    def __iter__(self) -> Iterator[list[int]]:
        step = self.start
        while True:
            first = (step * self.world + self.rank) * self.batch
            yield list(range(first, first + self.batch))
            step += 1


def batches(
    pairs: FamilyPairs, batch: int, start: int = 0, workers: int = 0, rank: int = 0, world: int = 1
) -> Iterator[dict[str, Tensor]]:
    """Batches number `start`, `start` + 1, ... of one process among `world`."""
    loader = DataLoader(
        pairs,
        batch_sampler=_Numbers(batch, start, rank, world),
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)
