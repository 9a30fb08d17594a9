"""What a family can learn from: videos, samples of `pipelines.data.prepare`, shards of `pipelines.data.footage`."""

from __future__ import annotations

import csv
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.data.footage.catalogue import SUFFIXES, list_footage
from pipelines.data.footage.shards import UNREADABLE, Sample, is_sharded, open_samples
from pipelines.data.held_out import held_out
from speechhead.audio import load_audio
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.core.errors import MediaError, SpeechheadError
from speechhead.media.reader import VideoReader

from .store import TRACK, StoredFrames, StoredTrack, as_track, growing, mapped, middle, square, track_stretches

FPS = 25.0
TRACKED_SIZE = 256
"""Faces are tracked at this size, whatever the networks' is."""

TRAIN, HELD_OUT = "train", "val"


@dataclass(frozen=True)
class FamilyClip:
    """One clip: frames uint8 [T, S, S, 3], and its track if it was asked for.

    name, identity, split : as the catalogue has them
    track : arrays of `store.TRACK`, [T, ...] each, in crop units, NaN where the face is lost
    usable : frames that can be drawn: all, or those with a face
    source : what it was read from, None for one that was made
    """

    name: str
    frames: StoredFrames | NDArray[np.uint8]
    track: Mapping[str, Array] = field(default_factory=dict)
    usable: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    identity: str = ""
    split: str = TRAIN
    source: ClipSource | None = None

    def waveform(self) -> Array | None:
        """The sound of all frames, float32 [640 T] at 16 kHz; None where there is none that belongs to the picture."""
        sound = self.source.waveform() if self.source is not None else None
        if sound is None:
            return None
        length = SAMPLES_PER_FRAME * len(self.frames)
        return np.pad(sound[:length], (0, max(length - len(sound), 0)))


@dataclass(frozen=True)
class Kept:
    """How clips are kept. size : side of frames; folder : the cache; tracked : whether faces are tracked too."""

    size: int
    folder: Path
    tracked: bool = False


@dataclass(frozen=True)
class ClipSource(ABC):
    """One clip before it is read. name : for messages; identity, split : see `FamilyClip`."""

    name: str
    identity: str
    split: str

    @abstractmethod
    def keep(self, kept: Kept) -> None:
        """Put what is missing of it into the cache, in a stream.

        Raises
        ------
        MediaError if it can not be used.
        """

    @abstractmethod
    def frames(self, kept: Kept) -> StoredFrames:
        """Its frames, once kept."""

    @abstractmethod
    def _about(self) -> str:
        """What tells this clip from any other, and this version of it."""

    def waveform(self) -> Array | None:
        """Its sound from the first frame on, float32 [N] at 16 kHz."""
        return None

    def _file(self, kept: Kept, what: str) -> Path:
        key = hashlib.sha256(self._about().encode()).hexdigest()[:12]
        return kept.folder / f"{Path(self.name).stem}_{key}_{what}.npy"

    def marks(self, kept: Kept) -> Path:
        """File of its track."""
        return self._file(kept, "track")

    def open(self, kept: Kept) -> FamilyClip:
        """The clip, once kept."""
        frames = self.frames(kept)
        track: Mapping[str, Array] = StoredTrack(self.marks(kept)) if kept.tracked else {}
        usable = np.flatnonzero(np.isfinite(track["scale"])) if kept.tracked else np.arange(len(frames))
        return FamilyClip(self.name, frames, track, usable, self.identity, self.split, self)


@dataclass(frozen=True)
class VideoSource(ClipSource):
    """A video, read at 25 frames per second."""

    path: Path

    def _about(self) -> str:
        stat = self.path.stat()
        return f"{self.path.resolve()} {stat.st_size} {stat.st_mtime_ns}"

    def _store(self, kept: Kept) -> Path:
        return self._file(kept, str(kept.size))

    def keep(self, kept: Kept) -> None:
        """Decoded once: frames are written, and seen by the tracker, as they come."""
        store, marks = self._store(kept), self.marks(kept)
        with ExitStack() as stack:
            pictures: Iterator[NDArray[np.uint8]] = (
                VideoReader(self.path, FPS).frames() if self._lacks(kept) else iter(())
            )
            if not store.is_file():
                append = stack.enter_context(growing(store, np.uint8, (kept.size, kept.size, 3)))
                pictures = self._written(pictures, append, kept.size)
            if kept.tracked and not marks.is_file():
                write = stack.enter_context(growing(marks, TRACK))
                for rows in track_stretches((square(one, TRACKED_SIZE) for one in pictures), TRACKED_SIZE):
                    write(rows)
            for _ in pictures:
                pass

    def _lacks(self, kept: Kept) -> bool:
        return not self._store(kept).is_file() or (kept.tracked and not self.marks(kept).is_file())

    @staticmethod
    def _written(pictures: Iterator[Any], append: Any, size: int) -> Iterator[Any]:
        for picture in pictures:
            append(square(picture, size)[None])
            yield picture

    def frames(self, kept: Kept) -> StoredFrames:
        return StoredFrames(self._store(kept), kept.size)

    def waveform(self) -> Array | None:
        try:
            return load_audio(self.path)
        except SpeechheadError:  # it has no sound, or none that can be read
            return None


@dataclass(frozen=True)
class MeshSource(ClipSource):
    """A sample whose frames lie on disk already and whose face is tracked: only its track is made over."""

    path: Path
    """Array file of its frames [N, H, W, 3]."""

    def rows(self) -> tuple[int, int | None]:
        """First row of the file that is the sample's, and how many are."""
        return 0, None

    @abstractmethod
    def mesh(self) -> tuple[Array, NDArray[np.int64]]:
        """Meshes [N, 478, 3] in pixels of the frames, and the frames [N] that they belong to."""

    def frames(self, kept: Kept) -> StoredFrames:
        return StoredFrames(self.path, kept.size, *self.rows())

    def keep(self, kept: Kept) -> None:
        """The track in crop units."""
        try:
            count, (first, _), shape = len(self.frames(kept)), self.rows(), mapped(self.path).shape
            if len(shape) != 4 or shape[3] != 3 or first + count > shape[0]:
                raise ValueError(f"frames {shape}, rows {first} to {first + count} are asked for")
            if not kept.tracked or self.marks(kept).is_file():
                return
            side, left, top = middle(*mapped(self.path).shape[1:3])
            whole = np.full((count, 478, 3), np.nan, np.float32)
            mesh, index = self.mesh()
            whole[index] = mesh - np.array([left, top, 0], np.float32)
        except MediaError:
            raise
        except UNREADABLE as error:
            raise MediaError(f"{self.path}: not a readable sample ({error}). Prepare the clip anew.") from error
        with growing(self.marks(kept), TRACK) as append:
            append(as_track(whole, side))


@dataclass(frozen=True)
class PreparedSource(MeshSource):
    """A sample of `pipelines.data.prepare`: NAME.npy and NAME.npz."""

    def _about(self) -> str:
        stat = self.path.with_suffix(".npz").stat()
        return f"{self.path.resolve()} {stat.st_size} {stat.st_mtime_ns}"

    def mesh(self) -> tuple[Array, NDArray[np.int64]]:
        with np.load(self.path.with_suffix(".npz")) as arrays:
            return arrays["mesh"], arrays["index"]


@dataclass(frozen=True)
class ShardSource(MeshSource):
    """A sample of a folder made by `pipelines.data.footage`."""

    sample: Sample

    def _about(self) -> str:
        return f"{self.path.resolve()} {self.path.stat().st_mtime_ns} {self.rows()}"

    def rows(self) -> tuple[int, int | None]:
        return self.sample.about["start"], self.sample.about["frames"]

    def mesh(self) -> tuple[Array, NDArray[np.int64]]:
        mesh = self.sample["mesh"]
        return mesh, np.arange(len(mesh))

    def waveform(self) -> Array | None:
        return self.sample.waveform if self.sample.about["sound"] else None


def list_sources(place: Path) -> list[ClipSource]:
    """What a folder holds, or one video.

    The split is the catalogue's (`catalog.csv`, or the index of shards). Videos without one are divided by a hash of
    the person (`catalogue.split_of`), a tenth of them to validate; prepared samples without one, and a single video,
    are to learn from.

    Raises
    ------
    MediaError if there is nothing.
    """
    if place.is_file():
        return [VideoSource(place.name, place.stem, TRAIN, place)]
    found = list(_in_folder(place))
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise MediaError(
            f"{place}: no videos ({kinds}), prepared samples or shards there. Name a folder of talking-face clips."
        )
    return found


def _in_folder(folder: Path) -> Iterator[ClipSource]:
    if is_sharded(folder):
        for sample in open_samples(folder):
            about = sample.about
            path = folder / "shards" / about["shard"] / "frames.npy"
            yield ShardSource(about["id"], about["identity"], about["split"], path, sample)
        return
    samples = [path for path in sorted(folder.glob("*.npz")) if path.with_suffix(".npy").is_file()]
    if samples:
        rows = _catalogue(folder)
        for path in samples:
            if not held_out(path):
                row = rows.get(path.stem, {})
                known = row.get("identity") or path.stem, row.get("split") or TRAIN
                yield PreparedSource(path.stem, *known, path.with_suffix(".npy"))
        return
    if folder.is_dir():
        entries = list_footage(folder)
        # Of few people the hash may leave nobody to learn from; a catalogue means what it says.
        few = not (folder / "catalog.csv").is_file() and all(entry.split == HELD_OUT for entry in entries)
        for entry in entries:
            yield VideoSource(entry.name, entry.identity, TRAIN if few else entry.split, entry.path)


def _catalogue(folder: Path) -> dict[str, dict[str, str]]:
    """Rows of `catalog.csv` by the names of files without their endings."""
    path = folder / "catalog.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        return {Path(row["file"]).stem: row for row in csv.DictReader(stream)}
