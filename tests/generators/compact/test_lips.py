"""Two sheets: above the lip line the upper lip alone is read, below it the lower."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import to_normalised, to_pixels
from speechhead.generators.compact.lips import CORNERS, LOWER_BETWEEN, UPPER_BETWEEN, LipSheets
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP, UPPER_INNER_LIP
from speechhead.generators.compact.teeth import between

SIZE = 256
SOFT = 0.006


@pytest.fixture(scope="module")
def closed() -> Avatar:
    return Avatar.default(SIZE).resampled(SIZE)


def outline(avatar: Avatar, mesh: np.ndarray) -> np.ndarray:
    return to_pixels(between(to_normalised(mesh, avatar.pose)), avatar.pose)


def test_closed_lips_at_rest_are_the_portrait(closed: Avatar) -> None:
    lips = LipSheets.prepare(closed.crop, closed.mesh, closed.pose, SOFT)
    drawn = lips.draw(closed.crop.copy(), closed.mesh, outline(closed, closed.mesh), closed.pose)
    difference = np.abs(drawn.astype(int) - closed.crop.astype(int))
    assert difference.mean() < 0.1 and np.percentile(difference, 99.9) <= 12


def test_each_side_of_the_line_reads_its_own_plate(closed: Avatar) -> None:
    lips = LipSheets.prepare(closed.crop, closed.mesh, closed.pose, SOFT)
    red, blue = (np.broadcast_to(np.uint8(c), lips.plate.upper.shape).copy() for c in ((255, 0, 0), (0, 0, 255)))
    plain = dataclasses.replace(lips, plate=dataclasses.replace(lips.plate, upper=red, lower=blue))
    frame = plain.draw(closed.crop.copy(), closed.mesh, outline(closed, closed.mesh), closed.pose)
    middle = (closed.mesh[UPPER_INNER_LIP, :2] + closed.mesh[LOWER_INNER_LIP, :2])[3:8] / 2
    for x, y in middle:
        above, below = frame[int(y - 2.5), int(x)], frame[int(y + 2.5), int(x)]
        assert above[0] > 200 > 60 > above[2] and below[2] > 200 > 60 > below[0], (above, below)


def test_a_smile_that_closes_shows_a_dark_line_and_nothing_white() -> None:
    avatar = Avatar.open("eileen_collins", size=SIZE).resampled(SIZE)
    lips = LipSheets.prepare(avatar.crop, avatar.mesh, avatar.pose, SOFT)
    mesh = avatar.mesh.copy()
    middle = (mesh[UPPER_INNER_LIP] + mesh[LOWER_INNER_LIP]) / 2
    mesh[UPPER_INNER_LIP] = mesh[LOWER_INNER_LIP] = middle
    frame = lips.draw(avatar.crop.copy(), mesh, outline(avatar, mesh), avatar.pose)
    luma = frame.astype(np.float32).mean(-1)
    for x, y in middle[2:9, :2]:
        column = luma[int(y) - 2 : int(y) + 3, int(x)]
        lip = luma[[int(y) - 4, int(y) + 5], int(x)].max()
        assert column.min() < 0.8 * lip and column.max() < lip + 15, (column, lip)


def test_a_smile_that_is_rounded_has_no_dark_blocks_on_its_edge() -> None:
    avatar = Avatar.open("eileen_collins", size=SIZE).resampled(SIZE)
    lips = LipSheets.prepare(avatar.crop, avatar.mesh, avatar.pose, SOFT)
    plain = dataclasses.replace(lips, plate=dataclasses.replace(lips.plate, line=np.full(3, 255, np.float32)))
    middle = (avatar.mesh[UPPER_INNER_LIP] + avatar.mesh[LOWER_INNER_LIP]) / 2
    vertices, (x, y) = np.unique(CORNERS + UPPER_BETWEEN + LOWER_BETWEEN), middle[5, :2].astype(int)
    darkest = []
    for breadth in (0.35, 0.6):
        mesh = avatar.mesh.copy()
        mesh[UPPER_INNER_LIP], mesh[LOWER_INNER_LIP] = middle - (0, 1.5, 0), middle + (0, 1.5, 0)
        mesh[vertices, 0] = middle[5, 0] + breadth * (mesh[vertices, 0] - middle[5, 0])
        frame = plain.draw(avatar.crop.copy(), mesh, outline(avatar, mesh), avatar.pose)
        darkest.append(frame[y - 5 : y + 2, x - 4 : x + 5].mean(-1).min())
    assert darkest[0] > 0.8 * darkest[1], darkest


def test_a_mouth_outside_the_frame_changes_nothing(closed: Avatar) -> None:
    lips = LipSheets.prepare(closed.crop, closed.mesh, closed.pose, SOFT)
    away = closed.mesh + np.array([3 * SIZE, 0, 0], np.float32)
    frame = lips.draw(closed.crop.copy(), away, outline(closed, away), closed.pose)
    np.testing.assert_array_equal(frame, closed.crop)
