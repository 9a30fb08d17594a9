"""Finding and following faces, on the default portrait."""

from itertools import chain, repeat

import cv2
import numpy as np
import pytest
from support.paths import DATA

from speechhead.core.errors import FaceError
from speechhead.face import landmarks as lm
from speechhead.face.detector import FaceDetector
from speechhead.face.tracker import Face, FaceTracker


@pytest.fixture(scope="module")
def tracker():
    return FaceTracker(threads=1)


@pytest.fixture(scope="module")
def face(tracker, portrait):
    return tracker.locate(portrait)


def placed(portrait, height, width, x, y, factor=1.0):
    """The portrait scaled and placed in a grey picture, and what that does to points."""
    picture = np.full((height, width, 3), 128, np.uint8)
    small = cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    picture[y : y + small.shape[0], x : x + small.shape[1]] = small
    return picture, lambda points: points * factor + [x, y, 0]


def eye_distance(face):
    return float(np.linalg.norm(face.mesh[263] - face.mesh[33]))


def test_portrait(face):
    assert face.candidates == 1 and face.score > 0.9
    points, (yaw, pitch, roll) = face.landmarks, face.pose.angles
    assert max(abs(yaw), abs(pitch), abs(roll)) < 12
    assert points[36, 0] < points[68, 0] < points[39, 0] < points[42, 0] < points[69, 0] < points[45, 0]
    assert points[30, 2] < points[36, 2] < points[0, 2]  # the nose is nearest to the camera
    assert lm.mouth_opening(points) < 0.05
    assert points[8, 1] > points[57, 1] > points[33, 1] > points[27, 1]


def test_agrees_with_mediapipe(face):
    """data/grace_hopper_mediapipe.npy: mediapipe 0.10.21, FaceMesh(static_image_mode=True, refine_landmarks=True)."""
    theirs = np.load(DATA / "grace_hopper_mediapipe.npy").astype(np.float32)
    off = np.abs(face.mesh - theirs).max(axis=1) / eye_distance(face)
    assert off.mean() < 0.02 and off[lm.MESH_TO_68[lm.INNER_LIPS]].max() < 0.025 and off[468:].max() < 0.02


@pytest.mark.parametrize("angle, factor", [(0, 0.6), (20, 1.0), (-35, 1.4)])
def test_points_follow_the_picture(tracker, portrait, face, angle, factor):
    height, width = portrait.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, factor)
    matrix[:, 2] += 150
    turned = cv2.warpAffine(portrait, matrix, (width + 300, height + 300), flags=cv2.INTER_AREA)
    found = tracker.locate(turned)
    expected = face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(found.landmarks[:, :2] - expected).mean() < 0.02 * eye_distance(face) * factor
    assert found.pose.angles[2] - face.pose.angles[2] == pytest.approx(angle, abs=2)


def test_small_face_in_a_large_picture(tracker, portrait, face):
    picture, expected = placed(portrait, 6000, 8000, 5200, 900)
    found = tracker.locate(picture)
    assert np.abs(found.mesh - expected(face.mesh)).mean() < 0.02 * eye_distance(face)


def test_large_picture(tracker, portrait, face):
    factor = 8000 / portrait.shape[0]
    found = tracker.locate(cv2.resize(portrait, None, fx=factor, fy=factor))
    assert np.abs(found.mesh - face.mesh * factor).mean() < 0.02 * eye_distance(face) * factor


def test_close_up(tracker, portrait, face):
    x0, y0, x1, y1 = face.box.astype(int)
    found = tracker.locate(np.ascontiguousarray(portrait[y0:y1, x0:x1]))
    assert np.abs(found.mesh - face.mesh + [x0, y0, 0]).mean() < 0.06 * eye_distance(face)


def test_greyscale(tracker, portrait, face):
    grey = np.repeat(portrait.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert np.abs(tracker.locate(grey).mesh - face.mesh).mean() < 0.03 * eye_distance(face)


def test_several_faces(tracker, portrait, face):
    picture, _ = placed(portrait, 700, 1200, 0, 0)
    right, expected = placed(portrait, 700, 1200, 700, 100, 0.7)
    picture[:, 600:] = right[:, 600:]
    largest = tracker.locate(picture)
    assert largest.candidates == 2
    assert np.abs(largest.mesh - face.mesh).mean() < 0.02 * eye_distance(face)
    second = tracker.locate(picture, face=2)
    assert np.abs(second.mesh - expected(face.mesh)).mean() < 0.02 * eye_distance(face)
    for wrong in (0, 3):
        with pytest.raises(FaceError, match=f"--face {wrong}, but the picture has 2 faces. Use 1 to 2"):
            tracker.locate(picture, face=wrong)


def test_no_face(tracker):
    noise = np.random.default_rng(0).integers(0, 256, (500, 400, 3), dtype=np.uint8)
    for picture in (noise, np.zeros_like(noise), noise[:70, :70]):
        with pytest.raises(FaceError, match=r"^a.png: no face found.*Crop closer"):
            tracker.locate(picture, name="a.png")
    with pytest.raises(FaceError, match="not a picture"):
        tracker.locate(noise[..., 0])


def test_face_too_small(tracker, portrait):
    picture, _ = placed(portrait, 300, 300, 60, 60, 0.2)
    with pytest.raises(FaceError, match=r"largest candidate [3-5]\d px, need 64"):
        tracker.locate(picture)


def test_profile(tracker, portrait, face, monkeypatch):
    mesh = lm.apply_pose(lm.MESH_REFERENCE, lm.Pose.from_angles(yaw=62, translation=(250, 250, 0), scale=100))
    turned = Face(mesh, 1.0, np.array([150, 150, 350, 350], np.float32))
    monkeypatch.setattr(tracker, "_meshes", lambda *_: [turned])
    with pytest.raises(FaceError, match="turned 62 degrees to the right"):
        tracker.locate(portrait)


def test_detector_reports_pixels(portrait, face):
    (found,) = FaceDetector(threads=1).detect(portrait)
    eyes = face.landmarks[68:70, :2]
    assert np.abs(found.keypoints[:2] - eyes).max() < 0.15 * eye_distance(face)
    assert found.side == pytest.approx(face.side, rel=0.3)


def test_track_loses_and_finds(tracker, portrait, face):
    blank = np.full_like(portrait, 90)
    shift = [np.roll(portrait, 4 * t, axis=1) for t in range(5)]
    track = list(tracker.track(chain(shift, repeat(blank, 2), shift[:1])))
    assert [f is None for f in track] == [False] * 5 + [True] * 2 + [False]
    for t in range(5):
        assert np.abs(track[t].mesh - face.mesh - [4 * t, 0, 0]).mean() < 0.02 * eye_distance(face)
    assert list(tracker.track([])) == []


@pytest.mark.parametrize("yaw", [-35.0, 35.0, 48.0])
def test_turned_portraits_are_accepted_and_profiles_refused(monkeypatch, portrait, yaw):
    tracker = FaceTracker(threads=1)

    def seen(angle):
        mesh = lm.apply_pose(lm.MESH_REFERENCE, lm.Pose.from_angles(angle, 0, 0, (250.0, 250.0, 0.0), 90.0))
        monkeypatch.setattr(tracker, "_meshes", lambda *_: [Face(mesh, 1.0, np.float32([100, 100, 400, 400]))])
        return tracker.locate(portrait)

    assert seen(yaw).pose.angles[0] == pytest.approx(yaw, abs=0.5)
    with pytest.raises(FaceError, match="at most 50"):
        seen(np.sign(yaw) * 56)
