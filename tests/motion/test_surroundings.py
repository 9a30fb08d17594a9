"""A face carries what came before it: the same for whole recordings and streams, and nothing where nothing was."""

from __future__ import annotations

import numpy as np
import pytest
from support.fakes import speech_like

from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.core.errors import LandmarkError
from speechhead.face.landmarks import REFERENCE, Pose
from speechhead.motion.compose import Motion
from speechhead.motion.surroundings import SOUND_ROWS, Surroundings

BOTH = Surroundings(past=2, sound=3)
POSE = Pose.from_angles(translation=(64, 60, 0), scale=20)


def moving(frames: int) -> np.ndarray:
    return REFERENCE + np.random.default_rng(0).normal(0, 0.01, (frames, 70, 3)).astype(np.float32)


def test_a_face_carries_the_faces_before_it_nearest_first() -> None:
    faces = moving(5)
    carried = Surroundings(past=2).around(faces, np.zeros(0, np.float32))
    assert carried.shape == (5, 210, 3)
    now, before, sound = Surroundings(past=2).split(carried)
    assert (now == faces).all() and sound.shape == (5, 0)
    assert (before[0] == faces[0]).all()  # at the edge it held
    assert (before[1] == faces[0]).all()
    assert (before[4, 0] == faces[3]).all() and (before[4, 1] == faces[2]).all()


def test_sound_is_zero_in_silence_and_moves_on_frame_by_frame() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 2 * SAMPLES_PER_FRAME).astype(np.float32)
    _, _, sound = BOTH.split(BOTH.around(moving(8), noise))
    sound = sound.reshape(8, 3, -1)
    assert sound.shape[2] == 3 * SOUND_ROWS
    assert np.abs(sound[0, 0]).max() > 0.5 and not sound[0, 1:].any()
    assert (sound[2, 1] == sound[1, 0]).all() and (sound[2, 2] == sound[0, 0]).all()
    assert not sound[6:].any()  # silent again, the last hop of the noise is over


def test_plain_landmarks_held_and_heard_nothing() -> None:
    faces = moving(3)
    now, before, sound = BOTH.split(faces)
    assert (now == faces).all() and (before == faces[:, None]).all() and not sound.any()
    for wrong in (faces[0], faces[:, :69], np.zeros((2, 70 + BOTH.rows + 1, 3))):
        with pytest.raises(LandmarkError, match=r"\[B, 70, 3\] or"):
            BOTH.split(wrong)


def motion() -> Motion:
    return Motion(REFERENCE, POSE, Controls(seed=3), BOTH)


def test_streams_copies_and_whole_recordings_carry_the_same() -> None:
    speech, sound = moving(12) - REFERENCE, speech_like(12 / 25)
    plain = Motion(REFERENCE, POSE, Controls(seed=3)).step(speech, sound)[0]
    expected = motion().step(speech, sound)[0]
    assert expected.shape == (12, 70 + BOTH.rows, 3) and (expected[:, :70] == plain).all()
    assert (expected[1:, 70:140] == plain[:-1]).all()
    stream, got = motion(), []
    for frame in range(12):
        if frame == 6:
            foreseen, stream = stream, stream.snapshot()
            foreseen.step(np.zeros((3, 70, 3)), np.zeros(0))  # what is taken back leaves no trace
        block = sound[frame * SAMPLES_PER_FRAME : (frame + 1) * SAMPLES_PER_FRAME]
        got.append(stream.step(speech[frame : frame + 1], block)[0])
    assert (np.concatenate(got) == expected).all()
