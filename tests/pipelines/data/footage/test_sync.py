"""The lag of lips against sound is found, undone where there is a relation, and the sound left out where not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.films import speaking, write

from pipelines.data.footage.catalogue import FootageEntry
from pipelines.data.footage.settings import FootageSettings
from pipelines.data.footage.shards import Sample
from pipelines.data.footage.sync import LAGS, belongs, energy, offset_of, relate
from pipelines.data.footage.video import process
from speechhead.core.clocks import SAMPLES_PER_FRAME


def lips(frames: int, seed: int) -> np.ndarray:
    """A speech-like opening signal."""
    noise = np.random.default_rng(seed).normal(size=frames + 60)
    return np.convolve(noise, np.hanning(6), "same")[30:-30].astype(np.float32)


def relation(frames: int, lag: int, seed: int, noise: float = 0.5):
    """Lips `lag` frames behind their sound, as `relate` meets them."""
    wide = lips(frames + 4 * LAGS, seed)
    opening = wide[2 * LAGS - lag : 2 * LAGS - lag + frames]
    predicted = wide[LAGS : LAGS + frames + 2 * LAGS] + noise * lips(frames + 2 * LAGS, seed + 1000)
    sound = np.zeros(len(predicted) * SAMPLES_PER_FRAME, np.float32)
    return relate(opening, sound, np.ones(len(sound), bool), np.zeros((70, 3)), lambda *_: predicted)


@pytest.mark.parametrize("lag", [-9, -1, 0, 3, 7])
def test_the_lag_is_found(lag):
    assert relation(150, lag, seed=lag + 20).lag == lag
    assert offset_of([relation(150, lag, seed=lag + 20)]) == lag


def test_other_people_s_sound_has_no_relation():
    strangers = [relation(250, 0, seed, noise=50) for seed in range(10)]
    assert sum(offset_of([one]) is None for one in strangers) >= 9


def test_short_samples_are_judged_with_their_video():
    short = [relation(30, 4, seed) for seed in range(12)]
    assert offset_of(short) == 4
    assert sum(belongs(one, 4) for one in short) >= 10


def test_sound_that_is_not_there_does_not_count():
    frames, opening = 60, lips(60, 1)
    predicted = np.concatenate([np.full(LAGS, 9), opening, np.full(LAGS, 9)]).astype(np.float32)
    there = np.repeat(np.r_[np.zeros(LAGS), np.ones(frames), np.zeros(LAGS)], SAMPLES_PER_FRAME).astype(bool)
    found = relate(opening, np.zeros(len(there), np.float32), there, np.zeros((70, 3)), lambda *_: predicted)
    assert found.lag == 0 and found.at(0) == pytest.approx(1)


def test_a_late_picture_gets_its_sound_back(tmp_path):
    late = 4
    pictures, sound = speaking(60, late)
    path = write(tmp_path / "a.mp4", pictures, sound)
    part = process(FootageEntry(path, path.name, "a", "train"), tmp_path, FootageSettings(), energy)
    about = json.loads((part / "part.json").read_text())["samples"][0]
    assert about["sound"] and about["lag"] == late and about["r"] > 0.8
    heard = np.fromfile(part / "sound.raw", np.int16).astype(np.float32) / 32767
    opening = np.fromfile(part / "opening.raw", np.float32)
    inside = slice(abs(late), len(opening) - abs(late))
    assert np.corrcoef(energy(heard)[inside], opening[inside])[0, 1] > 0.8


def test_unrelated_sound_is_left_out_and_the_pictures_stay(tmp_path):
    pictures, _ = speaking(50)
    _, sound = speaking(50, seed=5)
    path = write(tmp_path / "a.mp4", pictures, sound)
    part = process(FootageEntry(path, path.name, "a", "train"), tmp_path, FootageSettings(), energy)
    about = json.loads((part / "part.json").read_text())
    assert about["rows"][0]["sound"] == "unrelated" and not about["samples"][0]["sound"]
    assert not np.fromfile(part / "sound.raw", np.int16).any()
    assert isinstance(Sample(tmp_path, about["samples"][0]).about["r"], float)
