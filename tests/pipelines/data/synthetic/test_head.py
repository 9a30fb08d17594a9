"""The head model itself and the calibrated table, where the example data are."""

import numpy as np
import pytest

pytest.importorskip("numba")

from pipelines.data.synthetic.correspondence import POINTS, Correspondence
from pipelines.data.synthetic.head import EYE_LEFT, EYE_RIGHT, MOUTH_BAG, SOCKET, TEETH, Head
from speechhead.face.mirror import FLIP, MESH_MIRROR
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP, UPPER_INNER_LIP


@pytest.fixture(scope="module")
def head(shared):
    return Head.load(shared / "face3d")


def test_the_head_faces_the_camera(head):
    nose, chin = head.neutral[head.landmarks[[30, 8]]]
    left_eye, right_eye = head.neutral[head.landmarks[[36, 45]]]
    assert left_eye[0] < 0 < right_eye[0] and chin[1] > nose[1] > left_eye[1]
    assert nose[2] == pytest.approx(head.neutral[:, 2].min(), abs=0.1)


def test_every_part_is_there(head):
    counts = {part: int((head.part == part).sum()) for part in (MOUTH_BAG, SOCKET, TEETH, EYE_LEFT, EYE_RIGHT)}
    assert all(count > 1000 for count in counts.values())
    eyes = [head.neutral[np.unique(head.triangles[head.of(part)]), 0].mean() for part in (EYE_LEFT, EYE_RIGHT)]
    assert eyes[0] < 0 < eyes[1]


def test_the_table_is_symmetric_and_its_lips_open_with_the_jaw(head):
    table = Correspondence.load()
    points = table.points(head.neutral)
    mirrored = points[MESH_MIRROR[:POINTS]] * FLIP
    assert np.median(np.linalg.norm(points - mirrored, axis=1)) < 0.05
    rest = np.zeros(len(head.identity), np.float32)
    opened = table.points(head.shape(rest, head.weights(jawOpen=0.5)))
    middle = slice(3, 8)
    gap = opened[LOWER_INNER_LIP][middle, 1] - opened[UPPER_INNER_LIP][middle, 1]
    assert (gap > 0.5).all()


def test_unknown_expressions_weigh_nothing(head):
    assert not head.weights(tongueOut=1).any() and head.weights(mouthSmile=1).sum() == 2
