"""Windows follow the head and not the mouth."""

from __future__ import annotations

import numpy as np

from speechhead.face.landmarks import MESH_REFERENCE, Pose, from_mesh, to_pixels
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP
from speechhead.generators.compact.windows import EYES, MOUTH, WINDOWS, lay, near

SIZE = 256
POSE = Pose.from_angles(roll=10, translation=(128, 110, 0), scale=66)


def opened(amount: float) -> np.ndarray:
    mesh = MESH_REFERENCE.copy()
    mesh[LOWER_INNER_LIP[1:-1], 1] += amount
    return mesh


def test_mouth_shape_grows_with_the_opening() -> None:
    matrix = MOUTH.matrix(MOUTH.centre(MESH_REFERENCE), POSE, SIZE)
    areas = [MOUTH.shapes(to_pixels(opened(a), POSE), matrix, POSE, SIZE)[0].sum() for a in (0.0, 0.1, 0.2)]
    assert areas[0] < areas[1] < areas[2]


def test_mouth_and_eyes_lie_inside_their_windows() -> None:
    points = {"mouth": range(48, 68), "eyes": [*range(36, 48), 68, 69]}
    pixels = to_pixels(from_mesh(MESH_REFERENCE), POSE)[:, :2] * (2 / SIZE) - 1
    for name, window in WINDOWS.items():
        matrix = window.matrix(window.centre(MESH_REFERENCE), POSE, SIZE)
        inside = (pixels[list(points[name])] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        assert np.abs(inside).max() < 0.95


def test_shapes_do_not_change_with_position_size_and_roll() -> None:
    other = Pose.from_angles(roll=-20, translation=(90, 150, 0), scale=50)
    for window in WINDOWS.values():
        drawn = []
        for pose in (POSE, other):
            matrix = window.matrix(window.centre(MESH_REFERENCE), pose, SIZE)
            drawn.append(window.shapes(to_pixels(MESH_REFERENCE, pose), matrix, pose, SIZE))
        assert np.abs(drawn[0] - drawn[1]).mean() < 0.01


def test_grid_covers_the_window_and_motion_has_its_length() -> None:
    matrix = EYES.matrix(EYES.centre(MESH_REFERENCE), POSE, SIZE)
    assert EYES.grid(matrix).shape == (EYES.height, EYES.width, 2)
    landmarks = from_mesh(MESH_REFERENCE)
    assert EYES.motion(landmarks, landmarks, POSE, POSE).shape == (EYES.motion_size,)
    assert EYES.edge()[[0, -1]].max() < 0.1


def test_paint_stays_near_the_lips() -> None:
    lips = np.zeros((MOUTH.height, MOUTH.width), np.float32)
    lips[24:40, 20:52] = 1
    weight = near(lips)
    assert weight[26:38, 22:50].min() == 1 and weight[:16].max() == weight[48:].max() == 0


def test_only_what_is_painted_is_laid_and_it_is_the_same_as_if_all_were() -> None:
    """A value too small to be seen in a corner makes the whole patch count."""
    frame = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    painted = np.zeros((64, 72, 4), np.float32)
    painted[20:31, 30:50] = np.random.default_rng(1).normal(0, 0.3, (11, 20, 4))
    whole = painted.copy()
    whole[0, 0] = whole[-1, -1] = 2e-5
    matrix = np.float32([[0.31, 0.05, 0.1], [-0.05, 0.28, 0.2]])
    laid = lay(frame.copy(), painted, matrix)
    assert np.abs(laid.astype(int) - lay(frame.copy(), whole, matrix)).max() <= 1
    changed = (laid != frame).any(-1)
    assert 0 < changed.mean() < 0.05
    assert np.array_equal(lay(frame.copy(), painted * 0, matrix), frame)
