"""Outlines, triangles and blurs in torch are those that OpenCV draws."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from speechhead.generators.compact.device import draw  # noqa: E402
from speechhead.generators.compact.device.frames import BatchRows, Sizes, packed, together  # noqa: E402

SIDE = 40


def test_an_outline_covers_what_opencv_covers() -> None:
    points = np.array([[8.2, 6.4], [30.1, 9.7], [26.3, 31.8], [17.0, 20.5], [10.6, 29.9]], np.float32)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    found = draw.covered(torch.from_numpy(points)[None], *draw.grid(SIDE, SIDE, torch.zeros(1)))[0].numpy()
    assert np.abs(found - mask / 255).max() < 0.45 and np.abs(found - mask / 255).mean() < 0.01


def test_the_last_triangle_is_seen_with_its_outline() -> None:
    rng = np.random.default_rng(3)
    corners = (rng.uniform(0, 30, (12, 1, 2)) + rng.uniform(-9, 9, (12, 3, 2))).astype(np.float32)
    index = np.zeros((SIDE, SIDE), np.int32)
    for number, polygon in enumerate(np.round(corners * 16).astype(np.int32), 1):
        cv2.fillConvexPoly(index, polygon, number, cv2.LINE_8, 4)
    drawn = torch.ones(1, 12, dtype=torch.bool)
    found = draw.triangles(torch.from_numpy(corners)[None], drawn, (SIDE, SIDE), 20)[0].numpy()
    assert (found == index).mean() > 0.97
    assert not draw.triangles(torch.from_numpy(corners)[None], ~drawn, (SIDE, SIDE), 20).any()


def test_blurs_are_each_frame_s_own() -> None:
    picture = np.zeros((2, 1, SIDE, SIDE), np.float32)
    picture[:, :, 20, 20] = 1
    sigma = torch.tensor([1.0, 2.5])
    weights = draw.bells(sigma, 10)
    found = draw.filtered(torch.from_numpy(picture), weights, weights).numpy()
    for k, width in enumerate(sigma.tolist()):
        assert np.abs(found[k, 0] - cv2.GaussianBlur(picture[k, 0], (21, 21), width)).max() < 1e-5


def test_an_affine_map_takes_a_triangle_onto_another() -> None:
    corners = torch.tensor([[[[1.0, 2], [9, 3], [4, 8]], [[0, 0], [0, 0], [0, 0]]]])
    origin = torch.tensor([[[[5.0, 1], [7, 6], [2, 9]], [[3, 3], [6, 3], [3, 6]]]])
    maps = draw.affine(corners, origin, torch.tensor([[True, False]]))
    number = torch.tensor([[[1, 2]]])
    x, y = draw.mapped(maps, number, torch.tensor([[[9.0, 1]]]), torch.tensor([[[3.0]]]))
    assert x[0, 0].tolist() == pytest.approx([7, 4]) and y[0, 0].tolist() == pytest.approx([6, 4])


def test_boxes_of_a_batch_are_of_one_size_and_within_the_frame() -> None:
    first, other = torch.ones(2, 3), torch.ones(3, 2)
    rows = [
        BatchRows({"a": first}, {"n": np.ones(1)}, {"k": 3}, {"box": np.array([[4, 30, 12, 39]])}, [1]),
        BatchRows({"a": other}, {"n": np.ones(1)}, {"k": 5}, {"box": np.array([[0, 0, 20, 6]])}, [0]),
    ]
    sizes = Sizes.of(rows, SIDE)
    assert dict(sizes.boxes) == {"box": (32, 16)} and dict(sizes.most) == {"k": 5}
    parts = packed(rows, sizes, SIDE, torch.device("cpu"))
    assert parts["places"].tolist() == [[0, 0, 0], [1, 4, 24]] and parts["held.a"].shape == (2, 3, 3)
    assert together([first, first]).shape == (1, 2, 3)
    assert packed(rows, sizes, SIDE, torch.device("cpu"), 4)["numbers"].shape == (4, 1)
