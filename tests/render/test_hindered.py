"""Mouths that can not be drawn are left alone, with a reason, and gone over to softly."""

import numpy as np
import pytest
from support.takes import FPS, take

from speechhead.render.hindered import covered_frames, hindered, passages, runs, shares


def test_frames_with_a_covered_mouth_are_told_from_single_blurred_ones():
    odds = np.full(60, -4.0, np.float32)
    odds[10] = 9
    odds[30:50] = 9
    odds[40] = -9
    hidden = covered_frames(odds, 25)
    assert not hidden[:29].any() and hidden[31:49].all() and not hidden[51:].any()
    assert not covered_frames(odds[:30], 25).any()
    assert covered_frames(np.full(3, 9.0, np.float32), 25).all()


@pytest.mark.parametrize("name, value, reason", [("yaw", 60, "turned"), ("cover", 9, "covered"), ("cut", 1, "edge")])
def test_a_hindrance_is_named_and_faded_round(name, value, reason):
    facts = np.zeros(100, np.float32) - (5 if name == "cover" else 0)
    facts[40:60] = value
    one = take(**{name: facts})
    why = hindered(one, FPS)
    left = np.logical_or.reduce(list(why.values()))
    drawn = shares(one, left, FPS)
    assert left[40:60].all() and (drawn[left] == 0).all()
    assert (drawn[:30] == 1).all() and 0 < drawn[np.flatnonzero(left)[0] - 1] < 0.3
    (passage,) = passages(one, why, drawn)
    assert passage.reason == reason and passage.first <= 50 <= passage.last


def test_at_a_cut_nothing_fades_and_who_comes_in_does():
    none = np.zeros(100, bool)
    assert (shares(take(), none, FPS) == 1).all()
    drawn = shares(take(starts=False), none, FPS)
    assert drawn[0] < 0.3 and drawn[10] == 1 and drawn[-1] == 1


def test_no_mouth_speaks_for_an_instant():
    left = np.ones(100, bool)
    left[50:53] = False
    assert not shares(take(), left, FPS).any()


def test_a_lost_face():
    one = take()
    one.meshes[20:25] = -1
    assert np.flatnonzero(hindered(one, FPS)["lost"]).tolist() == [20, 21, 22, 23, 24]
    assert runs(np.array([True, False, True, True])) == [(0, 0), (2, 3)]
