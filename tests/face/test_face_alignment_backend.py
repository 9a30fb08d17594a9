"""The face-alignment adapter in the tracker's place of the mesh, against a fake of the package."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from support.fake_face_alignment import package

from speechhead.avatar.named import shipped
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import ControlError, FaceError
from speechhead.core.options import RenderOptions
from speechhead.face import landmarks as lm
from speechhead.face.face_alignment_backend import FaceAlignmentMesh
from speechhead.face.fitted_mesh import fitted_mesh
from speechhead.face.mesh import MARGIN, Roi
from speechhead.face.open import open_tracker
from speechhead.face.tracker import FaceTracker
from speechhead.media.image import read_picture

FACE = lm.apply_pose(lm.REFERENCE, lm.Pose.from_angles(-30, 0, 0, (200, 120, 0), 90))
PICTURE = np.zeros((256, 400, 3), np.uint8)
ROI = Roi(200.0, 140.0, 240.0, 0.0)


def installed(monkeypatch, faces, asked=None):
    monkeypatch.setitem(sys.modules, "face_alignment", package(faces, asked))


def test_a_square_becomes_a_mesh_through_the_landmarks(monkeypatch):
    asked = []
    installed(monkeypatch, [FACE], asked)
    mesh, score = FaceAlignmentMesh()(PICTURE, ROI)
    assert score == 1 and mesh.shape == (478, 3)
    np.testing.assert_allclose(lm.from_mesh(mesh)[:68], FACE[:68], atol=1e-2)
    np.testing.assert_allclose(lm.from_mesh(mesh)[68], FACE[lm.LEFT_EYE].mean(axis=0), atol=1e-2)
    _, (pose,) = lm.remove_pose(lm.from_mesh(mesh)[None])
    np.testing.assert_allclose(pose.angles, (-30, 0, 0), atol=0.5)
    assert asked[0][2] - asked[0][0] == pytest.approx(ROI.side / MARGIN)  # the face's box, not the square round it


def test_what_is_no_face_is_none(monkeypatch):
    rubbish = 300 * np.random.default_rng(0).random((70, 3)).astype(np.float32)
    for faces in ([], [rubbish], [np.full((70, 3), np.nan, np.float32) + FACE]):
        installed(monkeypatch, faces)
        assert FaceAlignmentMesh()(PICTURE, ROI)[1] == 0


def test_older_name_and_what_is_missing(monkeypatch):
    module = package([FACE])
    module.LandmarksType = SimpleNamespace(_3D="3D")
    monkeypatch.setitem(sys.modules, "face_alignment", module)
    assert FaceAlignmentMesh()(PICTURE, ROI)[1] == 1

    def offline(*_, **__):
        raise OSError("<urlopen error>\nno route")

    module.FaceAlignment = offline
    with pytest.raises(FaceError, match="its networks can not be opened .<urlopen error> no route.*--landmarks mesh"):
        FaceAlignmentMesh()
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(FaceError, match=r"pip install 'speechhead\[align\]'"):
        open_tracker("face-alignment", "cpu")
    with pytest.raises(ControlError, match="landmarks 'dlib' is unknown. Use mesh or face-alignment."):
        open_tracker("dlib")
    with pytest.raises(ControlError, match="'dlib'"):
        RenderOptions(landmarks="dlib")


def test_the_tracker_finds_and_follows_by_it_and_a_portrait_is_prepared(monkeypatch):
    picture, _ = read_picture(shipped()["benjamin_hilliard"].path)
    own = FaceTracker(threads=1).locate(picture)
    installed(monkeypatch, [own.landmarks])
    tracker = open_tracker("face-alignment", "cpu", threads=1)
    found = tracker.locate(picture)
    np.testing.assert_allclose(found.landmarks[:68], own.landmarks[:68], atol=0.05)
    followed = list(tracker.track([picture, picture, np.zeros_like(picture)]))
    assert followed[0] is not None and followed[1] is not None
    avatar = Avatar.of(picture, RenderOptions(size=128, landmarks="face-alignment", device="cpu"))
    by_mesh = Avatar.of(picture, RenderOptions(size=128))
    assert np.abs(avatar.neutral[:68] - by_mesh.neutral[:68]).max() < 0.06
    with pytest.raises(ControlError, match="has its landmarks already"):
        Avatar.of(avatar, RenderOptions(landmarks="face-alignment"))


def test_a_fitted_mesh_is_near_the_true_one_and_the_canonical_one_is_itself():
    pose = lm.Pose.from_angles(12, -4, 3, (100, 90, 0), 50)
    whole = lm.to_pixels(lm.MESH_REFERENCE, pose)
    np.testing.assert_allclose(fitted_mesh(lm.from_mesh(whole)), whole, atol=0.02)
    picture, _ = read_picture(shipped()["eileen_collins"].path)
    true = FaceTracker(threads=1).locate(picture)
    fitted = fitted_mesh(true.landmarks)
    away = np.linalg.norm(fitted[:468, :2] - true.mesh[:468, :2], axis=1) / true.pose.scale
    canonical = (
        np.linalg.norm(lm.to_pixels(lm.MESH_REFERENCE, true.pose)[:468, :2] - true.mesh[:468, :2], axis=1)
        / true.pose.scale
    )
    assert away.mean() < 0.03 and away.mean() < 0.5 * canonical.mean()
    assert lm.from_mesh(fitted) == pytest.approx(true.landmarks, abs=0.01)
