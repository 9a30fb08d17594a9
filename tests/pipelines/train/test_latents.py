"""Landmarks2Latents' trainer: what is missed of landmarks is spread, and rounded mouths are found."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pipelines.train.latents import LatentsNetwork, LatentsTraining, along_skin, narrowest, spreading  # noqa: E402
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_70  # noqa: E402


def test_zero_motion_gives_zero_and_landmarks_are_met() -> None:
    torch.manual_seed(0)
    network = LatentsNetwork(LatentsTraining(hidden=16, basis=8)).eval()
    shape, motion = torch.randn(2, 210) * 0.1, torch.randn(2, 210) * 0.1
    with torch.no_grad():
        assert network(torch.zeros(2, 210), shape).abs().max() == 0
        delta = network(motion, shape).reshape(2, 478, 3)
    np.testing.assert_allclose(delta[:, MESH_TO_70], motion.reshape(2, 70, 3), atol=0.01)


def test_the_place_between_two_landmarks_of_a_lip_goes_along_with_them() -> None:
    weights = spreading(0.25)
    moved = np.zeros(70, np.float32)
    moved[[56, 57]] = 1  # vertices 405 and 17; 314 lies between them
    shares = weights @ moved
    assert 0.7 < shares[314] < 1.1
    assert abs(shares[33]) < 0.05, "an eye's corner stays"


def test_lips_are_apart_along_the_skin() -> None:
    ways = along_skin()
    straight = float(np.linalg.norm(MESH_REFERENCE[13] - MESH_REFERENCE[14]))
    assert ways[13, 14] > 5 * straight
    assert ways[13, 14] == ways[14, 13]


def test_the_narrowest_tenth_is_found() -> None:
    clip = np.zeros((20, 478, 3), np.float32)
    clip[:, 291, 0] = 0.6
    clip[[4, 11], 291, 0] = 0.4, 0.3
    assert sorted(narrowest(clip).tolist()) == [4, 11]
