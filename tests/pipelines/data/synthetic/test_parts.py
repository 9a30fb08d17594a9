"""Fill, light, surround, eyes and motion of the synthetic renderer."""

import numpy as np
import pytest

pytest.importorskip("numba")
from support import synthetic_head as small

from pipelines.data.synthetic import light
from pipelines.data.synthetic.motion import VISEMES, sample_motion
from pipelines.data.synthetic.surround import Surround
from pipelines.data.synthetic.texture import eye_directions, eye_texels, gaze_rotation
from speechhead.generators.compact.fill import push_pull


def test_push_pull_keeps_what_is_known_and_fills_with_it():
    colour = np.zeros((37, 50, 3), np.float32)
    colour[:20] = 100
    weight = np.zeros((37, 50), np.float32)
    weight[:20] = 1
    filled = push_pull(colour, weight)
    np.testing.assert_allclose(filled, 100, atol=0.5)


def test_light_that_does_not_change_changes_nothing():
    normals = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    shine = np.float32([1, 0.3, -0.2, 0.1, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(light.change(shine, normals, normals), 1)


def test_light_is_recovered_from_brightness():
    normals = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)
    normals[:, 2] = -np.abs(normals[:, 2])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    luma = 120 * (1 + 0.4 * normals[:, 0] - 0.2 * normals[:, 1])
    found = light.estimate(luma, normals, np.ones(2000, np.float32))
    assert found[1] / found[0] == pytest.approx(0.4, abs=0.08)
    assert found[2] / found[0] == pytest.approx(-0.2, abs=0.08)


def test_a_head_at_rest_has_its_surround_at_rest():
    pixels = small.mesh()
    one = Surround(pixels, np.float32([144, 130, 0]), 0.0, 8.0)
    y, x = np.mgrid[:200, :200]
    np.testing.assert_allclose(one.places(one, 200, 200), np.stack([x, y], -1), atol=0.01)


def test_far_from_the_head_nothing_moves():
    pixels = small.mesh(scale=3.0, at=(100, 100))
    here = Surround(pixels, np.float32([100, 100, 0]), 0.0, 3.0)
    there = Surround(pixels + np.float32([6, 4, 0]), np.float32([106, 104, 0]), 0.1, 3.0)
    places = there.places(here, 240, 240)
    np.testing.assert_allclose(places[0, 0], [0, 0], atol=1e-3)
    assert np.abs(places[104, 106] - [100, 100]).max() < 1


def test_eye_tiles_and_directions_are_inverse():
    y, x = np.mgrid[: len(eye_directions()), : len(eye_directions())]
    np.testing.assert_allclose(eye_texels(eye_directions()), np.stack([x, y], -1), atol=0.02)


def test_gaze_turns_right_and_down():
    look = gaze_rotation(0.3, 0.2) @ np.float32([0, 0, -1])
    assert look[0] > 0.2 and look[1] > 0.1 and look[2] < 0


def test_motion_is_reproducible_and_stays_in_range():
    motions = [sample_motion(small.head(), np.random.default_rng(3), 40, still=(20, 0, 0)) for _ in range(2)]
    for name in ("expression", "gaze", "angles", "shift", "zoom", "light"):
        np.testing.assert_array_equal(*(getattr(motion, name) for motion in motions))
    motion = motions[0]
    assert len(motion) == 40 and motion.expression.min() >= 0 and motion.expression.max() <= 1
    assert (np.abs(motion.angles) <= [25, 14, 12]).all()
    assert motion.expression[:, 0].max() > 0.1  # it speaks


def test_visemes_name_real_expressions():
    names = {name for weights in VISEMES.values() for name in weights}
    assert "jawOpen" in names and "jawOpen" not in VISEMES["mm"]
