"""The inside of the mouth: arches that stand still in the skull, seen through open lips only."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import Pose, from_mesh, to_pixels
from speechhead.generators.compact.cavity import CAVITY, Opening, lit, reddened
from speechhead.generators.compact.latents import CompactLatents
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP, UPPER_INNER_LIP
from speechhead.generators.compact.mouth_light import TONES, softness, whiteness
from speechhead.generators.compact.teeth import ARCHES, Inside, Teeth, parted, unprojected

SIZE = 512


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar.default(SIZE)


@pytest.fixture(scope="module")
def teeth() -> Teeth:
    return Teeth()


def canonical(avatar: Avatar) -> np.ndarray:
    pose = avatar.pose
    return (((avatar.mesh - pose.translation) / pose.scale) @ pose.rotation).astype(np.float32)


@pytest.fixture(scope="module")
def inside(avatar: Avatar, teeth: Teeth) -> Inside:
    return teeth.prepare(avatar.crop, avatar.mesh, canonical(avatar), avatar.pose)


def keypoints(avatar: Avatar, amount: float) -> np.ndarray:
    """The portrait with lower lip and jaw lowered by `amount` outer eye distances, the upper lip raised a little."""
    face = from_mesh(canonical(avatar))
    face[[61, 62, 63], 1] = face[[67, 66, 65], 1] = face[[62, 66], 1].mean()
    face[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += amount
    face[[*range(49, 54), *range(61, 64)], 1] -= amount / 5
    return CompactLatents().keypoints(face[None], canonical(avatar))[0]


def drawn(teeth: Teeth, avatar: Avatar, inside: Inside, amount: float, pose: Pose | None = None) -> np.ndarray:
    return teeth.draw(avatar.crop.copy(), inside, keypoints(avatar, amount), pose or avatar.pose)


@settings(max_examples=40, deadline=None)
@given(
    across=st.floats(-0.2, 0.2), down=st.floats(-0.1, 0.1), yaw=st.floats(-22, 22), pitch=st.floats(-20, 20),
    roll=st.floats(-30, 30), curve=st.floats(1.5, 3.0),
)  # fmt: skip
def test_a_place_on_the_arch_is_found_again(across, down, yaw, pitch, roll, curve) -> None:
    pose = Pose.from_angles(yaw, pitch, roll, np.float32([250, 260, 0]), 140.0)
    edge = np.float32([0.01, 0.4, 0.05])
    place = to_pixels((edge + [across, down, curve * across**2])[None], pose)[0]
    found = unprojected(np.float32([[place[0]]]), np.float32([[place[1]]]), edge, pose, curve)
    assert abs(float(found[0][0, 0]) - across) < 0.03 and abs(float(found[1][0, 0]) - down) < 0.03


def test_closed_lips_show_nothing(avatar: Avatar, teeth: Teeth, inside: Inside) -> None:
    assert np.array_equal(drawn(teeth, avatar, inside, 0.0), avatar.crop)


def test_only_what_is_between_the_lips_changes(avatar: Avatar, teeth: Teeth, inside: Inside) -> None:
    lips = to_pixels(keypoints(avatar, 0.15)[UPPER_INNER_LIP + LOWER_INNER_LIP], avatar.pose)[:, :2]
    changed = np.argwhere((drawn(teeth, avatar, inside, 0.15) != avatar.crop).any(-1))[:, ::-1]
    assert len(changed) > 500
    assert (changed >= lips.min(0) - 5).all() and (changed <= lips.max(0) + 5).all()


def test_teeth_are_bright_under_the_upper_lip_and_it_is_dark_below(
    avatar: Avatar, teeth: Teeth, inside: Inside
) -> None:
    frame = drawn(teeth, avatar, inside, 0.2).astype(int).sum(-1) / 3
    lips = to_pixels(keypoints(avatar, 0.2), avatar.pose)
    x, top, bottom = int(lips[13, 0]), int(lips[13, 1]), int(lips[14, 1])
    column = frame[top:bottom, x - 8 : x + 9].mean(-1)
    middle = len(column) // 2
    assert column[:middle].max() > 120 and column[middle:].min() < 80


def test_lips_that_nearly_touch_show_themselves_most_in_a_rounded_mouth(
    avatar: Avatar, teeth: Teeth, inside: Inside
) -> None:
    broader = inside.rest.copy()
    broader[[60, 64], 0] += (-0.05, 0.05)
    shares = []
    for rest in (inside.rest, broader):
        keen = dataclasses.replace(inside, soft=0.001, rest=rest)
        for amount in (0.02, 0.12):
            layer = teeth.layer(SIZE, keen, keypoints(avatar, amount), avatar.pose)
            assert layer is not None
            shares.append(layer[2][..., 0].max(0) / parted(from_mesh(keypoints(avatar, amount))))
    (narrow, wide, rounded, wide_and_rounded) = shares
    assert rounded.max() < 0.6 < narrow.max() < 0.85
    ends = np.flatnonzero(wide > 0.02)[[0, -1]]
    for share in (wide, wide_and_rounded):
        assert share[ends].max() < 0.7 and share[ends + (4, -4)].min() > 0.95, "as the corners are, and the rest is not"


def test_upper_teeth_stand_still_while_the_jaw_moves(avatar: Avatar, teeth: Teeth, inside: Inside) -> None:
    lips = to_pixels(keypoints(avatar, 0.12), avatar.pose)
    x, top = int(lips[13, 0]), int(lips[13, 1])
    # The lower edge of the middle teeth, well inside both openings, so that neither lip shades it.
    box = slice(top + 2, top + 8), slice(x - 10, x + 11)
    little, more = (drawn(teeth, avatar, inside, amount)[box].astype(int) for amount in (0.16, 0.2))
    assert np.ptp(little.mean((1, 2))) > 50 and np.abs(little - more).mean() < 15


def test_gums_stay_behind_the_lower_lip(avatar: Avatar, teeth: Teeth, inside: Inside) -> None:
    """However far a lower lip goes down by itself, no more of the teeth than their height is bared."""
    face = from_mesh(canonical(avatar))
    face[[*range(55, 60), *range(65, 68)], 1] += 0.3
    points = CompactLatents().keypoints(face[None], canonical(avatar))[0]
    (rows, columns), deep, share = teeth.layer(SIZE, inside, points, avatar.pose)
    lip = to_pixels(points, avatar.pose)[14]
    x, bottom = int(lip[0]) - columns.start, int(lip[1]) - rows.start
    column = deep[: bottom - 4, x - 6 : x + 7].mean((1, 2))
    bright = np.flatnonzero(column > 0.6 * column.max())
    lower = bright[bright > bottom - 0.5 * len(column)]
    assert len(lower) and np.ptp(lower) < 1.3 * ARCHES.bared * avatar.pose.scale


def test_a_soft_portrait_gets_a_soft_mouth(avatar: Avatar, teeth: Teeth, inside: Inside) -> None:
    blurred = cv2.GaussianBlur(avatar.crop, (0, 0), 3)
    scale = avatar.pose.scale
    assert 2.5 < softness(blurred, avatar.mesh, scale) < 5
    assert softness(avatar.crop, avatar.mesh, scale) < 1.5
    soft = teeth.prepare(blurred, avatar.mesh, canonical(avatar), avatar.pose)
    x, y = avatar.mesh[13, :2].astype(int)
    box = slice(y - 4, y + 24), slice(x - 15, x + 16)
    frames = (drawn(teeth, avatar, one, 0.2)[box] for one in (inside, soft))
    sharp, smooth = (np.abs(cv2.Laplacian(frame, cv2.CV_32F)).mean() for frame in frames)
    assert smooth < 0.6 * sharp


def test_a_picture_without_colours_gets_none(avatar: Avatar, teeth: Teeth) -> None:
    grey = np.repeat(avatar.crop.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    inside = teeth.prepare(grey, avatar.mesh, canonical(avatar), avatar.pose)
    frame = teeth.draw(grey.copy(), inside, keypoints(avatar, 0.2), avatar.pose).astype(int)
    assert (frame != grey).any() and np.ptp(frame, axis=-1).max() < 4


def test_a_toned_print_gets_its_own_tone(avatar: Avatar, teeth: Teeth) -> None:
    """Teeth are as yellow as the print's lights, the dark is as brown as its darks."""
    luma = avatar.crop.mean(-1, keepdims=True) / 255
    sepia = (255 * np.concatenate([luma**0.8, luma, luma**1.6], -1)).astype(np.uint8)
    inside = teeth.prepare(sepia, avatar.mesh, canonical(avatar), avatar.pose)
    assert inside.grey == 1
    assert teeth.prepare(avatar.crop, avatar.mesh, canonical(avatar), avatar.pose).grey == 0
    frame = teeth.draw(sepia.copy(), inside, keypoints(avatar, 0.2), avatar.pose)
    mouth = frame[(frame != sepia).any(-1)] / 255
    assert len(mouth) > 1000
    assert np.abs(mouth - np.stack([mouth[:, 1] ** 0.8, mouth[:, 1], mouth[:, 1] ** 1.6], -1)).mean() < 0.02


def test_a_grainy_print_is_a_print(avatar: Avatar, teeth: Teeth) -> None:
    luma = avatar.crop.mean(-1, keepdims=True) / 255
    sepia = 255 * np.concatenate([luma**0.8, luma, luma**1.6], -1)
    grain = np.random.default_rng(0).normal(0, 5, sepia.shape)
    rough = np.clip(sepia + grain, 0, 255).astype(np.uint8)
    assert teeth.prepare(rough, avatar.mesh, canonical(avatar), avatar.pose).grey == 1


@pytest.mark.slow
def test_the_shipped_rows_are_those_of_the_head_model(shared) -> None:
    pytest.importorskip("numba")
    pytest.importorskip("scipy")
    from pipelines.data.synthetic.denture import bake
    from pipelines.data.synthetic.head import Head
    from speechhead.core import weights

    made = bake(Head.load(shared / "face3d"))
    with np.load(weights.path("teeth.npz")) as shipped:
        assert set(made) == set(shipped.files)
        for name, array in made.items():
            assert np.abs(np.float32(shipped[name]) - np.float32(array)).mean() < 1, name


def test_constants_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ARCHES.behind = 0.0
    with pytest.raises(ValueError, match="read-only"):
        CAVITY.deep[0] = 1.0


def test_red_lips_are_not_taken_for_the_colour_of_teeth() -> None:
    white, lip = np.array([1.1, 0.98, 0.9], np.float32), np.array([230, 140, 110], np.float32)
    assert whiteness(lip) < whiteness(white) - TONES.red < whiteness(np.array([215, 205, 180], np.float32))


def test_shade_in_a_mouth_is_red_and_full_light_is_not() -> None:
    shade = reddened(np.linspace(0.05, 1, 20, dtype=np.float32)[None])[0]
    assert (np.diff(shade, axis=0) > 0).all()
    assert shade[0, 0] > 1.5 * shade[0, 1:].max() and np.ptp(shade[-1]) == 0


def test_rounded_lips_keep_light_from_the_teeth(avatar: Avatar) -> None:
    rest = from_mesh(canonical(avatar))
    narrow = rest.copy()
    narrow[60, 0] += 0.05
    narrow[64, 0] -= 0.05
    opening = Opening(corner=(0, 0), mask=np.ones((20, 40), np.float32), width=7)
    across = np.zeros((20, 40), np.float32)
    round_, wide = (lit(opening, across, face, rest)[1].mean() for face in (narrow, rest))
    assert round_ < 0.75 * wide
