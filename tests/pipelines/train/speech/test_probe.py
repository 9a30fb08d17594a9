"""The baseline of one line of algebra, and the measures by which mouths of strangers are judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from typer.testing import CliRunner

from pipelines.train.speech import probe
from pipelines.train.speech.checkpoint import load_checkpoint, save_checkpoint
from pipelines.train.speech.data import SpeechClip
from pipelines.train.speech.measures import curves_of, measure, over_people, table
from pipelines.train.speech.network import Network, NetworkConfig
from pipelines.train.speech.ranges import app as ranges_app
from pipelines.train.speech.ranges import stretched
from pipelines.train.speech.recordings import Recording
from speechhead.audio.io import save_wav
from speechhead.face.landmarks import REFERENCE


def clip(name: str, seed: int, late: int = 0) -> tuple[SpeechClip, np.ndarray]:
    """A mouth that opens, and a chin that falls, with the second of eight features; the picture is `late` frames."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1, (160, 2, 8)).astype(np.float32)
    wave = np.convolve(features[:, :, 1].mean(1), np.ones(5) / 5, "same")
    landmarks = np.repeat(REFERENCE[None], 160, 0).copy()
    shown = np.roll(wave, late).astype(np.float32)
    landmarks[:, 65:68, 1] += 0.2 * shown[:, None]
    landmarks[:, 7:10, 1] += 0.1 * shown[:, None]
    own = SpeechClip(name, name, "train", "", landmarks, REFERENCE, np.zeros(7, np.float32), float(late))
    return own, features


def test_the_probe_finds_what_is_linear_for_people_it_has_not_seen() -> None:
    clips, features = zip(*(clip(f"p{seed}", seed, late=seed % 3) for seed in range(10)), strict=True)
    known = {one.stem: seen for one, seen in zip(clips, features, strict=True)}
    fitted = probe.Probe(clips, known.__getitem__)
    row = probe.judged(clips, fitted, own_time=True)
    assert row["people"] == 10 and row["chin"] > 0.9 and row["near"] == 1 and 0.7 < row["chin range"] < 1.2
    less = probe.judged(clips, fitted.shrunk(3.0), own_time=True)
    assert less["chin"] > 0.8 and less["chin range"] < row["chin range"]
    assert probe.judged(clips, fitted, own_time=True) == row  # the other stays as it is
    late = [one for one in clips if one.lag == 2]
    assert probe.judged(late, fitted, own_time=False)["lag"] == -2  # as the files are, we come before their pictures
    stranger, seen = clip("stranger", 77)
    known["stranger"] = seen
    assert probe.judged([stranger], fitted, own_time=True)["chin"] > 0.9


def test_still_and_energy_are_what_they_say(tmp_path: Path) -> None:
    own, _ = clip("a", 1)
    loud = np.repeat(np.maximum(curves_of(own.motion)["opening"] + 0.3, 0), 640) * np.random.default_rng(0).choice(
        [-1, 1], 160 * 640
    )
    path = save_wav(tmp_path / "a.wav", loud.astype(np.float32))
    own.recording = Recording("a", {"identity": "a"}, path=path)
    still = probe.judged([own], probe.still, own_time=True)
    assert still["opening"] == 0 and still["opening range"] == 0 and "lag" not in still
    assert probe.judged([own], probe.energy, own_time=True)["opening"] > 0.9
    assert "| still | 1 | 0.00 |" in table({"still": still})


def test_measures_are_means_over_people() -> None:
    own, _ = clip("a", 1)
    same = measure(own.motion, own.motion)
    assert same["opening"] == pytest.approx(1) and same["chin range"] == pytest.approx(1) and same["lag"] == 0
    half = measure(0.5 * own.motion, own.motion)
    assert half["opening"] == pytest.approx(1) and half["chin range"] == pytest.approx(0.5, abs=0.01)
    rows = over_people([same, half, half], ["a", "b", "b"])
    assert rows["people"] == 2 and rows["chin range"] == pytest.approx(0.75, abs=0.01)
    assert set(curves_of(own.motion)) == {"opening", "width", "chin", "corners", "protrusion"}


def test_ranges_grow_and_the_opening_stays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    motion = rng.normal(0, 0.05, (20, 70, 3)).astype(np.float32)
    moved = stretched(motion, chin=1.5, corners=2.0, width=1.2, protrusion=3.0)
    before, after = curves_of(motion), curves_of(moved)
    assert np.allclose(after["opening"], before["opening"], atol=1e-6)
    assert np.allclose(after["corners"], 2 * before["corners"], atol=1e-5)
    assert np.allclose(after["width"], 1.2 * before["width"], atol=1e-5)
    assert np.allclose(after["protrusion"], 3 * before["protrusion"], atol=1e-5)
    assert np.allclose(after["chin"], 1.5 * before["chin"], atol=0.01)
    assert np.array_equal(moved[:, 17:48], motion[:, 17:48])
    network = Network(NetworkConfig(encoder="mfcc", channels=8, project=4, width=8, modes=2, face_codes=1))
    network.basis.copy_(torch.from_numpy(motion[:2].reshape(2, -1)))
    save_checkpoint(tmp_path / "a.safetensors", network)
    arguments = [str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors"), "--chin", "1.5"]
    assert CliRunner().invoke(ranges_app, arguments).exit_code == 0
    again, notes = load_checkpoint(tmp_path / "b.safetensors")
    assert notes["stretch"] == {"chin": 1.5, "corners": 1.0, "width": 1.0, "protrusion": 1.0}
    assert np.allclose(again.basis.numpy(), stretched(motion[:2], 1.5, 1, 1, 1).reshape(2, -1))
