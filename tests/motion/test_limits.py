"""How far a head may go: what holds stays as asked, beyond it motion fades out, and a turned one comes back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechhead.core.controls import Controls
from speechhead.face.landmarks import REFERENCE, Pose
from speechhead.motion.compose import Motion
from speechhead.motion.limits import HEAD, held_pose, held_turn, reach, soft_stop
from speechhead.motion.pose import SEEN, about_neck, neck, turned

numbers = st.floats(-200, 200)
degrees = st.floats(-90, 90)
OWN = Pose.from_angles(3.0, -4.0, 2.0, (100.0, 90.0, 0.0), 60.0)


@given(numbers, numbers, st.floats(-40, 0), st.floats(0, 40), st.floats(0.5, 20))
def test_a_soft_stop_keeps_what_is_inside_and_never_turns_back(x, y, low, high, room):
    at, other = float(soft_stop(x, low, high, room)), float(soft_stop(y, low, high, room))
    assert low - room <= at <= high + room
    assert at == x if low <= x <= high else abs(at) < abs(x) or at == pytest.approx(x)
    assert (at <= other) if x <= y else (at >= other)  # monotone
    assert abs(at - other) <= abs(x - y) * (1 + 1e-9) + 1e-9  # never faster than what is asked


def test_motion_fades_out_without_a_corner():
    asked = np.arange(-60, 60, 0.01)
    speed = np.diff(soft_stop(asked, -10, 20, 5)) / 0.01
    assert np.abs(np.diff(speed)).max() < 0.0025  # the slope has no step
    assert speed[(asked[:-1] > -9.9) & (asked[:-1] < 19.9)] == pytest.approx(1)
    assert speed[asked[:-1] > 50].max() < 0.01


def test_a_turned_portrait_comes_back_and_hardly_goes_on():
    low, high = reach((0.0, 0.0, 0.0))
    assert np.array_equal(high, HEAD.turn) and np.array_equal(low, -high)
    low, high = reach((34.0, 0.0, -28.0))
    assert (low[0], high[0]) == (-20, 10) and (low[2], high[2]) == (-8, 15)
    mirrored = reach((-34.0, 0.0, 0.0))
    assert (mirrored[0][0], mirrored[1][0]) == (-10, 20)
    assert reach((18.0, 0.0, 0.0))[1][0] == 17


@given(st.tuples(degrees, degrees, degrees), st.floats(-35, 35))
def test_turns_stay_within_reach_and_room(asked, yaw):
    own = (yaw, 0.0, 0.0)
    found, (low, high) = held_turn(asked, own), reach(own)
    room = np.array(HEAD.room)
    assert (found >= low - room).all() and (found <= high + room).all()
    share = np.linalg.norm(asked / np.where(np.array(asked) < 0, -low, high))
    inside = (np.array(asked) >= low) & (np.array(asked) <= high) & (share <= HEAD.together)
    assert np.array_equal(found[inside], np.array(asked)[inside])
    assert np.linalg.norm(found / np.where(found < 0, -low, high)) <= HEAD.together + HEAD.together_room + 1e-9


def test_two_axes_may_be_at_their_limits_and_three_may_not():
    assert np.array_equal(held_turn((20.0, 15.0, 0.0), (0.0, 0.0, 0.0)), (20.0, 15.0, 0.0))
    all_at_once = np.array([held_turn((2.0 * t, 1.5 * t, -1.5 * t), (0.0, 0.0, 0.0)) for t in np.arange(0, 30, 0.1)])
    steps = np.diff(np.abs(all_at_once), axis=0)
    assert steps.min() > -1e-12 and np.abs(np.diff(steps, axis=0)).max() < 0.05
    assert (np.abs(all_at_once[-1]) < np.multiply(HEAD.turn, 0.9)).all()


def test_a_pose_that_holds_is_left_alone():
    near = turned(OWN, (12.0, -9.0, 8.0))
    assert held_pose(near, OWN) is near and held_pose(OWN, OWN) is OWN


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_head_that_goes_too_far_is_held_on_its_neck(axis):
    angles = np.zeros(3)
    before = None
    for degrees_asked in range(0, 80, 2):
        angles[axis] = degrees_asked
        pose = held_pose(turned(OWN, angles), OWN)
        found = np.subtract(pose.angles, OWN.angles)
        assert found[axis] <= HEAD.turn[axis] + HEAD.room[axis] + 0.1
        np.testing.assert_allclose(neck(pose), neck(OWN), atol=0.05)
        assert before is None or -0.01 <= found[axis] - before <= 2.1
        before = found[axis]


def test_ways_and_growth_fade_out_too():
    far = about_neck(OWN.angles, neck(OWN) + (200.0, -150.0, 0.0), OWN.scale * 2.5)
    pose = held_pose(far, OWN)
    way = (neck(pose) - neck(OWN)) / OWN.scale
    assert HEAD.way[0] < way[0] < HEAD.way[0] + HEAD.way_room[0] + 0.01
    assert -HEAD.way[1] - HEAD.way_room[1] - 0.01 < way[1] < -HEAD.way[1]
    assert HEAD.growth[1] < pose.scale / OWN.scale < HEAD.growth[1] * np.exp(HEAD.growth_room) + 0.01
    small = held_pose(Pose(OWN.rotation, OWN.translation, OWN.scale * 0.3), OWN)
    assert 0.75 < small.scale / OWN.scale < HEAD.growth[0]


def test_angles_are_compared_the_short_way_round():
    own = Pose.from_angles(0.0, 0.0, 178.0, (100.0, 90.0, 0.0), 60.0)
    over = Pose.from_angles(0.0, 0.0, -178.0, (100.0, 90.0, 0.0), 60.0)
    assert held_pose(over, own) is over


def test_given_heads_fade_out_and_generated_ones_are_as_they_were():
    frames = 60
    sound, speech = np.zeros(frames * 640, np.float32), np.zeros((frames, 70, 3), np.float32)
    wanted = [(1.2 * frame, 0.0, 0.0) for frame in range(frames)]
    controls = Controls(head=wanted, blink_rate=0, look_away=0)
    poses = Motion(REFERENCE, OWN, controls).step(speech, sound)[1]
    yaw = np.array([pose.angles[0] for pose in poses]) - OWN.angles[0]
    assert np.allclose(yaw[:15], (np.array(wanted)[:15, 0] - OWN.angles[0]) / SEEN[0], atol=0.05)
    assert yaw.max() < HEAD.turn[0] + HEAD.room[0] and (np.diff(yaw) > -1e-3).all()
    assert np.abs(np.diff(yaw, 2)).max() < 0.5  # no hard stop: 1.5 degrees a frame would be one


def test_a_head_that_is_steered_live_too_far_comes_to_rest():
    motion = Motion(REFERENCE, OWN, Controls(head="retained", blink_rate=0, look_away=0))
    yaw = []
    for frame in range(50):
        motion.steer((OWN.angles[0] + 50.0 * min(frame / 20, 1.0), 0.0, 0.0))
        _, poses = motion.step(np.zeros((1, 70, 3), np.float32), np.zeros(640, np.float32))
        yaw.append(poses[0].angles[0] - OWN.angles[0])
    assert HEAD.turn[0] < yaw[-1] < HEAD.turn[0] + HEAD.room[0]
    assert np.diff(yaw).min() > -1e-3 and np.abs(np.diff(yaw, 2)).max() < 1.6
