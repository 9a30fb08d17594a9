"""What families learn from: videos, samples and shards are read alike, people are held out, bad files are named."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from numpy.lib.format import open_memmap  # noqa: E402
from support.films import write  # noqa: E402

from pipelines.data.footage import catalogue, shards  # noqa: E402
from pipelines.data.prepare import describe, prepare_clip  # noqa: E402
from pipelines.train.families import store  # noqa: E402
from pipelines.train.families.caching import learnt_and_held_out, load_family_clips  # noqa: E402
from pipelines.train.families.config import FamilyTraining  # noqa: E402
from pipelines.train.families.data import FamilyPairs  # noqa: E402
from pipelines.train.families.keeping import keep_all  # noqa: E402
from pipelines.train.families.parallel import Workers  # noqa: E402
from pipelines.train.families.sources import Kept, list_sources  # noqa: E402
from pipelines.train.families.store import TRACK, StoredFrames, growing, square  # noqa: E402
from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.core.errors import MediaError  # noqa: E402

ALONE = Workers(0, 1, torch.device("cpu"))
COUNT = 10


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three films of a face that sways, wider than high and with sound, of three people, and one of no face."""
    folder = tmp_path_factory.mktemp("videos")
    crop, sound = Avatar.default(128).crop, np.sin(np.arange(COUNT * 640) / 20).astype(np.float32)
    for number, name in enumerate(("ada", "bob", "cy")):
        pictures = []
        for row in range(COUNT):
            turn = cv2.getRotationMatrix2D((64, 64), 4 * math.sin(row + number), 1)
            turn[:, 2] += (16, 0)
            pictures.append(cv2.warpAffine(crop, turn, (160, 128), borderMode=cv2.BORDER_REPLICATE))
        write(folder / f"{name}.mp4", np.stack(pictures), sound)
    rows = ["file,identity,split", "ada.mp4,Ada,train", "bob.mp4,Bob,val", "cy.mp4,Cy,test"]
    (folder / "catalog.csv").write_text("\n".join(rows) + "\n")
    return folder


def load(place: Path, cache: Path, **how: Any) -> Any:
    return load_family_clips(place, 64, cache, **how)


def test_a_video_is_read_once_tracked_and_kept_on_disk(videos: Path, tmp_path: Path) -> None:
    (clip,) = load(videos, tmp_path, tracked=True)
    assert (clip.name, clip.identity, clip.split) == ("ada.mp4", "Ada", "train")
    assert len(clip.frames) == COUNT and clip.frames[3].shape == (64, 64, 3) and clip.frames[2:5].shape[0] == 3
    assert list(clip.usable) == list(range(COUNT)) and set(clip.track) == set(TRACK.names or ())
    assert np.abs(clip.track["landmarks"][:, 30, :2]).max() < 0.5  # the nose, in [-1, 1]
    sound = clip.waveform()
    assert sound is not None and len(sound) == COUNT * 640 and sound.std() > 0.1
    again = pickle.loads(pickle.dumps(clip))
    assert len(pickle.dumps(clip)) < 5000 and np.array_equal(again.frames[:], clip.frames[:])
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    load(videos, tmp_path, tracked=True)
    assert len(kept) == 2 and kept == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (one,) = load(videos / "bob.mp4", tmp_path)  # named itself, it is learnt from
    assert not one.track and one.split == "train"


def prepared(videos: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in sorted(videos.glob("*.mp4")):
        assert prepare_clip(path, folder) == COUNT
    describe([{"file": "ada.mp4", "identity": "Ada", "split": "train"}], folder / "catalog.csv")
    describe([{"file": "bob.mp4", "identity": "Bob", "split": "val"}], folder / "catalog.csv")
    return folder


def sharded(samples: Path, folder: Path) -> Path:
    """The same samples as one shard, by hand."""
    shard, about, start = folder / "shards" / "00000", [], 0
    shard.mkdir(parents=True)
    found = [(np.load(path.with_suffix(".npy")), np.load(path)["mesh"]) for path in sorted(samples.glob("*.npz"))]
    total = sum(len(mesh) for _, mesh in found)
    frames = open_memmap(shard / "frames.npy", "w+", np.uint8, (total, 128, 128, 3))
    meshes = open_memmap(shard / "mesh.npy", "w+", np.float32, (total, 478, 3))
    sound = open_memmap(shard / "sound.npy", "w+", np.int16, (total, 640))
    for number, (pictures, mesh) in enumerate(found):
        rows = slice(start, start + len(mesh))
        frames[rows], meshes[rows] = pictures[:, :, 16:144], mesh - np.array([16, 0, 0])
        sound[rows] = 1000 * (number + 1)
        about.append({"id": f"{number}", "identity": f"{number}", "split": ("train", "val", "test")[number]})
        about[-1] |= {"shard": "00000", "start": start, "frames": len(mesh), "sound": number != 1, "free": True}
        start += len(mesh)
    (folder / "index.json").write_text(json.dumps({"samples": about}))
    assert shards.is_sharded(folder)
    return folder


def test_prepared_samples_and_shards_are_read_as_videos_are(videos: Path, tmp_path: Path) -> None:
    samples = prepared(videos, tmp_path / "prepared")
    packed = sharded(samples, tmp_path / "shards")
    places, both = {"videos": videos, "samples": samples, "shards": packed}, ("train", "val")
    found = {name: load(place, tmp_path / "cache", tracked=True, splits=both) for name, place in places.items()}
    assert [clip.split for clip in found["shards"]] == ["train", "val"]
    assert [clip.identity for clip in found["samples"]] == ["Ada", "Bob", "cy"]  # of the third no catalogue tells
    names = {path.name.split("_")[-1] for path in (tmp_path / "cache").iterdir()}
    assert names == {"64.npy", "track.npy"} and len(list((tmp_path / "cache").glob("*_64.npy"))) == 2
    for clips in found.values():
        for clip, true in zip(clips, found["videos"]):
            assert np.abs(clip.frames[4].astype(int) - true.frames[4]).mean() < 2
            far = np.abs(clip.track["landmarks"] - true.track["landmarks"])[..., :2]
            assert far.mean() < 0.02, far.mean()  # tracked at another size
            item = FamilyPairs([clip], augment=False)[3]
            assert item["source"].shape == (3, 64, 64) and item["driver_rotation"].shape == (3, 3)
    ours = found["shards"][0].waveform()
    assert ours is not None and len(ours) == COUNT * 640 and found["shards"][1].waveform() is None
    assert found["samples"][0].waveform() is None


def options(clips: Path, cache: Path, **changes: Any) -> FamilyTraining:
    values = {"family": "fomm", "clips": str(clips), "cache": str(cache), "size": 64, "workers": 0}
    return FamilyTraining.from_dict(values | changes)


def test_people_of_the_validation_split_are_held_out(
    videos: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = options(videos, tmp_path)
    learnt, held = learnt_and_held_out(told, False, ALONE)
    assert ([clip.identity for clip in learnt], [clip.identity for clip in held]) == (["Ada"], ["Bob"])
    assert "to learn from: 1 clips, 1 people; held out: 1 clips, 1 people" in capsys.readouterr().out
    other = tmp_path / "other"
    other.mkdir()
    for name in ("ada", "bob"):
        (other / f"{name}.mp4").symlink_to(videos / f"{name}.mp4")
    (other / "catalog.csv").write_text("file,identity,split\nada.mp4,Ada,train\nbob.mp4,Bob,train\n")
    learnt, held = learnt_and_held_out(
        replace(told, clips=str(other), validation=str(videos / "bob.mp4")), False, ALONE
    )
    assert len(learnt) == 2 and [clip.identity for clip in held] == ["bob"]
    with pytest.raises(MediaError, match="everybody there is held out"):
        learnt_and_held_out(replace(told, validation=str(other)), False, ALONE)
    (other / "catalog.csv").write_text("file,split\nada.mp4,val\nbob.mp4,val\n")
    with pytest.raises(MediaError, match="everybody there is held out"):
        learnt_and_held_out(replace(told, clips=str(other)), False, ALONE)
    (other / "catalog.csv").unlink()
    monkeypatch.setattr(catalogue, "split_of", lambda identity: "val")  # an unlucky hash
    learnt, held = learnt_and_held_out(replace(told, clips=str(other)), False, ALONE)
    assert (len(learnt), len(held)) == (2, 0)


def test_bad_files_are_left_out_and_counted(videos: Path, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "good.mp4").symlink_to(videos / "ada.mp4")
    (folder / "broken.mp4").write_bytes(b"\0" * 100)
    write(folder / "blank.mp4", np.full((9, 64, 64, 3), 90, np.uint8))
    write(folder / "short.mp4", np.full((3, 64, 64, 3), 90, np.uint8))
    names = ("good", "broken", "blank", "short")
    (folder / "catalog.csv").write_text("file,split\n" + "".join(f"{name}.mp4,train\n" for name in names))
    assert [clip.name for clip in load(folder, tmp_path / "cache", tracked=True)] == ["good.mp4"]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"left out: {folder / 'broken.mp4'}: not a readable video")
    assert said[-1].startswith(f"{folder}: 3 of 4 clips can not be used ({folder / 'broken.mp4'}: ")
    assert "blank.mp4: 0 frames with a face, 8 are needed" in said[-1]
    (folder / "good.mp4").unlink()
    (folder / "good.mp4").write_bytes(b"")
    with pytest.raises(MediaError, match="4 of 4 clips can not be used") as caught:
        load(folder, tmp_path / "cache", tracked=True)
    assert "\n" not in str(caught.value) and not list((tmp_path / "cache").glob(".*"))


def test_damaged_samples_are_named(videos: Path, tmp_path: Path) -> None:
    samples = prepared(videos, tmp_path / "prepared")
    (samples / "ada.npz").write_bytes(b"PK nothing")
    (samples / "cy.npy").write_bytes((samples / "cy.npy").read_bytes()[:5000])
    with pytest.raises(MediaError, match=r"2 of 2 clips .*ada.npy: not a readable sample"):
        load(samples, tmp_path / "cache", tracked=True)


def test_several_processes_keep_what_one_keeps(videos: Path, tmp_path: Path) -> None:
    kept = Kept(64, tmp_path)
    sources = list_sources(videos)
    assert dict(keep_all(sources, kept, processes=2)) == {"ada.mp4": None, "bob.mp4": None, "cy.mp4": None}
    assert [len(source.open(kept).frames) for source in sources] == [COUNT] * 3


def test_an_array_file_grows_row_by_row_and_is_there_whole_or_not(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    rows = np.arange(3 * 12 * 4 * 4 * 3).astype(np.uint8).reshape(-1, 4, 4, 3)
    with growing(path, np.uint8, (4, 4, 3)) as append:
        for first in range(0, len(rows), 5):
            append(rows[first : first + 5])
        assert not path.exists()
    assert np.array_equal(np.load(path), rows)
    frames = StoredFrames(path, 4, start=6, count=9)
    assert np.array_equal(frames[np.array([8, 0])], rows[[14, 6]]) and np.array_equal(frames[-1], rows[14])
    assert frames[3:3].shape == (0, 4, 4, 3)
    with pytest.raises(IndexError):
        frames[9]
    with pytest.raises(KeyError), growing(tmp_path / "other.npy", TRACK) as append:
        append(np.zeros(2, TRACK))
        raise KeyError
    assert [file.name for file in tmp_path.iterdir()] == ["rows.npy"]


def test_tracks_are_made_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    crop = Avatar.default(256).crop
    whole = store.track_frames([crop] * 7, 256)
    monkeypatch.setattr(store, "STRETCH", 3)
    parts = list(store.track_stretches((crop for _ in range(7)), 256))
    assert [len(part) for part in parts] == [3, 3, 1] and whole.dtype == TRACK
    assert np.allclose(np.concatenate(parts)["landmarks"], whole["landmarks"], atol=0.02)
    assert len(store.track_frames([], 256)) == 0


def test_squares_are_the_middle() -> None:
    picture = np.zeros((8, 12, 3), np.uint8)
    picture[:, 2:10] = 200
    assert (square(picture, 4) == 200).all() and (square(picture, 8) == 200).all()
