"""What goes with a smile is found in pairs of frames, and error of the mesh is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.data.smiles import SmilingClip
from pipelines.train.compact.rest import Fit, Pair
from speechhead.face.landmarks import MESH_REFERENCE, REFERENCE, Pose
from speechhead.generators.compact.skin_layout import SIDE

SHAPE = (5, SIDE, SIDE)


def pair(random: np.random.Generator, person: str, smile: float) -> Pair:
    """A mean of 0.05, a share of -0.4, and a part of 0.2 that is lost whatever the smile does."""
    before = random.normal(0, 0.1, SHAPE).astype(np.float32)
    change = smile * (0.05 - 0.4 * before) - 0.2 * before
    return Pair(person, smile, before, change.astype(np.float32))


def test_mean_and_share_are_found_beside_error() -> None:
    random, fit = np.random.default_rng(1), Fit()
    for number in range(40):
        fit.add(pair(random, f"person {number % 4}", (0.0, 0.3, 0.6, 0.9)[number // 4 % 4]))
    mean, share = fit.solve()
    assert mean.shape == share.shape == (5, SIDE, SIDE // 2)
    assert float(mean.mean()) == pytest.approx(0.05, abs=0.005)
    assert float(share.mean()) == pytest.approx(-0.4, abs=0.05)


def test_people_count_alike_however_many_pairs_they_have() -> None:
    random = np.random.default_rng(2)
    flat = np.zeros(SHAPE, np.float32)
    fit = Fit()
    for _ in range(60):
        fit.add(Pair("often", 0.5, flat + random.normal(0, 0.1), flat + np.float32(0.1)))
    for _ in range(12):
        fit.add(Pair("seldom", 0.5, flat + random.normal(0, 0.1), flat))
    assert float(fit.solve()[0].mean()) == pytest.approx(0.1, abs=0.02)  # the mean of 0.2 and 0


def test_pairs_smile_and_rest_with_the_head_held() -> None:
    count = 12
    weight = np.array([0.4, 0.0] * 6, np.float32)
    turned = [np.eye(3, dtype=np.float32)] * 6 + [np.diag([-1.0, 1.0, -1.0]).astype(np.float32)] * 6
    poses = [Pose(rotation, np.zeros(3, np.float32), 100.0) for rotation in turned]
    faces, meshes = (np.repeat(points[None], count, 0) for points in (REFERENCE, MESH_REFERENCE))
    picture = np.zeros((8, 8, 3), np.uint8)
    clip = SmilingClip([picture] * count, meshes, faces, poses, weight, weight.copy())
    found, same = clip.pairs(np.random.default_rng(0))
    assert len(found) == 18 and all(weight[a] > 0.3 and weight[b] == 0 and (a < 6) == (b < 6) for a, b in found)
    assert same and all(weight[a] == weight[b] and abs(a - b) > 3 for a, b in same)
    resting = SmilingClip([picture] * count, meshes, faces, poses, 0 * weight, 0 * weight)
    assert resting.pairs(np.random.default_rng(0)) == ([], [])
