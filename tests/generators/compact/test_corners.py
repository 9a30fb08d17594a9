"""Creases that go on beside a smile are skin once it is gone; a shut mouth keeps its corners."""

from __future__ import annotations

import cv2
import numpy as np

from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.corners import CORNERS, ENDS, smiling, without_creases
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP
from speechhead.generators.compact.plate import how_parted

SIZE = 256


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """A face of one colour with a crease beside each corner of its mouth; the creases' mask."""
    avatar = Avatar.default(SIZE)
    unit, mesh = float(avatar.pose.scale), avatar.mesh
    picture = np.full((SIZE, SIZE, 3), (200, 160, 140), np.uint8)
    cv2.fillPoly(picture, [np.round(mesh[OUTER_LIP, :2]).astype(np.int32)], (170, 80, 90))
    ends, mask = mesh[list(ENDS), :2], np.zeros((SIZE, SIZE), np.uint8)
    for end, other in (ends, ends[::-1]):
        way = (end - other) / np.linalg.norm(end - other)
        first, last = (tuple(int(v) for v in np.round(end + reach * unit * way)) for reach in (0.03, 0.14))
        cv2.line(mask, first, last, 1, 2)
    picture[mask > 0] = (80, 50, 45)
    return picture, mesh, mask > 0, unit


def test_a_crease_beside_an_open_mouth_is_skin() -> None:
    picture, mesh, mask, unit = drawn()
    found = without_creases(picture, mesh, unit, 1.0)
    assert np.abs(found[mask].astype(int) - (200, 160, 140)).mean() < 12
    lips = cv2.fillPoly(np.zeros((SIZE, SIZE), np.uint8), [np.round(mesh[OUTER_LIP, :2]).astype(np.int32)], 1) > 0
    inner = cv2.erode(lips.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert (found[inner] == picture[inner]).all(), "lips stay"
    far = (
        np.linalg.norm(np.indices(mask.shape)[::-1].transpose(1, 2, 0) - mesh[0, :2], axis=2)
        > (0.5 + CORNERS.outer) * unit
    )
    assert (found[far] == picture[far]).all() and (picture[mask] == (80, 50, 45)).all(), "the given picture stays"


def test_a_moustache_stays() -> None:
    picture, mesh, mask, unit = drawn()
    picture[int(mesh[13, 1] - 0.2 * unit) : int(mesh[13, 1]) : 2, :] = (90, 70, 60)
    assert (without_creases(picture, mesh, unit, 1.0) == picture).all()


def test_a_mouth_that_is_shut_keeps_its_corners_and_a_clean_one_all() -> None:
    picture, mesh, mask, unit = drawn()
    assert without_creases(picture, mesh, unit, 0.0) is picture
    assert how_parted(mesh, unit) < 0.2, "the default portrait's lips are shut"
    clean = picture.copy()
    clean[mask] = (200, 160, 140)
    assert np.abs(without_creases(clean, mesh, unit, 1.0).astype(int) - clean).max() <= 2


def test_only_a_broad_open_mouth_smiles() -> None:
    talking = Avatar.default(SIZE).neutral
    smile = talking.copy()
    middle = smile[48:68, 0].mean()
    smile[48:68, 0] = middle + 1.4 * (smile[48:68, 0] - middle)
    smile[[48, 54, 60, 64], 1] -= 0.1  # corners go up
    assert smiling(talking, 1.0) == 0 and smiling(smile, 0.0) == 0
    assert 0.1 < smiling(smile, 1.0) <= 1


def test_a_mouth_at_the_edge_of_the_picture_is_no_trouble() -> None:
    picture, mesh, _, unit = drawn()
    for shift in ((-120, 0), (120, 0), (0, 120), (400, 400)):
        moved = mesh + np.array([*shift, 0], np.float32)
        assert without_creases(picture, moved, unit, 1.0).shape == picture.shape


def test_the_dark_between_the_lips_beside_the_opening_is_lip() -> None:
    """Where a smile is longer than the mesh's opening, its dark end stood beside a mouth that was rounded."""
    picture, mesh, _, unit = drawn()
    opening = UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]
    lips, inner, end = (np.zeros((SIZE, SIZE), np.uint8) for _ in range(3))
    for mask, loop in ((lips, OUTER_LIP), (inner, opening)):
        cv2.fillPoly(mask, [np.round(mesh[loop, :2]).astype(np.int32)], 1)
    cv2.circle(end, tuple(int(v) for v in np.round(mesh[ENDS[0], :2])), round(0.04 * unit), 1, -1)
    dark = (lips * end * (1 - inner)) > 0
    picture[dark] = (30, 15, 15)
    found = without_creases(picture, mesh, unit, 1.0)
    assert dark.sum() >= 3 and found[dark].mean(-1).min() > 85
