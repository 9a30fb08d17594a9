"""Metrics give the known answer on inputs made for it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipelines.data import curves
from pipelines.judge import motion, picture, sync
from speechhead.core.clocks import SAMPLE_RATE, SAMPLES_PER_FRAME

RANDOM = np.random.default_rng(0)


def video(frames: int = 6, side: int = 64) -> np.ndarray:
    coarse = RANDOM.integers(0, 256, (frames, side // 8, side // 8, 3), dtype=np.uint8)
    return np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in coarse])


def talk(frames: int = 200) -> np.ndarray:
    """Opening that rises and falls about three times per second, never the same twice, in 0..0.2."""
    t = np.arange(frames) / 25
    return (0.1 + 0.06 * np.sin(2 * np.pi * 2.9 * t) + 0.04 * np.sin(2 * np.pi * 1.3 * t + 1)).astype(np.float32)


def test_a_video_equals_itself():
    frames = video()
    assert picture.l1(frames, frames) == 0
    assert picture.psnr(frames, frames) == 100
    assert picture.ssim(frames, frames) == pytest.approx(1, abs=1e-6)
    assert picture.flicker_ratio(frames, frames) == pytest.approx(1)


def test_a_constant_error_gives_its_l1_and_psnr():
    frames = np.full((2, 16, 16, 3), 100, np.uint8)
    assert picture.l1(frames + 10, frames) == 10
    assert picture.psnr(frames + 10, frames) == pytest.approx(20 * np.log10(255 / 10))


def test_ssim_falls_with_noise():
    frames = video()
    noisy = [np.clip(frames + RANDOM.normal(0, sd, frames.shape), 0, 255).astype(np.uint8) for sd in (5, 30)]
    assert 1 > picture.ssim(noisy[0], frames) > picture.ssim(noisy[1], frames) > 0


def test_blur_lowers_the_sharpness_ratio_and_only_inside_the_box():
    frames = RANDOM.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    blurred = np.stack([cv2.GaussianBlur(image, (7, 7), 2) for image in frames])
    half = frames.copy()
    half[:, :32] = blurred[:, :32]
    box = (8, 36, 56, 60)
    assert picture.sharpness_ratio(blurred, frames, [box] * 3) < 0.2
    assert picture.sharpness_ratio(half, frames, [box] * 3) == pytest.approx(1)


def test_mouth_box_is_around_the_lips_and_inside_the_picture():
    lips = np.array([[20.0, 30.0, 0], [40.0, 40.0, 0]], np.float32)
    assert picture.mouth_box(lips, 64, 64) == (15, 27, 46, 44)
    assert picture.mouth_box(lips * 2, 64, 64)[2:] == (64, 64)


def test_flicker_sees_trembling_but_not_steady_change():
    steady = np.stack([np.full((8, 8, 3), 10 * t, np.uint8) for t in range(10)])
    assert picture.flicker(steady) == 0
    trembling = steady.copy()
    trembling[::2] += 5
    assert picture.flicker(trembling) == 10


@pytest.mark.parametrize("shift", [-5, -3, -1, 0, 1, 2, 4, 5])
def test_a_shift_of_the_curve_is_found_as_its_lag(shift):
    truth = talk()
    late = np.roll(truth, shift)[10:-10]
    lag, peak = curves.best_lag(late, truth[10:-10])
    assert lag == shift
    assert peak > 0.999


def test_one_lag_has_one_sign_for_a_mouth_and_for_a_picture():
    truth = talk()
    late, on_time = np.roll(truth, 3)[10:-10], truth[10:-10]
    assert (curves.best_lag(late, on_time)[0], curves.best_lag(on_time, late)[0]) == (3, -3)
    a, b = curves.at_lag(late, on_time, 3)
    assert np.array_equal(a, b) and len(a) == len(late) - 3
    a, b = curves.at_lag(on_time, late[:-5], -3)
    assert np.array_equal(a, b) and len(a) == len(late) - 8


def test_a_preference_takes_the_smaller_of_lags_that_fit_about_as_well():
    beat = np.sin(np.arange(200) * np.pi / 5)  # fits again after ten frames
    worn = np.concatenate([beat[:100], 0.9 * beat[100:]]).astype(np.float32)
    assert curves.best_lag(np.roll(worn, 9), worn, 10, preference=0.05)[0] == -1


def test_a_curve_of_any_unit_is_matched_to_the_truths_range():
    truth = talk()
    assert np.allclose(sync.matched(truth * 7 - 3, truth), truth, atol=1e-5)


def test_correlation_ignores_scale_and_of_a_still_mouth_is_zero():
    truth = talk()
    assert curves.correlation(truth * 2 + 1, truth) == pytest.approx(1)
    assert curves.correlation(np.zeros_like(truth), truth) == 0
    assert curves.best_lag(np.zeros_like(truth), truth) == (None, 0)
    assert sync.amplitude_ratio(truth * 0.8, truth) == pytest.approx(0.8, rel=1e-5)


def test_closures_are_counted_once_each():
    opening = np.full(60, 0.2, np.float32)
    for frame in (10, 30, 50):
        opening[frame - 1 : frame + 2] = [0.012, 0.01, 0.012]
    opening[32] = 0.03  # trembling about the threshold is no second closure
    opening[33] = 0.011
    assert sync.closures(opening).tolist() == [10, 30, 50]
    assert not len(sync.closures(np.full(60, 0.1, np.float32)))


def test_closure_recall_counts_hits_within_two_frames():
    truth = np.full(80, 0.2, np.float32)
    truth[[10, 30, 50, 70]] = 0.0
    truth[[11, 31, 51, 71]] = 0.0
    ours = np.full(80, 0.2, np.float32)
    ours[12] = ours[30] = 0.01  # two frames late, and on time
    ours[55] = 0.0  # four frames late
    assert sync.closure_recall(ours, truth) == pytest.approx(0.5)
    assert sync.closure_recall(truth, truth) == 1
    assert sync.opening_recall(truth, truth) == 1


def test_a_mouth_that_never_opens_hits_all_closures_and_no_opening():
    truth = talk()
    shut = np.zeros_like(truth)
    assert sync.closure_recall(shut, truth) == 1
    assert sync.opening_recall(shut, truth) == 0
    assert sync.closure_recall(shut, shut) is None


def test_silence_is_found_where_there_is_no_sound():
    frames = 50
    sound = RANDOM.normal(0, 0.1, frames * SAMPLES_PER_FRAME).astype(np.float32)
    sound[20 * SAMPLES_PER_FRAME : 35 * SAMPLES_PER_FRAME] *= 1e-4
    silent = sync.silent_frames(sound, frames)
    assert np.flatnonzero(silent).tolist() == list(range(22, 33))
    assert sync.silent_frames(np.zeros(SAMPLE_RATE, np.float32), 25).all()


def test_landmark_distances_have_their_units():
    truth = RANDOM.normal(size=(5, 70, 3)).astype(np.float32)
    moved = truth.copy()
    moved[:, motion.MOUTH, 0] += 3
    assert motion.keypoint_distance(moved, truth, motion.MOUTH) == pytest.approx(3, rel=1e-5)
    assert motion.keypoint_distance(moved, truth) == pytest.approx(3 * 20 / 70, rel=1e-5)
    assert motion.landmark_distance(moved, truth) == pytest.approx(3, rel=1e-5)
    assert motion.velocity_error(moved, truth) == pytest.approx(0, abs=1e-4)  # a constant offset does not move


def test_velocity_error_and_silence_motion():
    truth = np.zeros((40, 70, 3), np.float32)
    ours = truth.copy()
    ours[20:, motion.MOUTH, 1] = 0.01 * np.arange(20, dtype=np.float32)[:, None]
    assert motion.velocity_error(ours[21:], truth[21:]) == pytest.approx(0.01 * 25, rel=1e-4)
    silent = np.arange(40) < 20
    assert motion.silence_motion(ours, silent) == pytest.approx(0, abs=1e-6)
    assert motion.silence_motion(ours, ~silent) > 1e3
    assert motion.silence_motion(ours, np.zeros(40, bool)) is None


def test_blinks_are_counted_and_a_closed_eye_is_none():
    eyes = np.full(250, 0.3, np.float32)
    for start in (50, 120, 200):
        eyes[start : start + 6] = 0.05
    assert motion.blinks_per_minute(eyes) == pytest.approx(3 * 6)
    eyes[20:45] = 0.05
    assert motion.blinks_per_minute(eyes) == pytest.approx(3 * 6)


def test_head_range_and_jerk():
    t = np.linspace(-10, 10, 101, dtype=np.float32)
    angles = np.stack([t, t, t], 1)
    assert motion.head_range(angles) == pytest.approx(18, rel=1e-4)
    assert motion.head_jerk(angles) == pytest.approx(0, abs=1e-4)
    angles[::2] += 1
    assert motion.head_jerk(angles) == pytest.approx(4, rel=1e-3)  # half a degree to either side, times 1 + 3 + 3 + 1
