"""Clean plates: nothing white behind a lip's edge, and closed lips as they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP, UPPER_INNER_LIP
from speechhead.generators.compact.plate import (
    LOWER_OUTER_LIP,
    LUMA,
    UPPER_OUTER_LIP,
    Plate,
    clean_plate,
    filled,
    line_of,
    paleness,
)

SIZE = 256


@pytest.fixture(scope="module")
def smiling() -> Avatar:
    return Avatar.open("eileen_collins", size=SIZE).resampled(SIZE)


def plates(avatar: Avatar) -> Plate:
    return clean_plate(avatar.crop, avatar.mesh, avatar.pose, (0, 0, SIZE, SIZE))


def between(avatar: Avatar) -> tuple[np.ndarray, np.ndarray]:
    """Places (x, y) in the middle of the opening, rounded to pixels."""
    middle = (avatar.mesh[UPPER_INNER_LIP[3:8], :2] + avatar.mesh[LOWER_INNER_LIP[3:8], :2]) / 2
    x, y = np.round(middle - 0.5).astype(int).T
    return x, y


def test_teeth_of_a_smile_are_on_neither_plate(smiling: Avatar) -> None:
    plate = plates(smiling)
    assert plate.parted == 1
    x, y = between(smiling)
    shown = smiling.crop[y, x] @ LUMA
    for picture in (plate.upper, plate.lower):
        behind = picture[y * plate.density, x * plate.density] @ LUMA
        assert (behind < 0.6 * shown).all(), (behind, shown)


def test_painted_teeth_that_overlap_the_lip_are_taken_out(smiling: Avatar) -> None:
    """The mesh misses a lip's edge by a few pixels: what is white there and joined to the teeth goes too."""
    crop = smiling.crop.copy()
    x, y = np.round(smiling.mesh[13, :2]).astype(int)
    crop[y - 2 : y + 3, x - 8 : x + 9] = 250
    painted, plain = plates(dataclasses.replace(smiling, crop=crop)), plates(smiling)
    rows, column = slice((y - 2) * plain.density, y * plain.density), x * plain.density
    lip, shown = (plate.upper[rows, column] @ LUMA for plate in (plain, painted))
    assert (shown - lip < 0.3 * (250 - lip)).all(), (lip, shown)


def test_lower_teeth_of_a_wide_open_mouth_are_not_on_its_lip(smiling: Avatar) -> None:
    """Most of it is dark, and the mesh draws its lower edge across the teeth."""
    unit, mesh = smiling.pose.scale, smiling.mesh.copy()
    middle = mesh[LOWER_INNER_LIP, 0].mean()
    for lip in (LOWER_INNER_LIP[1:-1], LOWER_OUTER_LIP[1:-1]):
        mesh[lip, 1] += 0.3 * unit * np.maximum(1 - np.square((mesh[lip, 0] - middle) / (0.3 * unit)), 0)
    upper, inner, outer = (mesh[lip, :2] for lip in (UPPER_INNER_LIP, LOWER_INNER_LIP, LOWER_OUTER_LIP))
    down = np.array([0, unit], np.float32)
    crop = smiling.crop.astype(np.float32)
    parts = (
        (inner, outer, (150.0, 90, 90)),
        (upper, inner, (40.0, 20, 20)),
        (inner - 0.04 * down, inner + 0.03 * down, 235.0),
    )
    for above, below, colour in parts:
        inside = filled((SIZE, SIZE), np.concatenate([above[2:-2], below[-3:1:-1]]))[..., None]
        crop += inside * (np.array(colour, np.float32) - crop)
    plate = plates(dataclasses.replace(smiling, crop=np.round(crop).astype(np.uint8), mesh=mesh))
    x, y = np.round(inner[4:7] + 0.015 * down - 0.5).astype(int).T
    assert (crop[y, x].min(-1) > 200).all()
    assert (plate.lower[y * plate.density, x * plate.density].min(-1) < 130).all()


def test_an_upper_lip_in_shadow_stays_a_lip(smiling: Avatar) -> None:
    """The upper lip is often darker than half of the lower one, and thinner than the rim that teeth light up."""
    shadow = filled((SIZE, SIZE), smiling.mesh[UPPER_INNER_LIP + UPPER_OUTER_LIP[::-1], :2])[..., None]
    crop = np.round(smiling.crop * (1 - 0.6 * shadow)).astype(np.uint8)
    plate = plates(dataclasses.replace(smiling, crop=crop))
    middle = (smiling.mesh[UPPER_INNER_LIP[4:7], :2] + 2 * smiling.mesh[UPPER_OUTER_LIP[4:7], :2]) / 3
    x, y = np.round(middle - 0.5).astype(int).T
    lip, shown = crop[y, x] @ LUMA, plate.upper[y * plate.density, x * plate.density] @ LUMA
    assert (np.abs(shown - lip) < 0.15 * lip).all(), (shown, lip)


def edge_lit(avatar: Avatar, light: list[float]) -> tuple[np.ndarray, float]:
    """A grey smile whose lower lip is dark, but shines by the opening; how light lip and `light` are there."""
    inner, outer = (avatar.mesh[lip, :2] for lip in (LOWER_INNER_LIP, LOWER_OUTER_LIP))
    crop = np.repeat((avatar.crop @ LUMA)[..., None], 3, -1)
    upper = avatar.mesh[UPPER_INNER_LIP, :2]
    edge = (inner + outer) / 2
    for above, below, colour in ((inner, outer, [80.0] * 3), (upper, inner, [235.0] * 3), (inner, edge, light)):
        inside = filled((SIZE, SIZE), np.concatenate([above, below[::-1]]))[..., None]
        crop = crop + inside * (np.array(colour, np.float32) - crop)
    plate = plates(dataclasses.replace(avatar, crop=np.round(crop).astype(np.uint8)))
    x, y = np.round(((3 * inner + outer) / 4)[4:7] - 0.5).astype(int).T
    return plate.lower[y * plate.density, x * plate.density] @ LUMA, float(np.array(light) @ LUMA)


def test_a_lip_is_not_white_where_light_on_it_meets_the_teeth(smiling: Avatar) -> None:
    lip, light = edge_lit(smiling, [230.0] * 3)
    assert (lip < 0.65 * light).all(), (lip, light)
    lip, light = edge_lit(smiling, [250.0, 215.0, 205.0])
    assert (lip > 0.9 * light).all(), (lip, light)


def test_paleness_is_that_of_the_teeth() -> None:
    teeth = np.array([[True, False, False]])
    pale = paleness(np.array([[[220, 210, 190], [110, 105, 96], [220, 150, 150]]], np.float32), teeth)
    np.testing.assert_allclose(pale, [[1, 1, 0]], atol=1e-3)


def test_closed_lips_stay_as_they_are() -> None:
    avatar = Avatar.default(SIZE).resampled(SIZE)
    plate = plates(avatar)
    assert plate.parted == 0
    above, below = (int(avatar.mesh[v, 1]) for v in (0, 17))
    line = int(avatar.mesh[13, 1])
    x = int(avatar.mesh[13, 0])
    step = plate.density
    upper, lower = plate.upper[::step, ::step], plate.lower[::step, ::step]
    np.testing.assert_array_equal(upper[above - 3 : line - 1, x], avatar.crop[above - 3 : line - 1, x])
    np.testing.assert_array_equal(lower[line + 2 : below + 3, x], avatar.crop[line + 2 : below + 3, x])


def test_a_line_between_lips_is_dark_and_keeps_their_hue() -> None:
    line = line_of(np.array([190, 110, 100], np.float32))
    assert line[0] < 120 and line[0] > 1.5 * line[1] > 0
    grey = line_of(np.full(3, 150, np.float32))
    assert np.ptp(grey) == 0


def test_black_and_white_side_by_side_is_no_negative_light() -> None:
    """A fill with more than full weight overshoots: less than black is the root of a negative number."""
    avatar = Avatar.default(SIZE).resampled(SIZE)
    rows = np.where(np.arange(SIZE) // 4 % 2, 255, 0).astype(np.uint8)
    crop = np.ascontiguousarray(np.broadcast_to(rows[:, None, None], (SIZE, SIZE, 3)))
    with np.errstate(invalid="raise"):
        plate = plates(dataclasses.replace(avatar, crop=crop))
    assert plate.upper.max() == 255
