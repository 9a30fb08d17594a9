"""Recordings of talking faces with sound: folders of clips with a catalogue, and shards of `pipelines.data.footage`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.data.footage.shards import Sample, is_sharded, open_samples
from pipelines.data.prepare import read_frames
from pipelines.train.config import ConfigError
from speechhead.audio.io import Samples, load_audio
from speechhead.core.arrays import Array
from speechhead.face.tracker import FaceTracker


@dataclass(frozen=True)
class Recording:
    """One recording.

    about : the catalogue's row: identity, split, language, source, source_file, notes where they are known
    path : the clip, or None; sample : of shards, or None. Exactly one of them is there.
    """

    stem: str
    about: dict[str, str]
    path: Path | None = None
    sample: Sample | None = None

    @property
    def identity(self) -> str:
        return self.about["identity"]

    @property
    def video(self) -> str:
        """What shares one offset of picture against sound: the file that the clip was cut from."""
        return f"{self.about.get('source', '')}/{self.about.get('source_file') or self.stem}"

    def sound(self) -> Samples:
        """Float32 [n] at 16 kHz."""
        if self.sample is not None:
            return self.sample.waveform
        assert self.path is not None
        return load_audio(self.path)

    def mesh(self, tracker: FaceTracker) -> Array:
        """The face of every frame, float32 [T, 478, 3] px; NaN where it is lost. Shards hold it already."""
        if self.sample is not None:
            return np.array(self.sample["mesh"], np.float32)
        assert self.path is not None
        lost = np.full((478, 3), np.nan, np.float32)
        faces = tracker.track(iter(read_frames(self.path)))
        return np.stack([lost if face is None else face.mesh for face in faces])


def list_recordings(folders: Sequence[Path]) -> list[Recording]:
    """Every recording with sound of the given folders; stems are unique, the first of a name counts.

    Raises
    ------
    ConfigError if a folder has neither a catalogue nor shards, or none has a recording with sound.
    """
    found: dict[str, Recording] = {}
    for folder in folders:
        for recording in _of_folder(folder):
            found.setdefault(recording.stem, recording)
    if not found:
        named = ", ".join(str(folder) for folder in folders)
        raise ConfigError(f"{named or 'media'}: no recording with sound. Name folders with catalog.csv, or shards.")
    return list(found.values())


def _of_folder(folder: Path) -> Iterator[Recording]:
    if is_sharded(folder):
        for sample in open_samples(folder, sound=True):
            if wrong := sample.wrong("sound", "mesh"):
                print(f"left out: {wrong}", flush=True)
                continue
            about = {key: str(value) for key, value in sample.about.items()}
            yield Recording(sample.about["id"], about | {"source_file": about.get("video", "")}, sample=sample)
        return
    catalogue = folder / "catalog.csv"
    if not catalogue.is_file():
        raise ConfigError(f"{folder}: no catalog.csv and no shards. See pipelines/train/speech/README.md.")
    with catalogue.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["audio"] == "True":
                yield Recording(row["file"].rsplit(".", 1)[0], row, path=folder / row["file"])


def write_meshes(recordings: Sequence[Recording], folder: Path) -> None:
    """Track what is not tracked yet: `folder/stem.npz` with `mesh` float32 [T, 478, 3] px, NaN where no face is."""
    folder.mkdir(parents=True, exist_ok=True)
    tracker = FaceTracker(threads=1)
    for recording in recordings:
        target = folder / f"{recording.stem}.npz"
        if not target.exists():
            np.savez(target, mesh=recording.mesh(tracker))
