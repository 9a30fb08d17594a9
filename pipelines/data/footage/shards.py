"""Samples in shards: folders of memory-mapped arrays with one row per frame, and an index of what lies where.

index.json                settings, shards, samples in their order (see `Sample`)
shards/00000/NAME.npy     one array of `ARRAYS` each, the frames of its samples one after the other
videos/KEY.json           report rows of every finished video: what a later run need not do again
parts/KEY/                samples of finished videos that wait for their shard
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray

from pipelines.data.held_out import held_out
from speechhead.core.clocks import HOPS_PER_FRAME, SAMPLES_PER_FRAME
from speechhead.core.errors import MediaError

from .files import new_folder, write_text
from .settings import FootageSettings

VERSION = 1
FRAMES_PER_SHARD = 2048
"""Frames after which a new shard begins; samples are not divided. 400 MB of pictures at 256 pixels."""
MELS = 80


def arrays(size: int) -> dict[str, tuple[type, tuple[int, ...]]]:
    """Type and shape of one frame's row in every array.

    frames : RGB; mesh : px of the frame, smoothed; normalised, rotation, translation, scale : see `landmark_arrays`;
    opening : of the lips in outer eye distances; sound : 16 kHz, in step with the pictures, silent where the sample
    says `sound: false`; features : log-mel at 100 Hz (`speechhead.audio.features.LogMel`) of it.
    """
    return {
        "frames": (np.uint8, (size, size, 3)),
        "mesh": (np.float32, (478, 3)),
        "normalised": (np.float32, (478, 3)),
        "rotation": (np.float32, (3, 3)),
        "translation": (np.float32, (3,)),
        "scale": (np.float32, ()),
        "opening": (np.float32, ()),
        "sound": (np.int16, (SAMPLES_PER_FRAME,)),
        "features": (np.float16, (HOPS_PER_FRAME, MELS)),
    }


UNREADABLE = (OSError, EOFError, KeyError, TypeError, ValueError, IndexError, BadZipFile)
"""What reading a damaged file of arrays raises."""

KNOWN: dict[str, type] = {
    "id": str, "identity": str, "split": str, "shard": str, "start": int, "frames": int, "sound": bool, "free": bool
}  # fmt: skip
"""What every entry of an index tells."""


@dataclass(frozen=True)
class Sample:
    """One sample of a folder made by `pipelines.data.footage`.

    about : its entry in the index: id, video, from (s), frames, identity, split, language, licence, free, source,
    sound (whether it is there and belongs to the lips), lag (frames by which the picture was late, undone), r, quality
    """

    folder: Path
    about: dict[str, Any]

    def __getitem__(self, name: str) -> NDArray[Any]:
        """An array of `arrays`, memory-mapped: [T, ...].

        Raises
        ------
        MediaError if the shard's file is missing or damaged, or ends before the sample does.
        """
        path = self.folder / "shards" / self.about["shard"] / f"{name}.npy"
        first, end = self.about["start"], self.about["start"] + self.about["frames"]
        try:
            length = len(_open(path))
        except UNREADABLE as error:
            raise MediaError(f"{path}: {_reason(error)}. Make the shards anew.") from error
        if length < end:
            raise MediaError(f"{path}: ends at row {length}, and {self.about['id']} at {end}. Make the shards anew.")
        return _open(path)[first:end]

    def wrong(self, *names: str) -> str | None:
        """Why one of these arrays can not be read; None if all can."""
        try:
            for name in names:
                self[name]
        except MediaError as error:
            return str(error)
        return None

    @property
    def waveform(self) -> NDArray[np.float32]:
        """The sound, float32 [640 T] in [-1, 1]."""
        return (self["sound"].reshape(-1) / np.float32(32767)).astype(np.float32)


@cache
def _open(path: Path) -> NDArray[Any]:
    return np.load(path, mmap_mode="r")


def is_sharded(folder: Path) -> bool:
    """Whether a folder was made by `pipelines.data.footage`."""
    return (folder / "index.json").is_file() and (folder / "shards").is_dir()


def open_samples(folder: Path, split: str = "all", free: bool = False, sound: bool = False) -> list[Sample]:
    """Samples of a folder: of a split, of freely licensed footage only, with usable sound only.

    Entries of the index that tell too little are left out, and named.

    Raises
    ------
    MediaError if the index can not be read.
    """
    path = folder / "index.json"
    try:
        index = json.loads(path.read_text(encoding="utf-8"))["samples"]
    except UNREADABLE as error:
        raise MediaError(f"{path}: no index of shards ({_reason(error)}). Make the shards anew.") from error
    found = []
    for number, about in enumerate(index):
        told = about if isinstance(about, dict) else {}
        lacking = [name for name, kind in KNOWN.items() if type(told.get(name)) is not kind]
        lacking = lacking or [name for name in ("start", "frames") if told[name] < 0]
        if lacking:
            print(f"left out: {path}: sample {told.get('id', number)} tells no usable {lacking[0]}", flush=True)
        else:
            found.append(Sample(folder, told))
    return [
        sample
        for sample in found
        if split in ("all", sample.about["split"])
        and (sample.about["free"] or not free)
        and (sample.about["sound"] or not sound)
    ]


class Prepared(NamedTuple):
    """A clip for the trainers: frames [T, S, S, 3], mesh and normalised [N, 478, 3], and rows [N], their frames."""

    frames: NDArray[np.uint8]
    mesh: NDArray[np.float32]
    rows: NDArray[np.int64]
    normalised: NDArray[np.float32]


def prepared_clips(folder: Path) -> Iterator[Prepared]:
    """Every clip of a folder made by `pipelines.data.footage` or by `pipelines.data.prepare`, frames memory-mapped.

    Trainers read nothing else, so what was made of a portrait that judges (`pipelines.data.held_out`) is left out here.
    A clip that is damaged is left out too, and named.

    Raises
    ------
    MediaError if all clips that are there are damaged.
    """
    good, bad = 0, ""
    clips = open_samples(folder) if is_sharded(folder) else [p for p in sorted(folder.glob("*.npz")) if not held_out(p)]
    for clip in clips:
        try:
            read = _of_sample(clip) if isinstance(clip, Sample) else _of_files(clip)
            _check(read, f"{folder}: {clip.about['id']}" if isinstance(clip, Sample) else str(clip))
        except MediaError as error:
            bad = bad or str(error)
            print(f"left out: {error}", flush=True)
            continue
        good += 1
        yield read
    if bad and not good:
        raise MediaError(f"{folder}: none of {len(clips)} clips can be used. The first is {bad}")


def _of_sample(sample: Sample) -> Prepared:
    index = np.arange(sample.about["frames"])
    return Prepared(sample["frames"], sample["mesh"], index, sample["normalised"])


def _of_files(path: Path) -> Prepared:
    try:
        with np.load(path) as arrays:
            frames = np.load(path.with_suffix(".npy"), mmap_mode="r")
            return Prepared(frames, arrays["mesh"], arrays["index"], arrays["normalised"])
    except UNREADABLE as error:
        raise MediaError(f"{path}: not a readable sample ({_reason(error)}). Prepare the clip anew.") from error


def _check(clip: Prepared, name: str) -> None:
    """Refuse arrays that do not belong together, or hold numbers that are none."""
    frames, mesh, rows, normalised = clip
    count = len(rows) if rows.ndim == 1 and rows.dtype.kind in "iu" else -1
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        wrong = f"frames {frames.dtype} {frames.shape}"
    elif mesh.shape != (count, 478, 3) or normalised.shape[1:] != (478, 3) or len(normalised) < count:
        wrong = f"mesh {mesh.shape}, normalised {normalised.shape}, index {rows.dtype} {rows.shape}"
    elif count and not 0 <= rows.min() <= rows.max() < len(frames):
        wrong = f"index up to {rows.max()}, {len(frames)} frames"
    elif not (np.isfinite(mesh).all() and np.isfinite(normalised).all()):
        wrong = "landmarks with NaN or infinity"
    else:
        return
    raise MediaError(f"{name}: not a usable sample ({wrong}). Prepare the clip anew.")


def _reason(error: BaseException) -> str:
    said = getattr(error, "strerror", None) or " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:100]}"


class PartWriter:
    """The raw arrays of one video's samples, appended as they come."""

    def __init__(self, folder: Path, size: int) -> None:
        self._files = {name: (folder / f"{name}.raw").open("wb") for name in arrays(size)}
        self._kinds = arrays(size)

    def append(self, **values: NDArray[Any]) -> None:
        """Rows [T, ...] of some of the arrays."""
        for name, value in values.items():
            kind, shape = self._kinds[name]
            assert value.shape[1:] == shape, (name, value.shape)
            self._files[name].write(np.ascontiguousarray(value, kind).tobytes())

    def close(self) -> None:
        """Close the files."""
        for stream in self._files.values():
            stream.close()


class Packer:
    """Joins parts into shards, in the order in which they are added."""

    def __init__(self, folder: Path, settings: FootageSettings) -> None:
        self.folder, self._size = folder, settings.size
        self._index: dict[str, Any] = {"version": VERSION, "settings": settings.to_dict(), "shards": [], "samples": []}
        path = folder / "index.json"
        if path.is_file():
            self._index = json.loads(path.read_text(encoding="utf-8"))
            if self._index["version"] != VERSION or self._index["settings"] != settings.to_dict():
                raise ValueError(f"{folder}: was made with other settings. Choose another output folder.")
        self._done = {about["id"] for about in self._index["samples"]}
        self._waiting: list[tuple[Path, int, dict[str, Any]]] = []
        self._parts: list[Path] = []

    def add(self, part: Path) -> None:
        """Take the samples of `parts/KEY`; shards that become full are written."""
        offset = 0
        for about in json.loads((part / "part.json").read_text(encoding="utf-8"))["samples"]:
            if about["id"] not in self._done:
                if self._waiting and self._filled() + about["frames"] > FRAMES_PER_SHARD:
                    self._write()
                self._waiting.append((part, offset, about))
            offset += about["frames"]
        self._parts.append(part)
        self._settle()

    def close(self) -> None:
        """Write the last shard, full or not, and the index."""
        if self._waiting:
            self._write()
        self._settle()
        self._write_index()

    def _filled(self) -> int:
        return sum(about["frames"] for _, _, about in self._waiting)

    def _write(self) -> None:
        name, total, start = f"{len(self._index['shards']):05d}", self._filled(), 0
        with new_folder(self.folder / "shards" / name) as shard:
            stores = {
                key: open_memmap(shard / f"{key}.npy", "w+", kind, (total, *shape))
                for key, (kind, shape) in arrays(self._size).items()
            }
            for part, offset, about in self._waiting:
                count = about["frames"]
                for key, (kind, shape) in arrays(self._size).items():
                    stores[key][start : start + count] = _rows(part / f"{key}.raw", kind, shape, offset, count)
                about |= {"shard": name, "start": start}
                start += count
            for store in stores.values():
                store.flush()
        self._index["shards"].append({"name": name, "frames": total})
        self._index["samples"] += [about for _, _, about in self._waiting]
        self._done |= {about["id"] for _, _, about in self._waiting}
        self._waiting = []
        self._write_index()
        self._settle()

    def _write_index(self) -> None:
        write_text(self.folder / "index.json", json.dumps(self._index, indent=1) + "\n")

    def _settle(self) -> None:
        """Parts of which nothing waits any more become a record of the video."""
        waiting = {part for part, _, _ in self._waiting}
        settled, self._parts = [p for p in self._parts if p not in waiting], [p for p in self._parts if p in waiting]
        for part in settled:
            about = json.loads((part / "part.json").read_text(encoding="utf-8"))
            record = {"bytes": about["bytes"], "rows": about["rows"]}
            write_text(self.folder / "videos" / f"{part.name}.json", json.dumps(record, indent=1) + "\n")
            shutil.rmtree(part)


def _rows(path: Path, kind: DTypeLike, shape: tuple[int, ...], offset: int, count: int) -> NDArray[Any]:
    length = int(np.prod(shape, dtype=int))
    values: NDArray[Any] = np.fromfile(path, kind, count * length, offset=offset * length * np.dtype(kind).itemsize)
    return values.reshape(count, *shape)
