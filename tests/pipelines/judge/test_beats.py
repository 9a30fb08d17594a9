"""Heads that keep time with a sound, and those that do not."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("scipy")
from pipelines.judge import beats
from speechhead.core.errors import AudioError

SECONDS = 6
CLICKS = np.array([0.6, 1.3, 1.9, 2.8, 3.4, 4.3, 5.1])
T = np.arange(SECONDS * 25) / 25


def clicks(at=CLICKS) -> np.ndarray:
    """Bursts of noise that die away."""
    time = np.arange(SECONDS * 16_000) / 16_000
    noise = np.random.default_rng(0).standard_normal(len(time))
    return sum(0.3 * noise * np.exp(-np.maximum(time - one, 0) * 30) * (time >= one) for one in at).astype(np.float32)


def nodding(at=CLICKS) -> np.ndarray:
    """Angles [T, 3] of a head that comes to rest at these moments, and moves between them."""
    ways = np.interp(T, np.concatenate([[0], at, [SECONDS]]), np.arange(len(at) + 2) % 2 * 6.0)
    eased = 3 * (1 - np.cos(np.pi * ways / 6))
    return np.stack([np.zeros_like(T), eased, np.zeros_like(T)], 1)


def strength(y, sr, hop_length):
    """A stand-in for librosa's: what is louder than just before."""
    frames = y[: len(y) // hop_length * hop_length].reshape(-1, hop_length)
    loud = np.sqrt((frames**2).mean(1))
    return np.maximum(np.diff(loud, prepend=0), 0)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(beats, "librosa", lambda: SimpleNamespace(onset=SimpleNamespace(onset_strength=strength)))


def test_beats_are_where_they_are(fake):
    found = beats.sound_beats(clicks())
    assert len(found) == len(CLICKS) and np.abs(found - CLICKS).max() < 0.03
    rests = beats.head_beats(nodding())
    assert all(np.abs(rests - one).min() < 0.09 for one in CLICKS)
    assert not len(beats.head_beats(np.zeros((4, 3)))) and not len(beats.head_beats(np.zeros((100, 3))))


def test_a_head_in_time_gains_over_chance_and_one_beside_it_does_not(fake):
    sound = clicks()
    on, off = (beats.beat_measures(nodding(CLICKS + late), sound) for late in (0.0, 0.3))
    assert on["beat_align"] > 0.75 and on["beat_gain"] > 0.3
    assert off["beat_align"] < 0.5 and off["beat_gain"] < 0.1
    assert beats.beat_align(np.zeros(0), CLICKS) is None
    assert beats.beat_measures(np.zeros((150, 3)), sound) == {"beat_align": None, "beat_gain": None}


def test_without_librosa_there_are_none(monkeypatch):
    monkeypatch.setattr(beats, "librosa", lambda: None)
    assert beats.beat_measures(nodding(), clicks()) == {"beat_align": None, "beat_gain": None}
    with pytest.raises(AudioError, match="need librosa.*pip install librosa"):
        beats.sound_beats(clicks())


@pytest.mark.slow
def test_librosa_hears_the_same():
    pytest.importorskip("librosa")
    found = beats.sound_beats(clicks())
    assert all(np.abs(found - one).min() < 0.05 for one in CLICKS)


def test_the_command_measures_real_heads_beside_ours(fake, tmp_path, monkeypatch, capsys):
    entry = SimpleNamespace(path=tmp_path / "a.mp4")
    silent = SimpleNamespace(path=tmp_path / "b.mp4")
    monkeypatch.setattr(beats, "list_clips", lambda *_: [entry, silent])
    monkeypatch.setattr(beats, "read_frames", lambda path, seconds: iter(()))
    monkeypatch.setattr(beats, "track", lambda frames: SimpleNamespace(angles=nodding()))

    def load(path):
        if path == silent.path:
            raise AudioError("no sound")
        return clicks()

    monkeypatch.setattr(beats, "load_audio", load)
    still = SimpleNamespace(whole=lambda samples: np.zeros((len(samples) // 640, 70, 3), np.float32))
    monkeypatch.setattr(beats.Speech2Landmarks, "load", lambda threads: still)
    beats.main(tmp_path, output=tmp_path / "out.json")
    rows, printed = json.loads((tmp_path / "out.json").read_text()), capsys.readouterr().out
    assert len(rows) == 1 and rows[0]["real"]["beat_gain"] > 0.3 and "left out: b.mp4" in printed
    assert "real  beat_align" in printed and "(1 clips)" in printed
