"""Mixed emotions: each part of the face is led by one of them, and none cancels another; speech is moved further."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from support.paths import ROOT

from speechhead.core.controls import EMOTIONS
from speechhead.face.landmarks import REFERENCE, eye_opening
from speechhead.motion.emotion import WIDEST, amplitudes, displacements, expressed, fitted, led, mix, speech_gains

BROWS = [21, 22]


@pytest.mark.parametrize("name", EMOTIONS)
def test_one_emotion_is_what_it_was(name):
    weights = mix({name: 0.6})
    alone = np.tensordot(weights.astype(np.float32), displacements(), 1)
    np.testing.assert_allclose(expressed(weights, displacements()), alone, atol=1e-7)


def test_emotions_that_contradict_each_other_do_not_cancel():
    emotions = fitted(REFERENCE)
    sad, angry, both = (
        expressed(mix(felt), emotions) for felt in ({"sad": 0.5}, {"angry": 0.5}, {"sad": 0.5, "angry": 0.5})
    )
    assert both[BROWS, 1].mean() > 0.5 * angry[BROWS, 1].mean() > 0 > sad[BROWS, 1].mean(), "the brows are anger's"
    np.testing.assert_allclose(led(mix({"sad": 0.5, "angry": 0.3, "neutral": 0.2})).sum(1), 0.8)
    smiling = REFERENCE + expressed(mix({"happy": 0.5, "sad": 0.5}), emotions)
    added = REFERENCE + np.tensordot(mix({"happy": 0.5, "sad": 0.5}).astype(np.float32), emotions, 1)
    assert eye_opening(smiling[None]).mean() > 1.04 * eye_opening(added[None]).mean(), "a sad smile is awake"
    assert smiling[[48, 54], 1].mean() < REFERENCE[[48, 54], 1].mean() - 0.01, "and smiles"


def test_speech_is_moved_further_within_the_controls_range():
    assert (amplitudes(mix({}), 1.4) == 1.4).all() and (amplitudes(mix({"surprised": 1.0}), 1.0) > 1.2).all()
    assert amplitudes(mix({"surprised": 1.0}), 1.6).max() == WIDEST
    assert (amplitudes(mix({"surprised": 1.0}), 2.0) == 2.0).all()


def test_a_browser_has_the_same_numbers():
    script = (ROOT / "server/speechhead_server/client/hear/motion.js").read_text(encoding="utf-8")
    told = json.loads(re.search(r"FURTHER = (.*?);", script)[1])
    np.testing.assert_allclose(told, speech_gains())
