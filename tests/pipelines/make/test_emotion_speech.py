"""What emotions do to speech is found where clips tell it, and is none where they do not."""

from __future__ import annotations

import numpy as np

from pipelines.make.emotion_speech import FELT, Clip, effect, emotion_of, left_out, moves
from speechhead.face.landmarks import REFERENCE


def made(strength, seed=0):
    """Clips of 24 people, half of whom act two emotions: the first moves the first channel further."""
    rng, clips = np.random.default_rng(seed), []
    for person in range(24):
        own = rng.normal(0, 0.1)
        for felt in (FELT[0], FELT[1]) if person % 2 else (None,):
            value = own + strength * (felt == FELT[0]) + rng.normal(0, 0.1)
            clips.append(Clip(f"p{person}", felt, np.full(6, value)))
    return clips


def test_a_true_effect_is_found_and_told_of_people_left_out():
    clips = made(0.5)
    found = effect(clips, np.array([clip.moves[0] for clip in clips]))
    assert found.low[0] < 0.5 < found.high[0] and found.low[0] > 0.2 and abs(found.drawn[1]) < 0.15
    assert found.drawn[2] == 0, "nobody shows it"
    without, with_them = left_out(clips, 0)
    assert with_them < 0.5 * without


def test_no_effect_is_drawn_to_none():
    clips = made(0.0, 1)
    assert np.abs(effect(clips, np.array([clip.moves[0] for clip in clips])).drawn).max() < 0.06


def test_clips_are_read_as_they_are_named_and_moved():
    assert emotion_of("MEAD_M030", "M030_level_3_angry_016.mp4") == "angry"
    assert emotion_of("MEAD_W015", "W015_level_1_neutral_030.mp4") is emotion_of("P_sad", "sad.mp4") is None
    faces = np.repeat(REFERENCE[None], 50, 0)
    faces[::2, [65, 66, 67], 1] += 0.1
    opening, *_, pace = np.exp(moves(faces + np.random.default_rng(0).normal(0, 1e-4, faces.shape)))
    assert abs(opening - 0.05) < 1e-3 and abs(pace - 2.0) < 0.01
