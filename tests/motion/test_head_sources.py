"""Heads that are given: tables, tracks played to and fro, and poses that are steered live."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.core.errors import ControlError
from speechhead.core.head_track import HeadTrack
from speechhead.face.landmarks import REFERENCE, Pose, eye_opening
from speechhead.motion.compose import Motion
from speechhead.motion.head_sources import STEERED_SECONDS, HeadSources
from speechhead.motion.head_table import read_head_table, write_head_table
from speechhead.motion.pose import SEEN

BASE = Pose.from_angles(4.0, -2.0, 1.0, (128.0, 128.0, 0.0), 80.0)
STILL = {"temperament": 0.0, "idle": False, "blink_rate": 0, "look_away": 0}


def moved(controls: Controls, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks, and angles of the poses, of a silent face."""
    motion = Motion(REFERENCE, BASE, controls)
    silence = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    faces, poses = motion.step(np.zeros((frames, 70, 3), np.float32), silence)
    return faces, np.array([pose.angles for pose in poses])


def test_a_table_is_read_as_it_is_written(tmp_path):
    track = HeadTrack([(1, 2, 3), (2, 3, 4), (3, 4, 5)], True, [0.0, 0.01, 0.02], [0.0, 1.0, 0.5])
    write_head_table(tmp_path / "a.csv", track)
    assert read_head_table(tmp_path / "a.csv") == track
    (tmp_path / "b.csv").write_text("Time;Yaw;Pitch;Roll;who\n0;0;0;0;1\n0.4;10;0;-5;1\n")
    sparse = read_head_table(tmp_path / "b.csv")
    assert len(sparse.angles) == 11 and not sparse.relative and sparse.brow is None
    np.testing.assert_allclose(sparse.angles[5], (5.0, 0.0, -2.5), atol=1e-6)
    (tmp_path / "c.csv").write_text("frame,seconds,yaw,pitch,roll,x0\n0,0,0,0,0,7\n1,0.4,10,0,-5,7\n")
    assert read_head_table(tmp_path / "c.csv") == sparse


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("yaw,pitch\n1,2\n", "has no column 'roll'"),
        ("yaw,pitch,roll\n", "has no lines of poses"),
        ("yaw,pitch,roll\n1,2,x\n", "line 2: roll 'x' is no number"),
        ("yaw,pitch,roll\n1,2,120\n", "frame 0: head pose (1.0, 2.0, 120.0) is out of range"),
        ("yaw,pitch,roll\n1,2\n", "some lines have no roll"),
        ("yaw,pitch,roll\n1,2,nan\n", "no finite number"),
        ("time,yaw,pitch,roll\n1,0,0,0\n0,0,0,0\n", "line 3: time does not rise"),
        ("time,yaw,pitch,roll\n0,0,0,0\n1e6,0,0,0\n", "time 1e+06 is not usable. Give seconds from 0, a day at most"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path, text, line):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ControlError) as caught:
        read_head_table(tmp_path / "a.csv")
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_a_track_turns_the_head_to_and_fro():
    track = HeadTrack([(0, 0, 0), (5, 0, 0), (10, 0, 0)])
    absolute = moved(Controls(head=track, **STILL), 6)[1]
    asked = np.array([0, 5, 10, 5, 0, 5]) - 4
    np.testing.assert_allclose(absolute[:, 0] - 4, asked / SEEN[0], atol=1e-3)
    relative = moved(Controls(head=HeadTrack(track.angles, relative=True), **STILL), 6)[1]
    np.testing.assert_allclose(relative[:, 0], absolute[:, 0] + 4 / SEEN[0], atol=1e-3)


def test_brows_and_lids_come_with_it():
    frames = 20
    track = HeadTrack([(0, 0, 0)] * frames, True, [0.04] * frames, [float(i == 10) for i in range(frames)])
    with_face, without = (moved(Controls(head=one, **STILL), frames)[0] for one in (track, track.alone()))
    np.testing.assert_allclose(without[:, 17:27, 1] - with_face[:, 17:27, 1], 0.04, atol=1e-5)
    opening = eye_opening(with_face).mean(1)
    assert opening[10] < 0.25 * opening[9] and abs(opening[11] - opening[9]) < 1e-4


def test_a_steered_head_follows_and_is_let_go():
    sources = HeadSources("retained", 0.5)
    seen = []
    for frame in range(6 * FPS):
        if frame < 2 * FPS:
            sources.steer((20.0, 0.0, 0.0))
        seen.append(sources.step(np.array([4.0, 0.0, 0.0])).angles[0])
    assert abs(seen[2 * FPS] - 16.0) < 0.1  # 20 degrees less the portrait's 4
    assert seen[round((2 + STEERED_SECONDS) * FPS) - 3] > 15.9 and abs(seen[-1]) < 0.1
    assert np.abs(np.diff(seen)).max() < 2.0


def test_keyframes_change_controls_at_their_time_for_any_chunks():
    keys = [{"at": 0, "emotion": "happy"}, {"at": 1.0, "emotion": "sad"}]
    controls = Controls(keyframes=keys, head="retained", **STILL)
    whole = moved(controls, 75)[0]
    motion = Motion(REFERENCE, BASE, controls)
    none = np.zeros(0, np.float32)
    chunks = np.concatenate([motion.step(np.zeros((n, 70, 3), np.float32), none)[0] for n in (1, 24, 7, 43)])
    assert (chunks == whole).all()
    happy, sad = (moved(Controls(emotion=name, head="retained", **STILL), 75)[0] for name in ("happy", "sad"))
    np.testing.assert_allclose(whole[:25], happy[:25], atol=1e-6)
    assert np.abs(whole[-1] - sad[-1]).max() < 0.1 * np.abs(happy[-1] - sad[-1]).max()
    assert np.abs(np.diff(whole, axis=0)).max() < 0.02  # it fades


def test_motion_opens_no_file():
    with pytest.raises(ControlError, match="head a.csv: a file is not read here"):
        HeadSources(Controls(head="a.csv").head, 0.5)
    with pytest.raises(ControlError, match="head a.csv: a file is not read here"):
        Motion(REFERENCE, BASE).update(Controls(head="a.csv"))


@pytest.mark.parametrize("wrong", [["x"], 5, [None], [10**400]])
def test_brows_that_are_no_numbers_are_one_line(wrong):
    with pytest.raises(ControlError, match="brow .* is not usable"):
        HeadTrack([(1, 2, 3)], brow=wrong)
