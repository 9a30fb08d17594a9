"""The head that is fitted to a face: it lies on the face, and what is round the face is where heads have it."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.face.landmarks import MESH_REFERENCE, Pose, to_pixels
from speechhead.generators.compact.head import FIT, POINTS, FittedHead, HeadModel, laid

UNIT = 70.0


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return HeadModel()


def mesh(**angles: float) -> np.ndarray:
    return to_pixels(MESH_REFERENCE, Pose.from_angles(translation=(128, 117, 0), scale=UNIT, **angles))


def facing(head: FittedHead) -> np.ndarray:
    corners = head.vertices[head.triangles]
    (ax, ay), (bx, by) = (corners[:, k, :2].T - corners[:, 0, :2].T for k in (1, 2))
    return np.asarray(ax * by - ay * bx > 0)


@pytest.mark.parametrize("angles", [{}, {"yaw": 30}, {"pitch": -15, "roll": 20}])
def test_a_head_is_round_the_face_however_it_is_turned(model: HeadModel, angles: dict[str, float]) -> None:
    pose = Pose.from_angles(translation=(128, 117, 0), scale=UNIT, **angles)
    head = model.fit(mesh(**angles))
    assert head.error < 0.06
    own = (head.vertices - pose.translation) @ pose.rotation / pose.scale  # in the face's own axes
    assert own[:, 1].min() < -0.95  # the skull's top is above the forehead, which ends at -0.63
    assert own[:, 2].max() > 1.4 and abs(own[:, 2].min() + 0.5) < 0.12  # the back of the head; the tip of the nose
    ears = own[(own[:, 1] > 0) & (own[:, 1] < 0.4)]
    assert 0.85 < -ears[:, 0].min() < 1.15 and 0.85 < ears[:, 0].max() < 1.15


def test_skull_is_rigid_and_the_foot_of_the_neck_is_not(model: HeadModel) -> None:
    head = model.fit(mesh())
    high, low = head.vertices[:, 1] < 117, head.vertices[:, 1] > 117 + 2.1 * UNIT
    assert high.sum() > 300 and head.rigid[high].min() == 1
    assert low.sum() > 20 and head.rigid[low].max() < 0.1
    assert 0.5 < facing(head).mean() < 0.7  # the face has more triangles than the back of the head


def test_a_face_that_is_no_human_one_gets_the_mean_head(model: HeadModel) -> None:
    random = np.random.default_rng(0)
    strange = mesh() + random.normal(0, 25, (478, 3)).astype(np.float32)
    head = model.fit(strange)
    assert head.error > FIT.worst and np.isfinite(head.vertices).all()
    assert np.ptp(head.vertices[:, 1]) < 6 * UNIT


def test_a_shape_is_laid_on_itself_turned() -> None:
    shape = MESH_REFERENCE[:POINTS].astype(np.float64)
    pose = Pose.from_angles(yaw=20, pitch=5, roll=-10, translation=(5, 6, 7), scale=3)
    rotation, translation, scale = laid(shape, to_pixels(shape, pose).astype(np.float64), np.ones(POINTS))
    assert np.allclose(rotation, pose.rotation, atol=1e-4) and scale == pytest.approx(3, abs=1e-3)
    assert np.allclose(translation, pose.translation, atol=1e-3)
