"""Whoever moves its lips to the sound speaks; others listen, and a voice from elsewhere moves nobody."""

import numpy as np
from support.takes import FPS, take

from speechhead.face.cuts import Shots
from speechhead.render.speaking import speaks
from speechhead.render.survey import Survey

COUNT = 200
RANDOM = np.random.default_rng(1)


def syllables(seed, count=COUNT + 10):
    noise = np.random.default_rng(seed).normal(size=count)
    return np.maximum(np.convolve(noise, np.hanning(7), "same"), 0).astype(np.float32) * 0.05


def film(*openings):
    takes = tuple(take(COUNT, opening=opening[:COUNT]) for opening in openings)
    shots = Shots(np.array([0]), np.zeros(COUNT + 10, bool))
    return Survey(COUNT + 10, FPS, shots, takes, None)


def heard(series):
    return np.concatenate([np.zeros(10, np.float32), series])[: COUNT + 10]  # takes begin at picture 10


def test_the_one_who_speaks():
    said, other = syllables(0), syllables(5)
    one, two = speaks(film(said + 0.01, other), heard(said))
    assert one.mean() > 0.95 and not two.any()


def test_they_speak_in_turn():
    first, second = syllables(0), syllables(7)
    said = np.concatenate([first[:100], second[100:]])
    still = np.full(COUNT + 10, 0.02, np.float32)
    lips = np.concatenate([first[:100], still[100:]]), np.concatenate([still[:100], second[100:]])
    one, two = speaks(film(*lips), heard(said))
    assert one[:80].all() and not one[120:].any() and two[120:].all() and not two[:80].any()


def test_a_voice_from_elsewhere():
    still = 0.02 + 0.002 * RANDOM.normal(size=COUNT)
    shaking, others = speaks(film(still, syllables(3)), heard(syllables(4)))
    assert not shaking.any() and others.mean() < 0.3
