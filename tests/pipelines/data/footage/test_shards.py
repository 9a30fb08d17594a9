"""Many videos to shards: in any order of work the same bytes, after a stop without doing things twice."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from support.films import speaking, takes, write
from typer.testing import CliRunner

import pipelines.data.footage.__main__ as command
from pipelines.data.footage import shards
from pipelines.data.footage.catalogue import list_footage
from pipelines.data.footage.settings import FootageSettings
from pipelines.data.footage.shards import open_samples, prepared_clips


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Two films of two people, one broken file, and their catalogue."""
    folder = tmp_path_factory.mktemp("videos")
    pictures, sound = speaking(50)
    write(folder / "b.mp4", pictures, sound)
    write(folder / "a.mp4", takes(30))
    (folder / "c.mp4").write_bytes(b"\0" * 100)
    rows = ["file,identity,split,language,licence", "a.mp4,Ada,train,English,CC0", "b.mp4,Bob,val,Dutch,YouTube"]
    (folder / "catalog.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def output(videos, tmp_path_factory) -> Path:
    """All of it at once, shards of 40 frames."""
    output = tmp_path_factory.mktemp("output")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "FRAMES_PER_SHARD", 40)
        command.run(list_footage(videos), output, FootageSettings())
    return output


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_index_says_what_lies_where(output):
    samples = open_samples(output)
    assert [(s.about["id"], s.about["shard"], s.about["frames"]) for s in samples] == [
        ("a_000000", "00000", 30),
        ("b_000000", "00001", 50),
    ]
    one = samples[1]
    assert one["frames"].shape == (50, 256, 256, 3) and one["features"].shape == (50, 4, 80)
    assert len(one.waveform) == 50 * 640
    assert {"identity": "Bob", "split": "val", "language": "Dutch", "free": False}.items() <= one.about.items()
    assert [s.about["id"] for s in open_samples(output, free=True)] == ["a_000000"]
    assert [s.about["id"] for s in open_samples(output, split="val")] == ["b_000000"]
    assert not list(output.rglob("*.part")) and not list((output / "parts").iterdir())


def test_the_report_has_every_video(output):
    with (output / "report.csv").open() as stream:
        verdicts = [(row["video"], row["verdict"]) for row in csv.DictReader(stream)]
    assert verdicts == [("a.mp4", "kept"), ("a.mp4", "no sound"), ("b.mp4", "kept"), ("c.mp4", "unreadable")]
    assert json.loads((output / "report.json").read_text())["summary"]["unreadable"]["parts"] == 1


def test_a_stopped_run_goes_on_and_ends_in_the_same_bytes(videos, output, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "FRAMES_PER_SHARD", 40)
    done, process = [], command.process

    def stops(entry, *rest):
        if entry.name == "b.mp4" and "b.mp4" not in done:
            done.append(entry.name)
            raise KeyboardInterrupt
        done.append(entry.name)
        return process(entry, *rest)

    monkeypatch.setattr(command, "process", stops)
    with pytest.raises(KeyboardInterrupt):
        command.run(list_footage(videos), tmp_path, FootageSettings())
    command.run(list_footage(videos), tmp_path, FootageSettings())
    assert digest(tmp_path) == digest(output)
    done.clear()
    command.run(list_footage(videos), tmp_path, FootageSettings())
    assert done == [] and digest(tmp_path) == digest(output)


def test_trainers_read_shards_as_they_read_prepared_clips(output, tmp_path):
    clips = list(prepared_clips(output))
    assert [len(clip.mesh) for clip in clips] == [30, 50]
    for clip in clips:
        np.savez(tmp_path / "a.npz", mesh=clip.mesh, normalised=clip.normalised, index=clip.rows)
        np.save(tmp_path / "a.npy", clip.frames)
        old = next(iter(prepared_clips(tmp_path)))
        assert all(np.array_equal(a, b) for a, b in zip(old, clip))
    pytest.importorskip("torch")
    from pipelines.train.compact.data import load_prepared_clips

    loaded = load_prepared_clips(output)
    assert [clip.frames.shape[0] for clip in loaded] == [30, 50]
    assert sorted(loaded[1].open_first) == list(range(50))


def test_the_speech_trainer_reads_shards_as_they_are(output, tmp_path):
    pytest.importorskip("torch")
    from pipelines.train.speech.data import load_speech_clips
    from pipelines.train.speech.recordings import list_recordings, write_meshes

    index = json.loads((output / "index.json").read_text())
    index["samples"][1]["sound"] = True  # Speech2Landmarks sees no words in the test's noise
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "index.json").write_text(json.dumps(index))
    (copy / "shards").symlink_to(output / "shards")
    recordings = list_recordings([copy])
    assert [(one.stem, one.video) for one in recordings] == [("b_000000", "/b.mp4")]
    assert len(recordings[0].sound()) == 50 * 640
    write_meshes(recordings, tmp_path / "meshes")
    (tmp_path / "lags.json").write_text(json.dumps({"b_000000": {"lag": 3.0, "usable": False}}))
    clips = load_speech_clips(recordings, tmp_path / "meshes", tmp_path / "lags.json", lead=0.5)
    assert [(clip.stem, clip.identity, len(clip.landmarks)) for clip in clips] == [("b_000000", "Bob", 50)]
    assert (clips[0].lag, clips[0].usable) == (0.5, True)  # of shards the offset is undone already


def test_bad_input_is_one_line(videos, output, tmp_path):
    def refused(*words) -> str:
        result = CliRunner().invoke(command.app, [str(word) for word in words])
        assert result.exit_code == 2
        return result.output.strip().splitlines()[-1]

    assert "no video" in refused("--videos", tmp_path, "--output", tmp_path / "o")
    assert "does not exist" in refused("--videos", tmp_path / "none", "--output", tmp_path / "o")
    for name in ("a.mp4", "a.mov"):
        (tmp_path / name).touch()
    assert "a.mov, a.mp4" in refused("--videos", tmp_path, "--output", tmp_path / "o")
    assert "other settings" in refused("--videos", videos, "--output", output, "--min-eyes", 30)
