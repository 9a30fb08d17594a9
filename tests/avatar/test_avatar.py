"""A portrait is prepared once, survives saving, and takes its face back without a seam."""

from __future__ import annotations

import numpy as np
import pytest
from support.fakes import FakeGenerator

from speechhead.avatar.named import shipped
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import FaceError, ImageError
from speechhead.face.crop import CROP_EYES
from speechhead.face.landmarks import REFERENCE, to_pixels


@pytest.fixture(scope="module")
def avatar(portrait):
    return Avatar.from_image(portrait)


def test_crop_is_centred_and_of_the_picture_itself(avatar, portrait):
    left, top, side = avatar.box
    assert avatar.size == side and side == pytest.approx(avatar.pose.scale * CROP_EYES, abs=2)
    inside = avatar.picture[max(top, 0) : top + side, max(left, 0) : left + side]
    shown = avatar.crop[max(-top, 0) :, max(-left, 0) :][: inside.shape[0], : inside.shape[1]]
    assert (shown == inside).all()
    assert (avatar.picture == portrait[: portrait.shape[0] // 2 * 2, : portrait.shape[1] // 2 * 2]).all()
    assert np.abs(avatar.mesh[:, :2].mean(0) / side - 0.5).max() < 0.1
    # The landmarks of the mesh are where the pose puts the normalised ones.
    assert np.abs(avatar.neutral - REFERENCE).max() < 0.5
    assert to_pixels(avatar.neutral, avatar.pose)[36, 0] < to_pixels(avatar.neutral, avatar.pose)[45, 0]


def test_paste_is_exact_and_soft(avatar):
    assert (avatar.paste(avatar.crop) == avatar.picture).all()
    frame = np.full_like(avatar.crop, 255)
    full = avatar.paste(frame)
    left, top, side = avatar.box
    middle = top + side // 2, left + side // 2
    assert (full[middle] == 255).all()
    inside = np.zeros(full.shape[:2], bool)
    inside[max(top, 0) : top + side, max(left, 0) : left + side] = True
    assert (full[~inside] == avatar.picture[~inside]).all()
    # No step at the border of the crop, where it lies inside the picture.
    row = full[min(top + side, full.shape[0]) - 1, middle[1]].astype(int)
    assert np.abs(row - avatar.picture[min(top + side, full.shape[0]) - 1, middle[1]]).max() <= 3


@pytest.mark.parametrize("size", [128, 256])
def test_a_small_size_scales_the_picture_down(portrait, size):
    small = Avatar.from_image(portrait, size)
    assert small.size == small.box[2] == size
    assert small.picture.shape[0] % 2 == small.picture.shape[1] % 2 == 0
    assert small.picture.shape[0] < portrait.shape[0]
    assert (small.paste(small.crop) == small.picture).all()


def test_a_generator_of_fixed_size(portrait):
    generator = FakeGenerator(384)
    avatar = Avatar.from_image(portrait, generator=generator)
    assert avatar.size == 384 and generator.prepared == 1
    avatar.source(generator)
    assert generator.prepared == 1
    error = np.abs(avatar.paste(avatar.crop).astype(int) - avatar.picture)
    assert error.mean() < 2


def test_face_crop_shows_no_padding(avatar):
    face = avatar.face(avatar.crop, 200)
    assert face.shape == (200, 200, 3)
    assert face[0].std() > 5  # repeated border pixels would be stripes


def test_saved_and_loaded(avatar, tmp_path):
    path = avatar.save(tmp_path / "me.avatar")
    again = Avatar.load(path)
    assert (again.picture == avatar.picture).all() and (again.crop == avatar.crop).all()
    assert (again.neutral == avatar.neutral).all() and again.box == avatar.box and again.notes == avatar.notes
    assert again.pose.scale == avatar.pose.scale
    assert Avatar.open(path).size == avatar.size
    assert [p.name for p in tmp_path.iterdir()] == ["me.avatar"]


def test_files_that_are_no_avatars(avatar, tmp_path):
    (tmp_path / "text.avatar").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    whole = avatar.save(tmp_path / "whole.avatar").read_bytes()
    (tmp_path / "cut.avatar").write_bytes(whole[: len(whole) // 2])
    for name in ("text.avatar", "other.npz", "cut.avatar", "missing.avatar", "."):
        with pytest.raises(ImageError) as caught:
            Avatar.load(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="can not be written"):
        avatar.save(tmp_path / "missing" / "a.avatar")


def test_shipped_avatars(avatar):
    names = list(shipped())
    default = Avatar.default()
    assert default.name == names[0] and default.voice
    assert Avatar.open(names[-1]).picture.shape[2] == 3


def test_several_faces(portrait):
    small = np.full_like(portrait, 90)
    small[100:400, 100:356] = portrait[::2, ::2]
    pair = np.concatenate([small, portrait], axis=1)
    first = Avatar.from_image(pair)
    assert "2 faces" in first.notes[0] and "--face" in first.notes[0]
    assert first.box[0] > 400  # the large one is at the right
    second = Avatar.from_image(pair, face=2)
    assert second.box[0] < 300 and not second.notes
    with pytest.raises(FaceError, match="face 3"):
        Avatar.from_image(pair, face=3)


def test_bad_sizes(portrait):
    for size in (0, 63, 513, 4096, -2):
        with pytest.raises(ImageError, match="size"):
            Avatar.from_image(portrait, size)
