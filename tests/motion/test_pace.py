"""A head turns by itself no faster than people's, and neither starts nor stops faster; slow turns stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.core.controls import Controls
from speechhead.face.landmarks import REFERENCE, Pose
from speechhead.motion.compose import Motion
from speechhead.motion.pace import QUICKEST, SUDDEN, TurnPace

FRAMES = 400
LOW, HIGH = np.full(3, -20.0), np.full(3, 20.0)


def followed(asked: np.ndarray) -> np.ndarray:
    pace = TurnPace()
    return np.array([pace.step(turn, LOW, HIGH) for turn in asked])


def within_bounds(turns: np.ndarray, rounding: float) -> bool:
    quick, sudden = np.abs(np.diff(turns, axis=0)).max(0), np.abs(np.diff(turns, 2, axis=0)).max(0)
    return bool((quick <= np.array(QUICKEST) + rounding).all() and (sudden <= np.array(SUDDEN) + rounding).all())


def lively(seed: int, chunk: int) -> np.ndarray:
    """Angles of a lively head's poses while it hears bursts of sound, given in chunks of frames."""
    motion = Motion(
        REFERENCE, Pose.from_angles(0, 0, 0, (99, 99, 0), 60), Controls(seed=seed, temperament=1.5, head_amplitude=1.5)
    )
    random = np.random.default_rng(5)
    loud = np.repeat(random.random(FRAMES // 8) > 0.4, 8 * 640)
    sound, lips = np.float32(0.1) * loud * random.standard_normal(FRAMES * 640), np.zeros((FRAMES, 70, 3), np.float32)
    poses = [
        pose
        for at in range(0, FRAMES, chunk)
        for pose in motion.step(lips[at : at + chunk], sound[640 * at : 640 * (at + chunk)])[1]
    ]
    return np.array([pose.angles for pose in poses])


@pytest.mark.parametrize("seed", range(4))
def test_the_liveliest_head_moves_as_people_do(seed):
    turns = lively(seed, FRAMES)
    assert within_bounds(turns, 2e-4)  # angles come out of float32 matrices
    assert np.abs(np.diff(turns, axis=0)).max() > 0.9 * min(QUICKEST)  # it does come to them


def test_chunks_turn_as_the_whole():
    assert np.array_equal(lively(1, 7), lively(1, FRAMES))


def test_ordinary_turns_stay_as_they_are():
    asked = np.sin(np.arange(200)[:, None] / 5) * (8.0, 5.0, 3.0)
    assert np.array_equal(followed(asked), asked)


@pytest.mark.parametrize("far", [1.0, 6.0, 19.0])
def test_a_leap_is_gone_through_and_not_passed(far):
    asked = np.concatenate([np.zeros((5, 3)), np.full((60, 3), far)])
    turns = followed(asked)
    assert within_bounds(turns, 1e-9)
    assert turns.max() <= far + max(SUDDEN) and np.array_equal(turns[-1], asked[-1])


def test_a_halt_at_the_end_is_slowed_down_to():
    asked = np.minimum(np.arange(40)[:, None] * (4.0, 2.4, 1.5), HIGH)
    turns = followed(np.concatenate([-asked[1:][::-1], asked, asked[-1:].repeat(40, 0)]))
    assert within_bounds(turns[1:], 1e-9)
    assert turns.max() <= 20.0 + 1e-9 and np.abs(turns[-1] - 20.0).max() < 1e-3
