"""Spectacles are found by their rims, and go as one stiff piece; faces without them stay as they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import MESH_REFERENCE, Pose, to_normalised, to_pixels
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT
from speechhead.generators.compact.relief import Raise
from speechhead.generators.compact.spectacles import (
    RIMS,
    bridge,
    bridged,
    closed_line,
    contrast,
    lifts,
    nearest,
    rims,
    worn,
)

SIZE = 256
POSE = Pose.from_angles(yaw=6, translation=(128, 110, 0), scale=56)


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar.open("eileen_collins", SIZE).resampled(SIZE)


def drawn_rims(canonical: np.ndarray, wide: float = 0.28, tall: float = 0.21) -> np.ndarray:
    """Two ovals about the eyes of a face, float32 [2, 72, 2] in normalised space."""
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    oval = np.stack([wide * np.cos(turn), tall * np.sin(turn)], -1)
    middles = [canonical[loop, :2].mean(0) + (0, 0.04) for loop in (EYE_LEFT, EYE_RIGHT)]
    return np.stack([oval + middle for middle in middles]).astype(np.float32)


def wearing(avatar: Avatar, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The crop with a pair of spectacles drawn on it, its canonical mesh, and the rims."""
    canonical = to_normalised(avatar.mesh, avatar.pose)
    rim, crop = drawn_rims(canonical), avatar.crop.copy()
    depth = np.full((*rim.shape[:2], 1), RIMS.level, np.float32)
    for line in to_pixels(np.concatenate([rim, depth], -1), avatar.pose)[..., :2]:
        cv2.polylines(crop, [np.round(line * 16).astype(np.int32)], True, colour, 2, cv2.LINE_AA, 4)
    return crop, canonical, rim


@pytest.mark.parametrize("colour", [(25, 20, 20), (250, 245, 235)])
def test_dark_and_light_rims_are_found_where_they_are(avatar: Avatar, colour: tuple[int, int, int]) -> None:
    crop, canonical, rim = wearing(avatar, colour)
    found = rims(crop, canonical, avatar.pose)
    assert found is not None
    assert np.median(nearest(found.reshape(-1, 2), rim.reshape(-1, 2))) < 0.03


def test_a_face_without_spectacles_is_left_alone(avatar: Avatar) -> None:
    canonical = to_normalised(avatar.mesh, avatar.pose)
    assert worn(avatar.crop, canonical, avatar.pose) is None


def test_lenses_without_rims_are_found_by_their_bridge(avatar: Avatar) -> None:
    canonical, crop = to_normalised(avatar.mesh, avatar.pose), avatar.crop.copy()
    line = bridge(drawn_rims(canonical))
    solid = np.column_stack([line, np.full(len(line), RIMS.level, np.float32)])
    ends = to_pixels(solid, avatar.pose)[:, :2]
    luma = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)]
    cv2.polylines(crop, [np.round(ends * 16).astype(np.int32)], False, (25, 20, 20), 2, cv2.LINE_AA, 4)
    luma.append(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32))
    before, after = (bridged(one, canonical, avatar.pose) for one in luma)
    assert before < RIMS.joined / 2 < RIMS.joined < after
    assert worn(crop, canonical, avatar.pose) is not None


def test_points_under_rims_lie_on_one_bent_sheet_and_eyes_stay() -> None:
    mesh, rim = to_pixels(MESH_REFERENCE, POSE), drawn_rims(MESH_REFERENCE)
    by = lifts(rim, MESH_REFERENCE, POSE)
    assert not by[np.array([*EYE_LEFT, *EYE_RIGHT, 468, 473, 152, 4, 10])].any()
    lifted = to_normalised(mesh + by[:, None] * np.array([0, 0, 1], np.float32), POSE)
    stiff = nearest(MESH_REFERENCE[:, :2], rim.reshape(-1, 2)) < 0.4 * RIMS.stiff[0]
    away = nearest(MESH_REFERENCE[:, :2], MESH_REFERENCE[[*EYE_LEFT, *EYE_RIGHT], :2]) > RIMS.eyes[1]
    flat = lifted[:, 2] - lifted[:, 0] ** 2 / (2 * RIMS.bend)
    assert (stiff & away).sum() > 10
    assert np.ptp(flat[stiff & away]) < 1e-3 < np.ptp(MESH_REFERENCE[stiff & away, 2])


def test_what_is_stiff_comes_forward_whatever_the_turn_and_the_portrait_stays() -> None:
    mesh = to_pixels(MESH_REFERENCE, POSE)
    by = np.zeros(478, np.float32)
    by[105] = -5
    raising = Raise.of(mesh, POSE, by)
    for slides in ((0, 0), (0.2, 0), (-0.2, 0.1)):
        moved = to_pixels(np.add(MESH_REFERENCE, raising.lift(np.array(slides, np.float32))), POSE) - mesh
        assert np.allclose(moved[105], [0, 0, -5], atol=1e-3) and np.abs(moved[:, :2]).max() < 1e-3


def test_lines_have_contrast_and_edges_have_none() -> None:
    light = np.full((2, 60), 100, np.float32)
    light[0, 30] = 40
    light[1, 30:] = 40
    found = contrast(light)
    assert found[0, 30] == 60 and found[0].sum() == 60 and not found[1].any()


def test_a_closed_line_comes_back_to_where_it_began() -> None:
    worth = np.zeros((72, 30), np.float32)
    way = np.round(15 + 8 * np.sin(np.arange(72) * 2 * np.pi / 72)).astype(int)
    worth[np.arange(72), way] = 1
    assert np.array_equal(closed_line(worth), way)
