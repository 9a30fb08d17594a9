"""Skin of a shut lid: in the light of what surrounds it, with the picture's grain, and no step where it ends."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from speechhead.generators.compact.lid_plate import Eye, busy, deepest, hole, luma, plate

UNIT, HEIGHT, WIDTH, LENGTH = 150.0, 78, 86, 52


def eye_in(skin: np.ndarray) -> Eye:
    """An open eye, white with a dark iris, in skin [h, w, 3]."""
    left = np.arange(WIDTH, dtype=np.float32) - 0.5 * (WIDTH - LENGTH)
    bow = 9 * np.clip(1 - np.square(2 * left / LENGTH - 1), 0, 1).astype(np.float32)
    upper, lower = 40 - bow, 40 + bow
    rows = np.arange(HEIGHT)[:, None]
    seen = skin.astype(np.float32).copy()
    opening = (rows > upper) & (rows < lower)
    seen[opening] = 0.9 * seen.max()
    seen[opening & (np.abs(left - LENGTH / 2) < 7)] = 25
    seen[np.abs(rows - upper) < 1.2 * (bow > 0)] = 20
    return Eye(seen, upper, lower, left, LENGTH - left, UNIT)


def flat(light: float) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), light, np.float32) * np.array([1, 0.8, 0.7], np.float32)


def shut(eye: Eye) -> tuple[np.ndarray, np.ndarray]:
    covered, _ = hole(eye)
    return plate(eye, covered), covered > 0.5


def test_a_lid_in_a_gradient_shadow_is_as_dark_as_the_shadow() -> None:
    fall = np.linspace(0.25, 1.0, WIDTH, dtype=np.float32)[None, :, None]
    skin = flat(200) * fall
    lid, covered = shut(eye_in(skin))
    away = np.abs(luma(lid) - luma(skin)) / luma(skin)
    assert covered.sum() > 800
    assert away[covered].mean() < 0.07 and np.percentile(away[covered], 95) < 0.12  # a lid is no lighter than a cheek


def test_no_step_is_left_where_a_lid_under_a_dark_brow_ends() -> None:
    """All above and beside the eye is in deep shadow, the cheek is light: the lid is dark above, and nowhere jumps."""
    skin = flat(190)
    skin[:47] *= 0.2
    skin = np.asarray(cv2.GaussianBlur(skin, (0, 0), 4), np.float32)
    eye = eye_in(skin)
    lid, covered = shut(eye)
    rows = np.arange(HEIGHT)[:, None]
    above = covered & (rows < eye.upper - 2)
    assert luma(lid)[above].mean() < 1.5 * luma(skin)[above].mean()
    light = cv2.GaussianBlur(luma(lid), (0, 0), 1.5)
    jump = np.asarray(np.hypot(cv2.Sobel(light, 5, 1, 0, ksize=3), cv2.Sobel(light, 5, 0, 1, ksize=3)) / 8)
    assert jump[rows[:, 0] < 36].max() < 6.5


def test_a_lid_in_noise_has_as_much_of_it() -> None:
    noise = np.random.default_rng(7).normal(0, 1, (HEIGHT, WIDTH, 1)).astype(np.float32)
    noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.8)[..., None], np.float32)
    for strength in (3.0, 12.0):
        skin = flat(150) + strength * noise / noise.std()
        lid, covered = shut(eye_in(skin))
        inner = cv2.erode(covered.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        fine = [luma(p) - cv2.GaussianBlur(luma(p), (0, 0), 2) for p in (lid, skin)]
        assert 0.6 < fine[0][inner].std() / fine[1][inner].std() < 1.3


def test_a_frame_that_crosses_above_stays() -> None:
    skin = flat(180)
    rim = slice(14, 18)
    skin[rim] = 15
    lid, _ = shut(eye_in(skin))
    np.testing.assert_allclose(lid[rim], skin[rim], atol=12)
    assert luma(lid)[34:46, 30:56].min() > 90


def test_lashes_that_run_into_a_brow_go_and_the_brow_stays() -> None:
    skin = flat(180)
    skin[9:16, 14:72] = 15
    eye = eye_in(skin)
    seen = eye.seen.copy()
    seen[16:32, 34:53:6] = 15
    lid, _ = shut(replace(eye, seen=seen))
    assert luma(lid)[21:30, 30:56].min() > 0.6 * luma(flat(180))[0, 0]
    np.testing.assert_allclose(lid[10:14, 16:70], skin[10:14, 16:70], atol=12)


def test_a_lid_comes_out_of_the_shade_of_its_fold_but_not_of_a_hats() -> None:
    skin = flat(190)
    skin[:31] *= 0.55
    eye = eye_in(np.asarray(cv2.GaussianBlur(skin, (0, 0), 2), np.float32))
    dim = np.asarray(eye.seen * np.clip((eye.rows - 26) / 26, 0.25, 1)[..., None], np.float32)
    lights = [luma(shut(one)[0])[34:40, 36:50].mean() for one in (eye, replace(eye, seen=dim))]
    assert lights[0] > 0.72 * luma(flat(190))[0, 0] and lights[1] < 0.6 * luma(flat(190))[0, 0]


def test_the_dots_of_a_print_go_on_over_a_lid() -> None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    dots = 18 * np.sin(2 * np.pi * (rows + columns) / 9) * np.sin(2 * np.pi * (rows - columns) / 9)
    skin = np.asarray(flat(140) + dots[..., None], np.float32)
    lid, covered = shut(eye_in(skin))
    inner = cv2.erode(covered.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    fine = [luma(p) - cv2.GaussianBlur(luma(p), (0, 0), 4.5) for p in (lid, skin)]
    assert 0.55 < fine[0][inner].std() / fine[1][inner].std() < 1.3


def test_nothing_is_laid_where_the_frame_ends_though_something_dark_lies_there() -> None:
    """A lens in its frame meets the outer corner and goes on beyond what the layer holds: no edge is cut into it."""
    skin = flat(200)
    skin[36:44, WIDTH - 16 :] = 40
    covered, laid = hole(eye_in(skin))
    for shown in (covered, laid):
        assert max(shown[:, 0].max(), shown[:, -1].max()) < 0.02
        assert np.abs(np.diff(shown[:, -4:], axis=1)).max() < 0.5


def test_the_darkest_of_an_eye_is_its_lashes_and_iris() -> None:
    assert deepest(eye_in(flat(200))) < 0.25 * 200
    pale = eye_in(flat(200))
    pale = replace(pale, seen=np.asarray(150 + 0.2 * (pale.seen - 150), np.float32))
    assert 100 < deepest(pale) < 150


def test_rims_and_dots_under_an_eye_are_told_from_skin() -> None:
    noisy = flat(170) + np.random.default_rng(2).normal(0, 3, (HEIGHT, WIDTH, 1)).astype(np.float32)
    dots = flat(170) * (1 + 0.5 * ((np.indices((HEIGHT, WIDTH)) // 3).sum(0) % 2)[..., None])
    rim = flat(170)
    rim[58:64] = 30
    found = []
    for skin in (noisy, dots, rim):
        eye = eye_in(np.asarray(skin, np.float32))
        covered, _ = hole(eye)
        found.append(busy(eye, plate(eye, covered)))
    assert found[0] < 0.05 and min(found[1:]) > 0.8
