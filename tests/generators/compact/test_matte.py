"""The matte: a portrait in two layers that give it back exactly, and a background without the person."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.backdrop import fill, repeated
from speechhead.generators.compact.matte import (
    CUT,
    Layers,
    Matte,
    behind,
    guided,
    joined,
    without_holes,
)
from speechhead.generators.compact.meshwarp import places


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar.default(256)


@pytest.fixture(scope="module")
def layers(avatar: Avatar) -> Layers:
    return Matte(threads=1)(avatar.crop, avatar.mesh)


REST = np.zeros((64, 64, 2), np.float32)


def test_layers_at_rest_are_the_portrait(avatar: Avatar, layers: Layers) -> None:
    assert layers.density == 2 and np.array_equal(layers.moved(REST), avatar.crop)


@pytest.mark.parametrize("shift", [0.25, 0.5, 0.8])
def test_detail_survives_a_move_by_parts_of_a_pixel(avatar: Avatar, layers: Layers, shift: float) -> None:
    def detail(picture: np.ndarray) -> float:
        return cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F)[60:200, 90:170].var()

    moved = layers.moved(REST + np.float32([shift * 2 / 256, 0]))
    assert detail(moved) > 0.8 * detail(avatar.crop)


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-12.4, 7.7), (40, 55)])
def test_rows_put_together_in_strips_and_the_rest_copied_are_the_sum_of_the_layers(layers: Layers, shift) -> None:
    flow = REST + np.float32(shift) * (2 / 256) + 0.01 * np.random.default_rng(0).random(REST.shape, np.float32)
    person = cv2.remap(layers.person, *places(flow, 256, 256, 2), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    whole = np.round(person[..., :3] + (1 - person[..., 3:]) * layers.background).clip(0, 255)
    assert np.abs(layers.moved(flow) - whole).max() <= 1
    assert np.mean(layers.moved(flow) != whole) < 1e-3


def test_a_picture_of_background_alone_stays() -> None:
    crop = np.full((128, 128, 3), 90, np.uint8)
    layers = Layers.split(crop, np.zeros((128, 128), np.float32))
    assert np.array_equal(layers.moved(REST + np.float32(0.3)), crop)


def test_the_person_is_cut_out(avatar: Avatar, layers: Layers) -> None:
    face = cv2.fillPoly(np.zeros((256, 256), np.uint8), [avatar.mesh[[10, 234, 152, 454], :2].astype(np.int32)], 1) > 0
    assert layers.alpha[face].min() == 1
    corners = layers.alpha[:40, [*range(20), *range(-20, 0)]]
    assert corners.max() < 0.05
    assert 0.25 < layers.alpha.mean() < 0.7


def test_where_the_person_moves_away_the_background_is_without_it(avatar: Avatar, layers: Layers) -> None:
    """The navy cap before a blue wall moves 8 px to the left; what it leaves is as bright as the wall."""
    picture = layers.moved(REST + np.float32([8 * 2 / 256, 0]))
    left_behind = (layers.alpha > 0.9) & (np.roll(layers.alpha, -8, 1) < 0.05)
    left_behind[120:] = left_behind[:, :128] = False
    assert left_behind.sum() > 50
    wall = avatar.crop[:100, 220:250].reshape(-1, 3).mean(0)
    assert np.abs(picture[left_behind].mean(0) - wall).max() < 25


def test_a_hole_is_filled_from_around_it_and_all_else_is_kept() -> None:
    ramp = np.repeat(np.linspace(0, 250, 64).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    hole = np.zeros((64, 64), bool)
    hole[20:44, 20:44] = True
    holed = np.where(hole[..., None], np.uint8(255), ramp)
    filled = fill(holed, hole)
    assert np.array_equal(filled[~hole], ramp[~hole])
    error = np.abs(filled[hole].astype(int) - ramp[hole])
    assert error.mean() < 15 and error.max() < 60
    assert np.array_equal(fill(ramp, np.ones((64, 64), bool))[0, 0], ramp.mean((0, 1)).astype(np.uint8))


def test_a_hole_has_the_grain_of_what_is_around_it_and_no_edges_of_things() -> None:
    rng = np.random.default_rng(3)
    wall = np.clip(120 + rng.normal(0, 8, (200, 200, 1)).repeat(3, 2), 0, 255).astype(np.uint8)
    wall[:, 60] = 255  # a pole
    hole = np.zeros((200, 200), bool)
    hole[:, 70:130] = True
    filled = fill(np.where(hole[..., None], np.uint8(0), wall), hole)
    inside = filled[:, 72:88, 0].astype(float)
    assert 4 < inside.std() < 12 and filled[:, 70:130].max() < 190
    assert np.array_equal(filled[~hole], wall[~hole])


def test_where_a_picture_ends_in_its_crop_is_seen() -> None:
    crop = np.random.default_rng(4).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    assert not repeated(crop).any()
    crop[:6], crop[:, 60:] = crop[6], crop[:, 59:60]
    beyond = repeated(crop)
    assert beyond[:6].all() and beyond[:, 60:].all() and not beyond[6:, :60].any()


def test_before_a_calm_wall_more_of_it_is_guessed() -> None:
    """The left wall is even, the right one is striped; the person stands in the middle."""
    crop = np.full((200, 200, 3), 120, np.uint8)
    crop[:, 100:] = np.where(np.arange(100)[None, :, None] % 8 < 4, 60, 180)
    alpha = np.zeros((200, 200), np.float32)
    alpha[:, 80:120] = 1
    hidden = np.flatnonzero(behind(crop, alpha)[100])
    assert hidden[0] == 80 - round(CUT.wide * 200) and hidden[-1] == 119 + round(CUT.rim * 200)


def test_half_a_star_beside_hair_stays_on_its_flag() -> None:
    """The matte reaches a little over the flag; what it takes of the star would otherwise go along with the hair."""
    crop = np.full((200, 200, 3), (20, 25, 70), np.uint8)
    crop[:, 100:] = 30  # the person
    star = np.s_[90:110, 96:99]
    crop[star] = 250
    alpha = np.zeros((200, 200), np.float32)
    alpha[:, 100:], alpha[star] = 1, 0.1
    layers = Layers.split(crop, alpha)
    assert layers.background[star].min() > 200
    assert layers.person[::2, ::2][star][..., :3].max() <= 0.1 * 255 + CUT.slack + 2
    still = np.zeros((64, 64, 2), np.float32)
    assert np.abs(layers.moved(still).astype(int) - crop)[star].max() <= 1


def test_what_hangs_together_with_nobody_is_no_hair() -> None:
    alpha = np.zeros((64, 64), np.float32)
    alpha[:, 32:], alpha[20, 20:30], alpha[40:44, 4:8] = 1, 0.3, 0.3  # a strand two pixels off, and a star
    there = joined(alpha, 3)
    assert there[20, 25] and there[:, 32:].all() and not there[40:44, 4:8].any()


def test_what_the_person_encloses_is_the_person() -> None:
    inside, outside = np.zeros((32, 32), np.uint8), np.zeros((32, 32), bool)
    inside[8:24, 8:24] = 1
    inside[12:16, 12:16] = 0  # an ear-ring
    inside[20:32, 14:16] = 0  # a gap that leads out
    outside[:2] = outside[-2:] = True
    filled = without_holes(inside, outside)
    assert filled[12:16, 12:16].all() and not filled[20:24, 14:16].any() and not filled[0].any()


def test_a_rough_edge_follows_the_picture() -> None:
    guide = np.zeros((64, 64), np.float32)
    guide[:, 32:] = 0.6
    rough = np.zeros((64, 64), np.float32)
    rough[:, 35:] = 1
    refined = guided(guide, cv2.blur(rough, (9, 9)), 6)
    edge = np.abs(np.diff(refined.mean(0))).argmax()
    assert edge == 31
