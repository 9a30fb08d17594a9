"""Heads and brows move by themselves no faster than people's, and neither start nor stop faster; what is slow stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechhead.core.controls import EMOTIONS, Controls
from speechhead.face.landmarks import REFERENCE, Pose
from speechhead.motion.brows import HIGHEST, LOWEST, ROOM, reach, rise_of
from speechhead.motion.compose import Motion
from speechhead.motion.emotion import displacements
from speechhead.motion.pace import PLACES, RISES, TURNS, MotionPace, PaceLimits
from speechhead.motion.pose import neck

FRAMES = 240
LOW, HIGH = np.full(3, -20.0), np.full(3, 20.0)


BASE = Pose.from_angles(0, 0, 0, (99, 99, 0), 60)


def followed(asked: np.ndarray) -> np.ndarray:
    pace = MotionPace(TURNS)
    return np.array([pace.step(turn, LOW, HIGH) for turn in asked])


def within_bounds(moves: np.ndarray, rounding: float, limits: PaceLimits = TURNS) -> bool:
    quick, sudden = np.abs(np.diff(moves, axis=0)).max(0), np.abs(np.diff(moves, 2, axis=0)).max(0)
    most = np.array(limits) + rounding
    return bool((quick <= most[0]).all() and (sudden <= most[1]).all())


def bursts() -> np.ndarray:
    loud = np.repeat(np.random.default_rng(5).random(FRAMES // 8) > 0.4, 8 * 640)
    return np.float32(0.1) * loud * np.random.default_rng(6).standard_normal(FRAMES * 640).astype(np.float32)


def lively(motion: Motion, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces, and poses [frames, 6] as angles and the neck's place and growth, that hear bursts in chunks of frames."""
    sound, faces, poses = bursts(), [], []
    for at in range(0, FRAMES, chunk):
        heard = sound[640 * at : 640 * (at + chunk)]
        some, turned = motion.step(np.zeros((len(heard) // 640, 70, 3), np.float32), heard)
        faces += list(some)
        poses += [[*p.angles, *(neck(p) - neck(BASE))[:2] / BASE.scale, np.log(p.scale / BASE.scale)] for p in turned]
    return np.array(faces), np.array(poses)


LIVELIEST: dict[str, Any] = {"temperament": 1.5, "head_amplitude": 1.5, "idle": False, "blink_rate": 0, "look_away": 0}


@pytest.mark.parametrize("seed", range(2))
def test_the_liveliest_head_moves_as_people_do(seed):
    faces, poses = lively(Motion(REFERENCE, BASE, Controls(seed=seed, **LIVELIEST)), FRAMES)
    assert within_bounds(poses[:, :3], 2e-4)  # angles come out of float32 matrices
    assert np.abs(np.diff(poses[:, :3], axis=0)).max() > 0.9 * min(TURNS.quickest)  # it does come to them
    assert within_bounds(poses[:, 3:], 1e-5, PLACES)
    rises = REFERENCE[[19, 24], 1] - faces[:, [19, 24], 1]
    assert within_bounds(rises, 1e-6, RISES) and rises.max() > HIGHEST / 2
    assert rises.max() < HIGHEST + ROOM and rises.min() > -LOWEST - ROOM


def test_brows_that_surprise_has_raised_rise_less():
    (low, high), (calm_low, calm_high) = reach(np.full(2, 0.06)), reach(np.zeros(2))
    assert (high < calm_high).all() and (high > 0).all() and (low < calm_low).all()
    expression = displacements()[EMOTIONS.index("surprised")]
    assert (rise_of(expression) > 0.05).all() and (rise_of(expression) < 0.12).all()


def test_a_head_that_is_let_go_comes_back_as_people_turn():
    motion = Motion(REFERENCE, BASE, Controls(head=[(16.0, 11.0, 14.0)], seed=1, **LIVELIEST))
    silence = np.zeros((10, 70, 3), np.float32)
    held = motion.step(silence, [])[1]
    motion.update(Controls(seed=1, **LIVELIEST))
    turns = np.concatenate([[pose.angles for pose in held], lively(motion, FRAMES)[1][:, :3]])
    assert within_bounds(turns, 2e-4) and turns[0, 0] > 18
    assert np.ptp(turns[-150:, 0]) > 3


def test_what_is_given_is_followed_whatever_its_pace():
    leaps = [(0.0, 0.0, 0.0), (12.0, -8.0, 9.0), (-12.0, 8.0, -9.0)] * 3
    pace = MotionPace(TURNS)
    for angles in leaps:
        assert np.array_equal(pace.step(np.zeros(3), LOW, HIGH, np.array(angles), 0.0), angles)


def test_chunks_turn_as_the_whole():
    own = Controls(seed=1, **LIVELIEST)
    some, all_at_once = (lively(Motion(REFERENCE, BASE, own), chunk) for chunk in (7, FRAMES))
    assert all(np.array_equal(one, other) for one, other in zip(some, all_at_once))


def test_ordinary_turns_stay_as_they_are():
    asked = np.sin(np.arange(200)[:, None] / 5) * (8.0, 5.0, 3.0)
    assert np.array_equal(followed(asked), asked)


@pytest.mark.parametrize("far", [1.0, 6.0, 19.0])
def test_a_leap_is_gone_through_and_not_passed(far):
    asked = np.concatenate([np.zeros((5, 3)), np.full((60, 3), far)])
    turns = followed(asked)
    assert within_bounds(turns, 1e-9)
    assert turns.max() <= far + max(TURNS.sudden) and np.array_equal(turns[-1], asked[-1])


def test_a_halt_at_the_end_is_slowed_down_to():
    asked = np.minimum(np.arange(40)[:, None] * (4.0, 2.4, 1.5), HIGH)
    turns = followed(np.concatenate([-asked[1:][::-1], asked, asked[-1:].repeat(40, 0)]))
    assert within_bounds(turns[1:], 1e-9)
    assert turns.max() <= 20.0 + 1e-9 and np.abs(turns[-1] - 20.0).max() < 1e-3
