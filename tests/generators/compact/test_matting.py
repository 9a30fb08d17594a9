"""The matte by colour: strands before a wall are told to their share of a pixel, and doubt leaves what was expected."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.generators.compact.matting import by_colour

SIZE = 128
HAIR, WALL = np.array([70, 45, 30], np.float32), np.array([120, 170, 220], np.float32)


def portrait(wall: np.ndarray, strands: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A picture uint8 [S, S, 3] and its true matte: hair on the left, and strands that stick out of it."""
    fine = np.zeros((4 * SIZE, 4 * SIZE), np.float32)
    fine[:, : 2 * SIZE] = 1
    if strands:
        for row in range(10, 4 * SIZE, 40):
            fine[row : row + 3, : 2 * SIZE + 16] = 1
    alpha = cv2.resize(fine, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.round(alpha[..., None] * HAIR + (1 - alpha[..., None]) * wall).astype(np.uint8), alpha


def known(shift: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a segmentation knows, its edge `shift` pixels off: expectation, surely person, upper limit."""
    expected = np.zeros((SIZE, SIZE), np.float32)
    expected[:, : 64 + shift] = 1
    most = np.zeros_like(expected)
    most[:, :72] = 1
    person = np.zeros(expected.shape, bool)
    person[:, :56] = True
    return cv2.blur(expected, (5, 5)), person, most


@pytest.mark.parametrize("shift", [-3, 0, 3])
def test_strands_before_a_wall_are_found(shift: int) -> None:
    picture, alpha = portrait(np.broadcast_to(WALL, (SIZE, SIZE, 3)))
    expected, person, most = known(shift)
    found = by_colour(picture, expected, person, most)
    band = slice(56, 72)
    assert np.abs(found - alpha)[:, band].mean() < 0.03
    assert np.abs(found - alpha)[:, band].mean() < 0.25 * np.abs(expected - alpha)[:, band].mean()
    assert found[:, :56].min() == 1 and found[:, 72:].max() == 0


def test_where_both_sides_look_alike_the_expectation_stands() -> None:
    picture, _ = portrait(np.broadcast_to(HAIR, (SIZE, SIZE, 3)))
    expected, person, most = known()
    found = by_colour(picture, expected, person, most)
    assert np.array_equal(found[:, 56:60] > 0.9, np.ones((SIZE, 4), bool))
    assert found[:, 68:].max() < 0.1


def test_a_wall_of_many_colours_does_not_lend_its_colours_to_the_person() -> None:
    random = np.random.default_rng(0)
    wall = cv2.resize(random.integers(90, 255, (24, 24, 3)).astype(np.float32), (SIZE, SIZE))
    picture, alpha = portrait(wall, strands=False)
    expected, person, most = known()
    assert np.abs(by_colour(picture, expected, person, most) - alpha)[:, 56:72].mean() < 0.1


def test_a_colour_that_nothing_around_explains_is_no_wall() -> None:
    """Dark hair between light skin and a wall: less like the skin than the wall is, but the segmentation knows it."""
    skin, wall = np.float32([220, 170, 150]), np.float32([75, 85, 110])
    picture = np.broadcast_to(wall, (SIZE, SIZE, 3)).copy()
    picture[:, :58], picture[:, 58:64] = skin, (35, 25, 20)
    expected, person, most = known()
    found = by_colour(np.round(picture).astype(np.uint8), expected, person, most)
    assert found[:, 58:62].min() > 0.6 and found[:, 66:].max() < 0.1
