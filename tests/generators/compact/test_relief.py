"""What is round a face turns as the formula says, keeps still when the head does, and shows nothing that is hidden."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.face.landmarks import MESH_REFERENCE, Pose, to_pixels
from speechhead.generators.compact.head import HeadModel
from speechhead.generators.compact.meshwarp import OVAL, pixel_grid
from speechhead.generators.compact.relief import (
    RELIEF,
    Raise,
    Relief,
    between,
    cut_above,
    followed,
    fronted,
    inverted,
    ramped,
    surface,
)
from speechhead.motion.pose import turned

SIZE, COUNT = 256, RELIEF.resolution
POSE = Pose.from_angles(translation=(128, 110, 0), scale=56)
MESH = to_pixels(MESH_REFERENCE, POSE)


@pytest.fixture(scope="module")
def relief() -> Relief:
    return Relief(surface(HeadModel().fit(MESH), POSE, SIZE), Raise.of(MESH, POSE), MESH, POSE, SIZE)


def moved(relief: Relief, pose: Pose) -> np.ndarray:
    """Where all places go when the whole face turns, in crop pixels."""
    return relief.moves(to_pixels(relief.raised(MESH_REFERENCE, pose), pose)[OVAL, :2], pose)


def cell(x: float, y: float) -> tuple[int, int]:
    """Row and column of a place in normalised space of the frontal face."""
    column, row = (np.array([x, y]) * POSE.scale + POSE.translation[:2]) * COUNT / SIZE - 0.5
    return round(row), round(column)


def test_a_head_that_does_not_turn_moves_nothing(relief: Relief) -> None:
    edge = to_pixels(relief.raised(MESH_REFERENCE, POSE), POSE)[OVAL, :2]
    assert np.abs(relief.flow(edge, POSE)).max() < 1e-5
    assert np.allclose(edge, MESH[OVAL, :2], atol=1e-3)  # what is raised comes forward, and not aside


@pytest.mark.parametrize("angles", [(10, 0, 0), (0, 10, 0), (0, 0, 10), (-12, 6, 4)])
def test_points_turn_as_the_projection_says(angles: tuple[float, float, float]) -> None:
    pose = turned(POSE, angles)
    for point in ([0, 0.35, -0.5], [0.9, 0.1, 0.7], [0, -1.1, 0.8]):  # nose, ear, crown
        before, after = (to_pixels(np.float32(point), one) for one in (POSE, pose))
        way = np.append(before, 1) @ between(POSE, pose)
        assert np.allclose(way, (after - before)[:2], atol=2e-3)
    nose = to_pixels(np.float32([0, 0.35, -0.5]), turned(POSE, (10, 0, 0)))[0] - POSE.translation[0]
    # About the neck, 0.9 behind the eyes: the nose's tip is 1.4 before it.
    assert nose == pytest.approx(1.4 * np.sin(np.deg2rad(10)) * POSE.scale, rel=1e-3)


def test_crown_and_ears_go_with_the_skull_and_the_body_hardly(relief: Relief) -> None:
    pose = turned(POSE, (0, 0, 10))
    moves = moved(relief, pose)
    for x, y in ((0, -1.0), (0.95, 0.1), (-0.95, 0.1)):
        row, column = cell(x, y)
        place = (pixel_grid(COUNT, COUNT)[row, column] + 1) * SIZE / 2
        solid = np.array([*place, relief.depth[row, column], 1])
        assert np.allclose(moves[row, column], solid @ between(POSE, pose), atol=1.0)
    assert np.abs(moves[cell(0, -1.0)]).max() > 15 and np.abs(moves[cell(1.2, 2.3)]).max() < 4


def test_body_follows_a_part_of_the_way_and_less_of_the_turn() -> None:
    aside = Pose(POSE.rotation, POSE.translation + np.float32([10, 0, 0]), POSE.scale)
    assert np.allclose(followed(POSE, aside).translation - POSE.translation, [7.5, 0, 0], atol=1e-3)
    yaw, pitch, roll = followed(POSE, turned(POSE, (10, 10, 10))).angles
    assert 2 < yaw < 4 and 1 < pitch < 3 and 2 < roll < 4


@pytest.mark.parametrize("angles", [(20, 0, 0), (-20, 10, 0), (0, 15, 0), (0, -15, 12), (12, 0, -15)])
def test_nothing_folds_or_smears_within_the_limits(relief: Relief, angles: tuple[float, float, float]) -> None:
    pose = turned(POSE, angles)
    moves = moved(relief, pose) * (COUNT / SIZE)
    flow = inverted(moves * (2 / COUNT)) * (COUNT / 2)
    read = np.stack(np.meshgrid(*[np.arange(COUNT, dtype=np.float32)] * 2), -1) + flow
    there = cv2.remap(moves, read[..., 0], read[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = ((read > 0) & (read < COUNT - 1)).all(-1)
    inside[[*range(8), *range(-8, 0)]] = inside[:, [*range(8), *range(-8, 0)]] = False  # the border stays
    assert np.quantile(np.abs(there + flow).max(-1)[inside], 0.98) < 0.1  # one undoes the other
    across, down = np.gradient(read[..., 0], axis=1)[inside], np.gradient(read[..., 1], axis=0)[inside]
    assert min(across.min(), down.min()) > 0.3  # nothing is turned round, nor stretched to 3.4 times its size


def test_what_is_in_front_keeps_its_depth_and_what_is_behind_comes_forward() -> None:
    depth = np.full((9, 9), 5.0, np.float32)
    depth[4, 4] = 0
    out = ramped(depth, 1.5)
    assert out[4, 4] == 0 and out[4, 5] == 1.5 and out[4, 6] == 3 and out[0, 4] == 5
    assert (out <= depth).all() and np.abs(np.diff(out, axis=0)).max() <= 1.5
    assert np.array_equal(ramped(out, 1.5), out)


def test_a_rim_comes_forward_where_a_turn_uncovers_it_and_keeps_its_depth_where_it_is_hidden(relief: Relief) -> None:
    left, right = 234, 454
    for yaw, uncovered, hidden in ((-10, right, left), (10, left, right)):
        shift = relief.raised(MESH_REFERENCE, turned(POSE, (yaw, 0, 0))) - MESH_REFERENCE
        assert shift[uncovered, 2] < -0.003 and shift[hidden, 2] == 0


def test_a_head_that_does_not_turn_has_the_same_rim_for_every_rounding_of_its_pose(relief: Relief) -> None:
    still = relief.raised(MESH_REFERENCE, POSE)
    for angles in ((1e-5, 0, 0), (-1e-5, 0, 0), (0, 1e-5, 0), (0, -1e-5, 0)):
        assert np.abs(relief.raised(MESH_REFERENCE, turned(POSE, angles)) - still).max() < 1e-4


def test_only_the_rim_of_a_face_is_brought_forward() -> None:
    before = fronted(MESH, POSE)
    assert np.array_equal(before[:, :2], MESH[:, :2])
    shift = (MESH - before)[:, 2] / POSE.scale
    assert shift.min() >= -1e-6 and np.abs(shift[[1, 4, 13, 14, 33, 263, 168]]).max() < 1e-6
    assert shift[OVAL].max() > 0.003


def test_hair_that_the_crop_cuts_comes_to_rest_over_all_of_its_height(relief: Relief) -> None:
    alpha = np.zeros((SIZE, SIZE), np.float32)
    assert cut_above(alpha, MESH) is None
    alpha[:, 64:192] = 1
    goes, forehead = cut_above(alpha, MESH), MESH[OVAL, 1].min()
    assert goes is not None
    assert goes[0, 32] < 0.05 and goes[0, 2] > 0.95  # above the head, and far beside it
    assert np.all(goes[round(forehead * COUNT / SIZE) + 1 :] == 1) and np.all(np.diff(goes[:, 32]) >= 0)
    pose = turned(POSE, (0, 0, 12))
    cut = Relief((relief.depth, relief.rigid), Raise.of(MESH, POSE), MESH, POSE, SIZE, goes)
    assert np.allclose(moved(cut, pose)[40:], moved(relief, pose)[40:])
    assert np.abs(moved(cut, pose)[0, 32]).max() < 0.1 * np.abs(moved(relief, pose)[0, 32]).max()
