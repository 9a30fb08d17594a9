"""Smoothing: noise goes, motion and lips stay."""

import numpy as np

from speechhead.face import landmarks as lm
from speechhead.face.smoothing import LandmarkFilter, smooth_track

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
