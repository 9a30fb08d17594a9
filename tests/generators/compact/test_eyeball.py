"""The eyeball behind the lids: a gaze moves the iris, keeps its hue, and leaves the skin and a straight look alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.eyes import WARPED, Lid, Lids, steadied
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT
from speechhead.motion.gaze import EYEBALL, turn_eyes

SIZE = 256
HUE = (40, 110, 190)
WHITE = (225, 215, 210)


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar.open("eileen_collins", SIZE).resampled(SIZE)


@pytest.fixture(scope="module")
def crop(avatar: Avatar) -> np.ndarray:
    """The portrait with blue discs for irises on plain whites."""
    return painted(avatar.crop, avatar.mesh, (5, 5))


def painted(crop: np.ndarray, mesh: np.ndarray, radii: tuple[int, int], rim: int = 0) -> np.ndarray:
    """A crop with blue discs of such radii on plain whites, with black rims so broad, all pixels; 0 is no iris."""
    picture: np.ndarray = crop.copy()
    for loop, iris, radius in ((EYE_LEFT, 468, radii[0]), (EYE_RIGHT, 473, radii[1])):
        eye, disc, ring = (np.zeros(picture.shape[:2], np.uint8) for _ in range(3))
        cv2.fillPoly(eye, [np.round(mesh[loop, :2]).astype(np.int32)], 1)
        picture[eye > 0] = WHITE
        if radius:
            centre = tuple(np.round(mesh[iris, :2]).astype(int).tolist())
            cv2.circle(ring, centre, radius + rim, 1, -1)
            cv2.circle(disc, centre, radius, 1, -1)
            picture[(eye & ring) > 0] = (20, 20, 20)
            picture[(eye & disc) > 0] = HUE
    return picture


def opening(mesh: np.ndarray, size: int, shrink: int) -> np.ndarray:
    """Pixels [size, size] of both eyes, without their edge."""
    eyes = np.zeros((size, size), np.uint8)
    for loop in (EYE_LEFT, EYE_RIGHT):
        cv2.fillPoly(eyes, [np.round(mesh[loop, :2]).astype(np.int32)], 1)
    return np.asarray(cv2.erode(eyes, np.ones((2 * shrink + 1, 2 * shrink + 1), np.uint8)) > 0)


@pytest.fixture(scope="module")
def lids(avatar: Avatar, crop: np.ndarray) -> tuple[Lid | None, ...]:
    return Lids().prepare(crop, avatar.mesh, avatar.pose, 0.7)


def looking(avatar: Avatar, crop: np.ndarray, lids: tuple[Lid | None, ...], across: float) -> np.ndarray:
    """The crop with irises that went `across` outer eye distances to image right."""
    keypoints = np.zeros((478, 3), np.float32)
    for lid in lids:
        assert lid is not None
        keypoints[[*lid.loop, lid.iris]] = lid.home
        keypoints[lid.iris, 0] += across
    return np.asarray(Lids().close(crop.copy(), lids, np.zeros(2, np.float32), keypoints, avatar.pose))


def blue(picture: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(picture[..., 2].astype(np.float32) - picture[..., 0] - 40, 0, 60))


def middle(picture: np.ndarray, half: slice) -> float:
    weight = blue(picture)[:, half].sum(0)
    return float((weight * np.arange(len(weight))).sum() / weight.sum())


def test_a_straight_look_is_the_frame_as_it_was(avatar: Avatar, crop: np.ndarray, lids: tuple[Lid | None, ...]) -> None:
    assert np.array_equal(looking(avatar, crop, lids, 0.0), crop)
    assert np.array_equal(looking(avatar, crop, lids, 0.006), crop)


@pytest.mark.parametrize("across", [-0.035, 0.035])
def test_a_gaze_moves_the_iris_and_no_skin(
    avatar: Avatar, crop: np.ndarray, lids: tuple[Lid | None, ...], across: float
) -> None:
    frame = looking(avatar, crop, lids, across)
    eyes = np.zeros(crop.shape[:2], np.uint8)
    for loop in (EYE_LEFT, EYE_RIGHT):
        cv2.fillPoly(eyes, [np.round(avatar.mesh[loop, :2]).astype(np.int32)], 1)
    around = cv2.dilate(eyes, np.ones((3, 3), np.uint8)) == 0
    assert np.array_equal(frame[around], crop[around])
    for half in (slice(0, SIZE // 2), slice(SIZE // 2, SIZE)):
        went = middle(frame, half) - middle(crop, half)
        assert went == pytest.approx(across * avatar.pose.scale, abs=0.5 * abs(across) * avatar.pose.scale)


def test_the_iris_keeps_its_hue_and_leaves_none_behind(
    avatar: Avatar, crop: np.ndarray, lids: tuple[Lid | None, ...]
) -> None:
    frame = looking(avatar, crop, lids, 0.04)
    for iris in (468, 473):
        x, y = np.round(avatar.mesh[iris, :2] + [0.04 * avatar.pose.scale, 0]).astype(int)
        there = frame[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(0)
        assert np.abs(there - HUE).max() < 30
    assert blue(frame).sum() < 1.15 * blue(crop).sum()


def test_a_grey_eye_stays_grey(avatar: Avatar, crop: np.ndarray) -> None:
    grey = np.repeat(np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)[..., None], 3, 2)
    frame = looking(avatar, grey, Lids().prepare(grey, avatar.mesh, avatar.pose, 0.7), 0.04)
    assert np.ptp(frame.astype(int), axis=-1).max() <= 1 and not np.array_equal(frame, grey)


def test_an_eye_without_an_iris_has_no_ball(avatar: Avatar, crop: np.ndarray) -> None:
    blank = crop.copy()
    blank[:] = (200, 170, 150)
    lids = Lids().prepare(blank, avatar.mesh, avatar.pose, 0.7)
    assert all(lid is not None and lid.ball is None for lid in lids)


def test_a_gaze_of_the_controls_is_drawn_by_the_ball(avatar: Avatar, lids: tuple[Lid | None, ...]) -> None:
    face = avatar.neutral.copy()
    turn_eyes(face, 15.0, 0.0)
    far = np.abs(face[68:70, 0] - avatar.neutral[68:70, 0])
    assert far.max() == pytest.approx(EYEBALL * np.sin(np.radians(15)), rel=0.3)
    assert all(lid is not None and lid.ball is not None for lid in lids)


@pytest.mark.parametrize("radii", [(9, 9), (5, 0), (0, 5)])
def test_an_iris_that_is_not_sure_leaves_both_eyes_to_the_warp(avatar: Avatar, radii: tuple[int, int]) -> None:
    drawn = painted(avatar.crop, avatar.mesh, radii)  # a cartoon's large irises; an eye without one
    lids = Lids().prepare(drawn, avatar.mesh, avatar.pose, 0.7)
    assert all(lid is not None and lid.ball is None for lid in lids)
    assert np.array_equal(looking(avatar, drawn, lids, 0.04), drawn)


def test_without_a_ball_irises_go_only_as_far_as_the_warp_is_good(avatar: Avatar, lids: tuple[Lid | None, ...]) -> None:
    went = []
    for degrees in (0.0, 1.0, 2.0, 4.0, 8.0, 12.0, 20.0):
        face = avatar.neutral.copy()
        turn_eyes(face, degrees, 0.0)
        assert steadied(avatar.neutral, face, lids) is face
        held = steadied(avatar.neutral, face, (None, None))
        assert np.array_equal(np.delete(held, (68, 69), 0), np.delete(face, (68, 69), 0))
        went.append(float(np.abs(held[68:70, 0] - avatar.neutral[68:70, 0]).max()))
        assert degrees > 2 or held is face
    assert np.all(np.diff(went) > 0) and 0.9 * WARPED[1] < went[-1] <= WARPED[1]


def test_the_old_iris_goes_with_its_rim_and_the_white_is_the_portraits(avatar: Avatar) -> None:
    rimmed = painted(avatar.crop, avatar.mesh, (4, 4), 1)
    lids = Lids().prepare(rimmed, avatar.mesh, avatar.pose, 0.7)
    assert all(lid is not None and lid.ball is not None for lid in lids)
    frame = looking(avatar, rimmed, lids, 0.05).astype(int)
    shown = opening(avatar.mesh, SIZE, 2)
    for iris in (468, 473):
        x, y = avatar.mesh[iris, :2]
        columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
        left = shown & (columns < x - 2.5) & (np.hypot(columns - x, rows - y) < 8)
        assert left.sum() > 4 and frame[left].min() > 0.75 * min(WHITE)
        assert (frame[left] <= np.array(WHITE) + 6).all()


def test_a_portrait_that_looks_aside_looks_on_from_there(avatar: Avatar) -> None:
    mesh = avatar.mesh.copy()
    mesh[468:478, 0] -= 3
    aside = painted(avatar.crop, mesh, (5, 5))
    lids = Lids().prepare(aside, mesh, avatar.pose, 0.7)
    frame = looking(avatar, aside, lids, 0.06)
    for half in (slice(0, SIZE // 2), slice(SIZE // 2, SIZE)):
        assert middle(frame, half) - middle(aside, half) > 0.5 * 0.06 * avatar.pose.scale
    assert blue(frame).sum() < 1.3 * blue(aside).sum()


@pytest.mark.parametrize("aside", [-4, 4])
def test_a_dark_blob_in_one_eye_does_not_shrink_its_iris(avatar: Avatar, crop: np.ndarray, aside: int) -> None:
    blotted = crop.copy()
    x, y = np.round(avatar.mesh[473, :2]).astype(int).tolist()
    cv2.circle(blotted, (x + aside, y - 2), 3, (10, 10, 10), -1)
    left, right = Lids().prepare(blotted, avatar.mesh, avatar.pose, 0.7)
    assert left is not None and right is not None and left.ball is not None and right.ball is not None
    radii = [np.sqrt(lid.ball.disc[..., 3].sum() / np.pi) for lid in (left, right) if lid.ball is not None]
    assert radii[1] == pytest.approx(radii[0], rel=0.15)
    at = right.matrix[:, :2] @ avatar.mesh[473, :2] + right.matrix[:, 2]
    away = np.hypot(*(right.ball.corner + right.ball.centre - at))
    assert away < 0.025 * right.unit


@pytest.mark.parametrize(("times", "has"), [(1.0, True), (1.5, False)])
def test_irises_larger_than_human_ones_have_no_ball(avatar: Avatar, times: float, has: bool) -> None:
    mesh = avatar.mesh.copy()
    for iris in (468, 473):
        mesh[iris + 1 : iris + 5] = mesh[iris] + times * (mesh[iris + 1 : iris + 5] - mesh[iris])
    lids = Lids().prepare(painted(avatar.crop, mesh, (round(5 * times),) * 2), mesh, avatar.pose, 0.7)
    assert [lid is not None and lid.ball is not None for lid in lids] == [has, has]
