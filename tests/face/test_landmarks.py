"""Pose-free landmark space: exact inverse, and nothing of the pose left in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechhead.core.errors import LandmarkError
from speechhead.face import landmarks as lm

angle = st.floats(-60, 60)
offset = st.floats(-500, 500)
size = st.floats(5, 2000)
settings.register_profile("quick", max_examples=40, deadline=None)
settings.load_profile("quick")


def moved_face(seed=0, amount=0.02):
    """A reference face with a random expression (rigid points included), [1, 70, 3]."""
    rng = np.random.default_rng(seed)
    return lm.REFERENCE[None] + rng.normal(0, amount, (1, 70, 3)).astype(np.float32)


@given(angle, angle, angle, offset, offset, size)
def test_pose_in_pose_out(yaw, pitch, roll, x, y, scale):
    pose = lm.Pose.from_angles(yaw, pitch, roll, (x, y, 0), scale)
    normalised, (found,) = lm.remove_pose(lm.apply_pose(lm.REFERENCE, pose)[None])
    np.testing.assert_allclose(found.angles, (yaw, pitch, roll), atol=0.02)
    np.testing.assert_allclose(found.translation, (x, y, 0), atol=1e-3 * max(scale, 1))
    assert found.scale == pytest.approx(scale, rel=1e-4)
    np.testing.assert_allclose(normalised[0], lm.REFERENCE, atol=1e-4)


@given(angle, angle, angle, offset, offset, size)
def test_expression_does_not_depend_on_pose(yaw, pitch, roll, x, y, scale):
    face = moved_face()
    plain, _ = lm.remove_pose(face)
    posed, _ = lm.remove_pose(lm.apply_pose(face, lm.Pose.from_angles(yaw, pitch, roll, (x, y, 3), scale)))
    np.testing.assert_allclose(posed, plain, atol=3e-4)


@given(angle, angle, angle, offset, size)
def test_exact_inverse(yaw, pitch, roll, x, scale):
    pixels = lm.apply_pose(moved_face(1), lm.Pose.from_angles(yaw, pitch, roll, (x, 0, 0), scale))
    normalised, poses = lm.remove_pose(pixels)
    np.testing.assert_allclose(lm.apply_pose(normalised, poses), pixels, atol=1e-5 * (scale + 500))


def test_speech_does_not_leak_into_the_pose():
    speaking = lm.REFERENCE.copy()
    speaking[2:15, 1] += 0.1
    speaking[lm.OUTER_LIPS, 1] += 0.1
    normalised, (pose,) = lm.remove_pose(speaking[None])
    np.testing.assert_allclose(normalised[0], speaking, atol=1e-5)
    np.testing.assert_allclose(pose.angles, 0, atol=1e-3)


def test_signs_of_the_angles():
    nose = lm.REFERENCE[30] - lm.REFERENCE[[0, 16]].mean(axis=0)  # points out of the face
    assert nose[2] < 0
    assert lm.to_pixels(nose, lm.Pose.from_angles(yaw=30))[0] > 0.2  # to the right of the image
    assert lm.to_pixels(nose, lm.Pose.from_angles(pitch=30))[1] > lm.to_pixels(nose, lm.Pose.from_angles())[1]
    brow_to_chin = lm.to_pixels(lm.REFERENCE, lm.Pose.from_angles(roll=30))
    assert brow_to_chin[45, 1] > brow_to_chin[36, 1]  # clockwise: the eye at the right goes down


def test_missing_points():
    face = np.repeat(lm.REFERENCE[None], 2, axis=0)
    face[1, list(lm.RIGID)[:7]] = np.nan
    normalised, _ = lm.remove_pose(face)
    np.testing.assert_allclose(normalised[1, 48:68], lm.REFERENCE[48:68], atol=1e-4)
    face[1, list(lm.RIGID)[:8]] = np.nan
    with pytest.raises(LandmarkError, match="frame 1: 5 finite rigid landmarks, need 6"):
        lm.remove_pose(face)
    with pytest.raises(LandmarkError, match="from_mesh"):
        lm.remove_pose(lm.MESH_REFERENCE[None])
    with pytest.raises(LandmarkError, match="2 poses for 1 frames"):
        lm.apply_pose(face[:1], [lm.Pose.from_angles()] * 2)


def test_never_a_reflection():
    mirrored = lm.REFERENCE * np.array([1, 1, -1], np.float32)
    _, (pose,) = lm.remove_pose(mirrored[None])
    assert np.linalg.det(pose.rotation) == pytest.approx(1, abs=1e-4)


def test_no_frames():
    normalised, poses = lm.remove_pose(np.empty((0, 70, 3), np.float32))
    assert normalised.shape == (0, 70, 3) and poses == []
    assert lm.apply_pose(normalised, poses).shape == (0, 70, 3)


def test_tables():
    mirrored = lm.REFERENCE * [-1, 1, 1]
    pairs = [(i, 16 - i) for i in range(8)] + [(36, 45), (39, 42), (48, 54), (60, 64), (31, 35), (17, 26), (68, 69)]
    for left, right in pairs:
        np.testing.assert_allclose(mirrored[left], lm.REFERENCE[right], atol=5e-3)
    assert lm.REFERENCE[36, 0] == pytest.approx(-0.5)
    assert lm.TRIANGLES.max() < 468
    assert lm.mouth_opening(lm.REFERENCE) < 0.1
    assert (lm.eye_opening(lm.REFERENCE) > 0.15).all()
