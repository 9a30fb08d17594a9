"""The face-alignment adapter, against a fake of the package."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from speechhead.core.errors import FaceError
from speechhead.face import landmarks as lm
from speechhead.face.face_alignment_backend import FaceAlignmentBackend

SMALL = lm.apply_pose(lm.REFERENCE, lm.Pose.from_angles(20, 5, 3, (60, 60, 0), 40))
LARGE = lm.apply_pose(lm.REFERENCE, lm.Pose.from_angles(-30, 0, 0, (200, 120, 0), 90))
TOWARDS = np.array([1, 1, -1], np.float32)  # the package's z grows towards the camera


class Network:
    """Stands in for face_alignment.FaceAlignment."""

    result = None

    def __init__(self, kind, device, flip_input):
        assert (kind, device, flip_input) == ("3D", "cpu", False)

    def get_landmarks_from_image(self, image):
        assert image.dtype == np.uint8
        return self.result


@pytest.fixture
def package(monkeypatch):
    module = ModuleType("face_alignment")
    module.FaceAlignment = Network
    module.LandmarksType = SimpleNamespace(THREE_D="3D")
    monkeypatch.setitem(sys.modules, "face_alignment", module)
    return module


def test_landmarks(package, monkeypatch):
    monkeypatch.setattr(Network, "result", [SMALL[:68] * TOWARDS, LARGE[:68] * TOWARDS])
    large, small = FaceAlignmentBackend().landmarks(np.zeros((256, 256, 3), np.uint8))
    np.testing.assert_allclose(large[:68], LARGE[:68], atol=1e-3)
    np.testing.assert_allclose(small[:68], SMALL[:68], atol=1e-3)
    np.testing.assert_allclose(large[68], large[36:42].mean(axis=0), atol=1e-3)
    _, (pose,) = lm.remove_pose(large[None])
    np.testing.assert_allclose(pose.angles, (-30, 0, 0), atol=0.5)


def test_older_name_and_no_face(package):
    package.LandmarksType = SimpleNamespace(_3D="3D")
    assert FaceAlignmentBackend().landmarks(np.zeros((64, 64, 3), np.uint8)) == []


def test_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(FaceError, match=r"pip install 'speechhead\[align\]'"):
        FaceAlignmentBackend()
