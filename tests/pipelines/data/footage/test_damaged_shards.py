"""Shards and samples with bad members: what is good is learnt from, what is not is named, and nothing ends a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.data.footage.shards import arrays, open_samples, prepared_clips
from pipelines.train.speech.recordings import list_recordings
from speechhead.core.errors import MediaError
from speechhead.face.landmarks import MESH_REFERENCE

COUNT = 10


def entry(name: str, shard: str, start: int = 0, **other: object) -> dict[str, object]:
    about = {"id": name, "identity": name, "split": "train", "shard": shard, "start": start, "frames": COUNT}
    return about | {"sound": True, "free": True} | other


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four shards of one sample each."""
    for number in range(4):
        shard = tmp_path / "shards" / str(number)
        shard.mkdir(parents=True)
        for name, (kind, shape) in arrays(16).items():
            np.save(shard / f"{name}.npy", np.ones((COUNT, *shape), kind))
    write(tmp_path, [entry(f"s{number}", str(number)) for number in range(4)])
    return tmp_path


def write(folder: Path, entries: list[object]) -> None:
    (folder / "index.json").write_text(json.dumps({"samples": entries}))


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_good_members_are_read_and_bad_ones_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = folder / "shards"
    (shards / "0" / "frames.npy").unlink()
    mesh = shards / "1" / "mesh.npy"
    mesh.write_bytes(mesh.read_bytes()[:3000])
    lost = np.ones((COUNT, 478, 3), np.float32)
    lost[3, 7] = np.nan
    np.save(shards / "2" / "mesh.npy", lost)
    assert len(list(prepared_clips(folder))) == 1
    lines = told(capsys)
    assert [line.split(": ")[1] for line in lines] == [str(shards / "0" / "frames.npy"), str(mesh), str(folder)]
    assert "No such file" in lines[0] and "s2: not a usable sample (landmarks with NaN" in lines[2]
    mesh.unlink()
    assert [recording.stem for recording in list_recordings([folder])] == ["s0", "s2", "s3"]
    assert "1/mesh.npy" in told(capsys)[0]


@pytest.mark.parametrize("tracked", [False, True])
def test_a_family_learns_from_the_good_ones(
    folder: Path, tracked: bool, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    from pipelines.train.families.caching import load_family_clips

    shards = folder / "shards"
    (shards / "0" / "frames.npy").unlink()
    np.save(shards / "1" / "frames.npy", np.zeros((COUNT - 2, 16, 16, 3), np.uint8))
    np.save(shards / "2" / "frames.npy", np.zeros((COUNT, 16), np.uint8))
    np.save(shards / "3" / "mesh.npy", np.repeat(8 + 4 * MESH_REFERENCE[None], COUNT, 0))
    clips = load_family_clips(folder, 16, tmp_path_factory.mktemp("cache"), tracked)
    assert [clip.name for clip in clips] == ["s3"]
    lines = told(capsys)
    assert [line.split("/frames.npy")[0][-1] for line in lines[:3]] == ["0", "1", "2"]
    assert "3 of 4 clips can not be used" in lines[3]


def test_entries_that_tell_too_little_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    late, lacking = entry("late", "1", 5), entry("lacking", "2")
    del lacking["split"]
    write(folder, [entry("s0", "0"), late, lacking, 3, entry("before", "3", -1), entry("text", "3", frames="10")])
    assert [sample.about["id"] for sample in open_samples(folder)] == ["s0", "late"]
    assert [line.split("sample ")[1] for line in told(capsys)] == [
        "lacking tells no usable split", "3 tells no usable id", "before tells no usable start",
        "text tells no usable frames",
    ]  # fmt: skip
    assert len(list(prepared_clips(folder))) == 1
    assert "frames.npy: ends at row 10, and late at 15. Make the shards anew." in told(capsys)[-1]


def test_where_nothing_is_good_there_is_one_line(folder: Path) -> None:
    for number in range(4):
        (folder / "shards" / str(number) / "normalised.npy").write_bytes(b"")
    with pytest.raises(MediaError, match=r"none of 4 clips can be used. The first is .*0/normalised.npy") as caught:
        list(prepared_clips(folder))
    assert "\n" not in str(caught.value)
    for text in ("{", "[]", "{}"):
        (folder / "index.json").write_text(text)
        with pytest.raises(MediaError, match=r"index.json: no index of shards \("):
            open_samples(folder)


def test_prepared_samples_are_checked_as_shards_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marks = np.ones((COUNT, 478, 3), np.float32)
    good = {"mesh": marks, "normalised": marks, "index": np.arange(COUNT)}
    for name, changes in {
        "good": {}, "far": {"index": np.arange(COUNT) + 1}, "few": {"mesh": marks[:3]}, "torn": {}, "alone": {}
    }.items():  # fmt: skip
        np.savez(tmp_path / f"{name}.npz", **(good | changes))
        if name != "alone":
            np.save(tmp_path / f"{name}.npy", np.zeros((COUNT, 8, 8, 3), np.uint8))
    (tmp_path / "torn.npz").write_bytes(b"PK nothing")
    assert len(list(prepared_clips(tmp_path))) == 1
    lines = told(capsys)
    assert [Path(line.split(": ")[1]).stem for line in lines] == ["alone", "far", "few", "torn"]
    assert "index up to 10, 10 frames" in lines[1]
