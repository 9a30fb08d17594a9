"""The life of head and brows: the bank, the choice of stretches, blending, nods, brows, and when eyes blink."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from support.talk import talk

from speechhead.audio.prosody import prosody
from speechhead.core.controls import Controls
from speechhead.face.landmarks import BROWS, REFERENCE, Pose, apply_pose
from speechhead.motion.bank import CHANNELS, UNITS, Bank, bank, pack, unpack
from speechhead.motion.blink import AT_REST, PHRASE_END, Urge
from speechhead.motion.brows import raise_brows
from speechhead.motion.compose import Motion
from speechhead.motion.cues import Cues
from speechhead.motion.life import MATCHING, Liveliness, mirrored
from speechhead.motion.pose import NECK, Nods, turned

BASE = Pose.from_angles(4.0, -3.0, 2.0, np.array([250.0, 210.0, 0.0], np.float32), 110.0)


def cues(sound: np.ndarray) -> np.ndarray:
    heard, told = prosody(sound), Cues()
    rows = zip(heard.energy.tolist(), heard.pitch.tolist(), heard.active.tolist())
    return np.array([told.step(*row) for row in rows])


@pytest.fixture(scope="module")
def heard() -> np.ndarray:
    return cues(np.tile(talk()[1], 12))


def lived(heard: np.ndarray, seed: int, source: Bank | None = None) -> np.ndarray:
    life = Liveliness(seed, source)
    return np.array([life.step(row) for row in heard])


def test_the_bank_is_kept_in_steps_and_read_back():
    random = np.random.default_rng(0)
    one = np.cumsum(random.normal(size=(40, 8)), axis=0) * UNITS * 20
    two = np.cumsum(random.normal(size=(30, 8)), axis=0) * UNITS * 20
    told = random.uniform(-1, 1, (70, 6))
    read = unpack(pack([(one, told[:40]), (two, told[40:])]))
    assert np.abs(read.motion - np.concatenate([one, two])).max(0) == pytest.approx(UNITS / 2, rel=0.2)
    assert np.allclose(read.cues, told, atol=0.011)
    assert read.left[0] == 39 and read.left[39] == 0 and read.left[40] == 29
    assert read.stretch.tolist() == [0] * 40 + [1] * 30 and not read.speed[40].any()
    assert copy.deepcopy(read) is read


def test_the_shipped_bank_is_small_and_lies_about_the_middle():
    real = bank()
    assert real.motion.shape[1] == len(CHANNELS) and len(real.motion) > 25 * 60 * 3
    assert np.abs(real.motion.mean(0)[:3]).max() < 1.5
    assert np.abs(real.speed[:, :3]).max() < 8.0  # no cut in it
    speaking = real.cues[:, 0] > 0.5
    assert 0.05 < (~speaking).mean() < 0.6


def test_a_life_starts_at_rest_and_never_leaps(heard):
    track = lived(heard, 3)
    assert np.abs(track[0, :3]).max() < 0.5
    real, joined = bank().motion, bank().left[:-2] >= 2
    filmed = np.abs(np.diff(real, 2, axis=0))[joined]
    accelerated = np.abs(np.diff(track, 2, axis=0))  # leaps are no quicker than what people do
    assert (accelerated.max(0) < 1.3 * filmed.max(0)).all()
    assert (np.percentile(accelerated, 99, axis=0) < 1.15 * np.percentile(filmed, 99, axis=0)).all()
    assert np.abs(np.diff(track[:, 3:5], axis=0)).max() < 0.13 and np.abs(np.diff(track[:, 6:], axis=0)).max() < 0.03
    assert 1.5 < track[:, 0].std() < 9.0 and np.abs(track[:, :3].mean(0)).max() < 4.5


def test_equal_seeds_are_equal_takes_and_others_differ(heard):
    part = heard[:300]
    one = lived(part, 1)
    assert np.array_equal(one, lived(part, 1))
    assert np.abs(one - lived(part, 2))[50:, :3].max() > 3.0
    life = Liveliness(1)
    first = [life.step(row) for row in part[:100]]
    other = copy.deepcopy(life)
    rest = np.array([life.step(row) for row in part[100:]])
    assert np.array_equal(np.concatenate([first, rest]), one)
    assert np.array_equal(np.array([other.step(row) for row in part[100:]]), rest)


def test_a_short_bank_is_gone_round(heard):
    random = np.random.default_rng(0)
    walk = np.cumsum(random.normal(size=(60, 8)), axis=0) * UNITS * 10
    track = lived(heard[:400], 0, unpack(pack([(walk, np.zeros((60, 6)))])))
    assert np.isfinite(track).all() and np.abs(np.diff(track[:, :3], axis=0)).max() < 7.0


def test_mirrored_people_turn_the_other_way():
    row = np.arange(1.0, 9.0)
    assert mirrored(row).tolist() == [-1, 2, -3, -4, 5, 6, 8, 7]
    assert np.array_equal(mirrored(mirrored(row)), row)


def test_cues_tell_speech_stress_and_pauses():
    sound = np.zeros(640 * 100, np.float32)
    voice = 0.2 * np.sin(2 * np.pi * 150 * np.arange(640 * 50) / 16000)
    voice[640 * 30 :] *= 3
    sound[640 * 25 : 640 * 75] = voice
    told = cues(sound)
    assert told[20, 0] == 0 and told[70, 0] > 0.9 and told[-1, 0] < 0.1
    assert told[57, 1] > 0.3 > abs(told[53, 1]) and told[57, 2] > 0
    assert told[26, 4] < 0.1 < 0.9 < told[74, 4] and told[-1, 4] == 0 < told[-1, 5]
    assert np.abs(told).max() < 4


def test_nods_and_brows_answer_stress():
    nods = Nods()
    pitch, brow = np.array([nods.step(8.0 if 10 <= t < 18 else 0.0) for t in range(40)]).T
    assert pitch[:10].tolist() == [0] * 10 and pitch.min() < -0.2 and brow.max() > 0.002
    assert abs(pitch[-1]) < 0.2
    face = REFERENCE.copy()
    raise_brows(face, 0.03, 0.01)
    assert np.allclose(face[BROWS, 1] - REFERENCE[BROWS, 1], [-0.03] * 5 + [-0.01] * 5, atol=1e-6)
    assert np.array_equal(face[48:], REFERENCE[48:])


def test_the_neck_moves_and_nears_as_asked():
    neck = np.tile(NECK, (70, 1)).astype(np.float32)
    pose = turned(BASE, (8.0, 5.0, -4.0), (0.2, -0.1), 0.05)
    moved = apply_pose(neck, pose) - apply_pose(neck, BASE)
    assert np.allclose(moved[:, :2], np.array([0.2, -0.1]) * BASE.scale, atol=0.02)
    assert pose.scale == pytest.approx(BASE.scale * np.exp(0.05))


def test_temperament_scales_head_and_brows():
    speech, sound = talk()
    sound, speech = np.tile(sound, 3), np.zeros((3 * len(speech), 70, 3), np.float32)

    def spread(**controls: float) -> tuple[float, float]:
        own = Controls(seed=4, idle=False, blink_rate=0, look_away=0, **controls)
        faces, poses = Motion(REFERENCE, BASE, own).step(speech, sound)
        return float(np.std([p.angles for p in poses], axis=0).mean()), float(np.ptp(faces[:, 19, 1]))

    (head, brow), (calm, low) = spread(), spread(temperament=0.5)
    assert 0.4 < calm / head < 0.7 and low == pytest.approx(0.5 * brow, rel=0.05)
    assert spread(temperament=1.5)[0] > 1.1 * head
    assert spread(temperament=0.0) == pytest.approx((0, 0), abs=1e-4)
    kept, same = spread(head_amplitude=0.0)
    assert kept < 1e-4 and same == pytest.approx(brow, rel=1e-3)


def test_no_jump_between_silence_and_speech():
    voice = np.tile(talk()[1][: 60 * 640], 2)
    sound = np.concatenate([np.zeros(100 * 640, np.float32), voice, np.zeros(130 * 640, np.float32)])
    frames = len(sound) // 640
    poses = Motion(REFERENCE, BASE, Controls(seed=2)).step(np.zeros((frames, 70, 3), np.float32), sound)[1]
    angles = np.array([p.angles for p in poses])
    assert np.abs(np.diff(angles, axis=0)).max() < 6.5 and np.abs(np.diff(angles, 2, axis=0)).max() < 4.5
    places = np.array([p.translation for p in poses])
    assert np.abs(np.diff(places[:, :2], axis=0)).max() < 0.12 * BASE.scale


def test_a_waiting_head_moves_less_than_one_that_speaks(heard):
    waiting = np.tile([0.0, 0.0, 0.0, 0.0, 0.0, 1.0], (500, 1))
    speeds = [np.abs(np.diff(lived(told, 5)[:, :3], axis=0)).mean() for told in (waiting, heard[:500])]
    assert speeds[0] < 0.85 * speeds[1]


def test_eyes_rather_blink_after_a_phrase_and_as_they_move():
    urge, still = Urge(), np.zeros(3)
    pause, speech = np.zeros(6), np.zeros(6)
    pause[5] = 0.1
    assert urge.step(speech, (0.0, 0.0), still) == AT_REST
    assert urge.step(pause, (0.0, 0.0), still) == pytest.approx(AT_REST * PHRASE_END)
    assert urge.step(speech, (8.0, 0.0), still) > 3 * AT_REST
    assert urge.step(speech, (8.0, 0.0), still + 2.0) > AT_REST


def test_blinks_of_a_talking_face_are_as_often_as_people_blink():
    sound = np.tile(np.concatenate([talk()[1], np.zeros(20 * 640, np.float32)]), 20)
    frames = len(sound) // 640
    own = Controls(seed=1, look_away=10)
    faces = Motion(REFERENCE, BASE, own).step(np.zeros((frames, 70, 3), np.float32), sound)[0]
    opening = faces[:, 41, 1] - faces[:, 37, 1]
    shut = opening < 0.4 * np.median(opening)
    assert 9 <= (np.diff(shut.astype(int)) == 1).sum() * 1500 / frames <= 26
    assert MATCHING.shortest < MATCHING.longest
