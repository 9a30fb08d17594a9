"""Blendshapes are read from landmarks as an animator would name them."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.face.landmarks import REFERENCE
from speechhead.motion.arkit import BLENDSHAPES, FITTED, blendshapes, moves


def test_each_is_found_again():
    moved = np.repeat(REFERENCE[None], len(FITTED), 0)
    moved[:, :68] += 0.7 * moves()
    found = blendshapes(moved, REFERENCE)
    assert found.shape == (len(FITTED), 52) and found.min() >= 0 and found.max() <= 1
    for number, name in enumerate(FITTED):
        assert BLENDSHAPES[int(found[number].argmax())] == name and found[number].max() > 0.35


def test_left_is_the_person_s_left():
    move = moves()[FITTED.index("eyeBlinkLeft")]
    assert np.abs(move[42:48]).max() > 5 * np.abs(move[36:42]).max(), "the eye at the right of the image"


@pytest.mark.parametrize(
    ("way", "names"),
    [((0.1, 0), ("eyeLookOutLeft", "eyeLookInRight")), ((0, 0.08), ("eyeLookDownLeft", "eyeLookDownRight")),
     ((-0.1, -0.08), ("eyeLookInLeft", "eyeLookOutRight", "eyeLookUpLeft"))],
)  # fmt: skip
def test_irises_give_the_gaze(way, names):
    moved = REFERENCE.copy()
    moved[68:, :2] += np.array(way, np.float32)
    found = blendshapes(moved[None], REFERENCE)[0]
    for name in names:
        assert found[BLENDSHAPES.index(name)] > 0.2
    assert blendshapes(REFERENCE[None], REFERENCE).max() < 1e-6
