"""The z-buffer of the synthetic renderer."""

import numpy as np
import pytest

pytest.importorskip("numba")
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.data.synthetic.raster import Buffer

SQUARE = np.float32([[2, 2, 5], [12, 2, 5], [12, 12, 5], [2, 12, 5]])
HALVES = np.int32([[0, 1, 2], [0, 2, 3]])


def test_a_square_covers_its_pixels():
    buffer = Buffer(16, 16).draw(SQUARE, HALVES)
    expected = np.zeros((16, 16), bool)
    expected[2:13, 2:13] = True
    assert ((buffer.index >= 0) == expected).all()
    assert (buffer.depth[expected] == 5).all()


def test_the_nearer_triangle_wins_in_any_order():
    near = SQUARE - np.float32([0, 0, 3])
    vertices = np.concatenate([SQUARE, near])
    for triangles in (np.concatenate([HALVES, HALVES + 4]), np.concatenate([HALVES + 4, HALVES])):
        assert (Buffer(16, 16).draw(vertices, triangles).depth[4:10, 4:10] == 2).all()


def test_a_triangle_seen_from_behind_is_not_drawn():
    assert (Buffer(16, 16).draw(SQUARE, HALVES[:, ::-1]).index == -1).all()


def test_a_triangle_half_outside_is_cut():
    buffer = Buffer(16, 16).draw(SQUARE - np.float32([8, 8, 0]), HALVES)
    assert (buffer.index >= 0).sum() == 5 * 5


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-10, 40, width=32), min_size=9, max_size=9), st.lists(st.floats(-3, 3), min_size=3, max_size=3)
)
def test_attributes_are_affine_in_the_picture(corners, plane):
    vertices = np.float32(corners).reshape(3, 3)
    value = vertices[:, :2] @ np.float32(plane[:2]) + np.float32(plane[2])
    buffer = Buffer(32, 32).draw(vertices, np.int32([[0, 1, 2]]))
    y, x = np.nonzero(buffer.index >= 0)
    got = buffer.interpolate(value[:, None], np.int32([[0, 1, 2]]))[y, x, 0]
    edges = vertices[1:, :2] - vertices[0, :2]
    if abs(np.linalg.det(edges)) > 1:  # thinner than a pixel: nothing to see
        np.testing.assert_allclose(got, x * plane[0] + y * plane[1] + plane[2], atol=0.05)
