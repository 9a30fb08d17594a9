"""The coarse head: it is the shipped file, and what it merges stays where it was."""

import numpy as np
import pytest

pytest.importorskip("numba")

from pipelines.data.synthetic.coarse import CELL, bake, clustered, rigidity
from pipelines.data.synthetic.head import Head
from speechhead.core import weights


def test_the_shipped_head_is_the_one_that_is_made(shared):
    made = bake(Head.load(shared / "face3d"))
    with np.load(weights.path("head.npz")) as store:
        assert sorted(store) == sorted(made)
        for name, array in made.items():
            assert np.allclose(store[name].astype(float), array.astype(float), atol=2e-3), name
    assert made["triangles"].max() == len(made["vertices"]) - 1


def test_vertices_of_a_cube_become_one():
    places = np.float32([[0, 0, 0], [0.3 * CELL, 0, 0], [3 * CELL, 0, 0], [0, 3 * CELL, 0]])
    number, triangles = clustered(places, np.int32([[0, 2, 3], [0, 1, 2]]))
    assert number[0] == number[1] and len(set(number.tolist())) == 3
    assert triangles.tolist() == [[number[0], number[2], number[3]]]  # the other has no area left


def test_the_neck_begins_under_the_chin():
    chin, throat, nape, foot = [0, 1.28, -0.2], [0, 1.75, 0.4], [0, 1.4, 1.6], [0, 2.3, 0.6]
    share = rigidity(np.float32([chin, throat, nape, foot]))
    assert share[0] == 1 and 0.1 < share[1] < 0.9 and 0.1 < share[2] < 0.9 and share[3] == 0
