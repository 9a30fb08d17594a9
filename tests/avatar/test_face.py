"""Portraits that can not speak as they are say so: turned, cut off by the picture's edge, or with a covered mouth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipelines.data.covers import hand, hidden, mask, microphone, scarf
from speechhead.avatar.face import find_face, outside
from speechhead.avatar.named import shipped
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import FaceError, NoFaceError
from speechhead.face.tracker import FaceTracker
from speechhead.media.image import load_image


@pytest.fixture(scope="module")
def tracker():
    return FaceTracker(threads=1)


@pytest.fixture(scope="module")
def shown(tracker):
    """Every shipped portrait, and its mesh."""
    pictures = [load_image(entry.path) for entry in shipped().values()]
    return [(picture, tracker.locate(picture).mesh) for picture in pictures]


def found(picture, tracker):
    return find_face(np.ascontiguousarray(picture), tracker, None, "me.png")


def test_portraits_that_work_stay_as_they_are(shown, tracker):
    for picture, mesh in shown:
        seen = found(picture, tracker)
        assert seen.picture is picture and (seen.face.mesh == mesh).all() and not seen.notes
        grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
        assert not found(grey, tracker).notes


@pytest.mark.parametrize("quarters, how", [(1, "lies on its side"), (2, "stands on its head"), (3, "lies on its side")])
def test_a_turned_picture_is_set_upright(shown, tracker, quarters, how):
    for picture, _ in shown:
        seen = found(np.rot90(picture, quarters), tracker)
        assert (seen.picture == picture).all()
        assert seen.notes == (f"me.png: the picture {how}. It is turned upright.",)


@pytest.mark.parametrize("angle", [-45, 30, 45])
def test_a_tilted_head_stays_tilted(portrait, tracker, angle):
    height, width = portrait.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 0.8)
    tilted = cv2.warpAffine(portrait, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    seen = found(tilted, tracker)
    assert (seen.picture == tilted).all() and not seen.notes
    assert seen.face.pose.angles[2] == pytest.approx(angle, abs=8)


def test_an_avatar_takes_the_turned_picture(shown, tracker):
    picture = shown[0][0]
    avatar, upright = (Avatar.from_image(p, 256, tracker=tracker) for p in (np.rot90(picture, 2), picture))
    assert (avatar.picture == upright.picture).all() and "stands on its head" in avatar.notes[0]


def test_a_face_cut_by_the_edge(portrait, tracker):
    mesh = tracker.locate(portrait).mesh
    left, width = int(mesh[:468, 0].min()), int(np.ptp(mesh[:468, 0]))
    slight = found(portrait[:, left + width // 8 :], tracker)
    part, lips = outside(slight.picture, slight.face.mesh)
    assert 0.01 < part < 0.2 and not lips
    assert f"edge cuts off {part:.0%} of the face" in slight.notes[0]
    with pytest.raises(FaceError, match=r"^me.png: the picture's edge cuts off .*whole face\.$"):
        found(portrait[:, left + width // 3 :], tracker)
    with pytest.raises(FaceError, match="edge cuts off the mouth"):
        found(portrait[: int(mesh[14, 1])], tracker)


@pytest.fixture(scope="module")
def small(shown, tracker):
    """Every shipped portrait 384 pixels high, and its mesh: less work, and as easy to judge."""
    pictures = [cv2.resize(p, (384 * p.shape[1] // p.shape[0], 384), interpolation=cv2.INTER_AREA) for p, _ in shown]
    return [(picture, tracker.locate(picture).mesh) for picture in pictures]


@pytest.mark.parametrize("cover", [mask, hand, microphone, scarf])
def test_a_covered_mouth_is_refused_or_noted(small, tracker, cover):
    told = made_up = 0
    for seed in range(4):
        for picture, mesh in small[seed % 2 :: 2]:
            made, opacity = cover(picture, mesh, [], np.random.default_rng(seed))
            if hidden(opacity, mesh) < 0.6:
                continue
            made_up += 1
            try:
                told += any("cover the mouth" in note for note in found(made, tracker).notes)
            except NoFaceError:
                told += 1
            except FaceError as error:
                assert "covers the mouth" in str(error) and "shows the lips" in str(error)
                told += 1
    assert made_up >= 4 and told >= 0.75 * made_up


def test_covers_of_the_shared_pictures(shared, tracker):
    for name in ("mask.png", "hand.png"):
        with pytest.raises(FaceError, match="something covers the mouth"):
            Avatar.from_image(shared / "bug_inputs" / name, tracker=tracker)
    with pytest.raises(FaceError, match="edge cuts off"):
        Avatar.from_image(shared / "bug_inputs" / "halfface.jpg", tracker=tracker)
