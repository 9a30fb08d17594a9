"""The view of the mouth does not depend on size, tilt and light; a small network tells what is no mouth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.face.covered import cover_odds, covered
from speechhead.face.mouth_view import FEATURES, mouth_features
from speechhead.face.tracker import FaceTracker


@pytest.fixture(scope="module")
def mesh(portrait):
    return FaceTracker(threads=1).locate(portrait).mesh


def test_features_do_not_depend_on_size_and_place(portrait, mesh):
    features = mouth_features(portrait, mesh)
    assert features.shape == (FEATURES,) and features.dtype == np.float32 and np.isfinite(features).all()
    large = cv2.resize(portrait, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert np.abs(mouth_features(large, mesh * np.float32(2)) - features).mean() < 0.05
    moved = np.pad(portrait, ((40, 0), (70, 0), (0, 0)), mode="edge")
    assert np.abs(mouth_features(moved, mesh + np.float32([70, 40, 0])) - features).mean() < 0.05


def test_features_do_not_depend_on_brightness(portrait, mesh):
    dark = (portrait * 0.6).astype(np.uint8)
    assert np.abs(mouth_features(dark, mesh) - mouth_features(portrait, mesh)).mean() < 0.1


def test_a_flat_picture_and_a_mesh_outside_are_finite(mesh):
    flat = np.full((64, 64, 3), 7, np.uint8)
    for place in (mesh, mesh + np.float32(5000), mesh - np.float32(5000)):
        assert np.isfinite(mouth_features(flat, place)).all()


def test_a_mouth_is_bare_and_a_plain_cloth_is_none(portrait, mesh):
    assert covered(portrait, mesh) < 0
    cloth = portrait.copy()
    corners = mesh[[123, 172, 152, 397, 352, 5], :2]
    cv2.fillPoly(cloth, [np.round(corners).astype(np.int32)], (170, 200, 215))
    assert covered(cloth, mesh) > 3


def test_odds_of_one_layer():
    network = {"mean": np.zeros(2), "scale": np.ones(2), "inner": np.eye(2), "inner_bias": np.zeros(2)}
    network |= {"outer": np.array([1.0, -2.0]), "outer_bias": np.array(0.5)}
    odds = cover_odds(np.array([1.0, 100.0]), network)
    assert odds == pytest.approx(np.tanh(1) - 2 * np.tanh(4) + 0.5)
