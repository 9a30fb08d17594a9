"""Smoothing: noise goes, motion and lips stay."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechhead.face import landmarks as lm
from speechhead.face.landmarks import Pose, to_pixels
from speechhead.face.smoothing import LAG, LEAP, LandmarkFilter, smooth_track, with_calm_poses

T, SCALE = 60, 100.0


def track(lips=None):
    """A still head in pixels; `lips` [T] moves the lower inner lip down, in eye distances."""
    mesh = np.repeat(lm.MESH_REFERENCE[None], T, axis=0).copy()
    if lips is not None:
        mesh[:, [14, 87, 317], 1] += lips[:, None]
    return lm.apply_pose(mesh, lm.Pose.from_angles(10, 5, -3, (128, 120, 0), SCALE))


def shake(meshes):
    return np.abs(np.diff(meshes, 2, axis=0)).mean()


def test_jitter_of_a_still_head_goes():
    noisy = track() + np.random.default_rng(0).normal(0, 0.5, (T, 478, 3)).astype(np.float32)
    causal = LandmarkFilter()
    assert shake(np.stack([causal(m) for m in noisy])) < 0.5 * shake(noisy)
    calm = smooth_track(noisy)
    assert shake(calm) < 0.5 * shake(noisy)
    assert np.abs(calm - track())[10:-10].mean() < np.abs(noisy - track()).mean()


def test_lips_stay_sharp_and_on_time():
    wave = 0.06 * (1 + np.sin(2 * np.pi * 3 * np.arange(T) / 25)).astype(np.float32)
    truth = lm.mouth_opening(lm.from_mesh(track(wave)))
    calm = lm.mouth_opening(lm.from_mesh(smooth_track(track(wave))))
    middle = slice(10, -10)
    assert np.ptp(calm[middle]) > 0.85 * np.ptp(truth[middle])
    lags = [np.corrcoef(np.roll(calm, -k)[middle], truth[middle])[0, 1] for k in (-1, 0, 1)]
    assert int(np.argmax(lags)) == 1


def test_lost_frames_stay_lost():
    meshes = track()
    meshes[20:23] = np.nan
    calm = smooth_track(meshes)
    assert np.isnan(calm[20:23]).all() and np.isfinite(calm[[19, 23]]).all()
    assert smooth_track(meshes[:0]).shape == (0, 478, 3)


SMALL = 85 / float(np.ptp(lm.MESH_REFERENCE[:468, 0]))
"""Pixels per eye distance of a face 85 px wide."""


def moving(count=40, at=(960.0, 540.0), scale=SMALL, turn=0.0, phase=0.0, noise=0.0):
    """A head in 1080p that sways, turns and comes nearer slowly, and speaks; `turn` degrees of roll are added."""
    t = np.arange(count) / 25
    mesh = np.repeat(lm.MESH_REFERENCE[None], count, axis=0).copy()
    mesh[:, [14, 87, 317], 1] += 0.06 * (1 + np.sin(2 * np.pi * 3 * t))[:, None]
    sway = np.sin(1.3 * t + phase)
    poses = [
        lm.Pose.from_angles(8 * s, -5 * s, turn + 4 * s, (at[0] + 20 * s, at[1] - 8 * s, 0), scale * (1 + 0.08 * s))
        for s in sway
    ]
    still = lm.apply_pose(mesh, poses)
    return still + np.random.default_rng(1).normal(0, noise, still.shape).astype(np.float32)


def off(smoothed, raw):
    """[T] distance of the mouths' middles in the picture, in outer eye distances."""
    smoothed, raw = lm.from_mesh(smoothed), lm.from_mesh(raw)
    apart = (smoothed - raw)[:, lm.OUTER_LIPS, :2].mean(axis=1)
    return np.linalg.norm(apart, axis=-1) / lm.outer_eye_distance(raw)


def causal(meshes, rate=25.0):
    calm = LandmarkFilter(rate)
    return np.stack([calm(mesh) for mesh in meshes])


def placed(meshes, shift=(0.0, 0.0), angle=0.0, scale=1.0):
    """The picture's plane turned by degrees, scaled and shifted by px."""
    turn = lm.rotation_matrix([0.0, 0.0, angle])
    return (scale * (np.asarray(meshes, np.float64) @ turn.T) + [*shift, 0.0]).astype(np.float32)


@pytest.mark.parametrize("smooth", [smooth_track, causal])
@settings(max_examples=25, deadline=None)
@given(
    x=st.one_of(st.just(3000.0), st.floats(-4000, 4000)),
    y=st.one_of(st.just(1500.0), st.floats(-4000, 4000)),
    angle=st.sampled_from([0.0, 90.0, 180.0, -37.5]),
    scale=st.sampled_from([1.0, 0.5, 3.0]),
    noise=st.sampled_from([0.0, 0.5]),
)
def test_a_picture_moved_gives_the_result_moved(smooth, x, y, angle, scale, noise):
    raw = np.concatenate([moving(25, noise=noise), moving(15, at=(400.0, 300.0), scale=60.0, noise=noise)])
    wanted = placed(smooth(raw), (x, y), angle, scale)
    np.testing.assert_allclose(smooth(placed(raw, (x, y), angle, scale)), wanted, atol=0.03)


@pytest.mark.parametrize("corner", [(960, 540), (60, 60), (1860, 1020), (3960, 2040)])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_mouth_of_a_small_face_that_moves_slowly_stays_in_its_place(corner, noise):
    raw = moving(100, corner, noise=noise)
    assert off(smooth_track(raw), raw).max() < 0.015
    assert off(causal(raw), raw).max() < 0.03


@pytest.mark.parametrize("rate", [10.0, 25.0, 60.0])
@settings(max_examples=40, deadline=None)
@given(
    way=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    turn=st.tuples(*[st.floats(-1, 1)] * 3),
    growth=st.floats(-1, 1),
    size=st.sampled_from([0.02, 0.1, 0.3, 1.0]),
)
def test_a_cut_moves_no_mouth(rate, way, turn, growth, size):
    """On both sides of any cut: to another place, posture and size, far off or close by."""
    place = (960 + 4 * size * SMALL * way[0], 540 + 4 * size * SMALL * way[1], 0)
    here = lm.Pose.from_angles(5, 3, 0, (960, 540, 0), SMALL)
    there = lm.Pose.from_angles(
        *(np.array(here.angles) + 40 * size * np.array(turn)), place, SMALL * np.exp(size * growth)
    )
    raw = lm.apply_pose(np.repeat(lm.MESH_REFERENCE[None], 16, axis=0), [here] * 8 + [there] * 8)
    assert off(smooth_track(raw, rate), raw).max() < 0.03


def test_what_was_before_a_cut_is_forgotten_after_it():
    before, after = moving(30), moving(30, (1500, 200), 120.0)
    both = np.concatenate([before, after])
    np.testing.assert_array_equal(causal(both)[30:], causal(after))
    assert off(smooth_track(both), both).max() < 0.015
    assert np.linalg.norm(np.diff(both[29:31, 4, :2], axis=0)) / SMALL > LEAP / 25


def test_a_quick_head_is_trailed_by_no_more_than_the_lag():
    t = np.arange(60) / 25
    nod = 0.5 * np.where((t > 0.8) & (t < 1.4), 1 - np.cos(np.pi * (t - 0.8) / 0.3), 0)
    raw = np.stack(
        [lm.apply_pose(lm.MESH_REFERENCE, lm.Pose.from_angles(0, 0, 0, (960, 540 + SMALL * y, 0), SMALL)) for y in nod]
    )
    assert off(causal(raw), raw).max() < 1.01 * LAG
    assert off(smooth_track(raw), raw).max() < 0.03


def test_poses_are_calmed_and_landmarks_stay_in_the_picture() -> None:
    rng = np.random.default_rng(0)
    turns = 5 * np.sin(np.arange(40) / 8)
    angles = turns[:, None] * (1.0, 0.5, -0.5) + rng.normal(0, 0.6, (40, 3))
    poses = [Pose.from_angles(*row, (100 + i, 90, 0), 80 + 0.2 * i) for i, row in enumerate(angles)]
    faces = rng.normal(0, 0.3, (40, 70, 3)).astype(np.float32)
    seen, calm = with_calm_poses(faces, poses)
    for face, pose, other, new in zip(faces, poses, seen, calm):
        np.testing.assert_allclose(to_pixels(face, pose), to_pixels(other, new), atol=1e-2)
        np.testing.assert_allclose(new.rotation @ new.rotation.T, np.eye(3), atol=1e-5)
    yaw = np.array([pose.angles[0] for pose in calm])
    assert np.abs(np.diff(yaw, 2)).mean() < 0.3 * np.abs(np.diff(angles[:, 0], 2)).mean()
    assert np.abs(yaw - turns)[4:-4].max() < 1.2
