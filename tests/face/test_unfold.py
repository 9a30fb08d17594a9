"""The chin stays below the lips, however wide the mouth is open."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import MESH_REFERENCE, Pose, from_mesh, remove_pose, to_normalised, to_pixels
from speechhead.face.unfold import COLUMNS, LEAST, unfolded

POSES = [Pose.from_angles(yaw, pitch, roll, (128, 120, 0), 70.0) for yaw, pitch, roll in ((0, 0, 0), (25, 10, -20))]


def gaping(drop: float) -> np.ndarray:
    """The reference face with its lower lip pulled down by `drop` outer eye distances, and nothing else."""
    face = MESH_REFERENCE.copy()
    face[COLUMNS[:, 0], 1] += drop
    return face


@pytest.mark.parametrize("pose", POSES)
def test_a_lip_that_hangs_over_the_chin_pushes_it_down(pose: Pose) -> None:
    mesh = to_pixels(gaping(0.35), pose).astype(np.float32)
    repaired = unfolded(mesh)
    heights = to_normalised(repaired, remove_pose(from_mesh(mesh)[None])[1][0])[COLUMNS, 1]
    usual = np.diff(MESH_REFERENCE[COLUMNS, 1], axis=1)
    assert (np.diff(heights, axis=1) >= (LEAST - 0.05) * usual).all()
    others = np.setdiff1d(np.arange(len(mesh)), COLUMNS[:, 1:])
    assert np.abs(repaired - mesh)[others].max() < 0.01


@pytest.mark.parametrize("drop", [0.0, 0.02])
def test_a_mesh_without_folds_stays_as_it_is(drop: float) -> None:
    mesh = to_pixels(gaping(drop), POSES[1]).astype(np.float32)
    assert unfolded(mesh) is mesh


def test_a_portrait_of_closed_lips_is_not_touched() -> None:
    avatar = Avatar.default(256)
    assert unfolded(avatar.mesh) is avatar.mesh
