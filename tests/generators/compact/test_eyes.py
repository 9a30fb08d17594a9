"""Lids that close: nothing of the eye behind a shut lid, nothing new before one that is open, no jump between."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.eyes import BEGIN, MOST, Lid, Lids, closures, drawn, held_open, layer
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT
from speechhead.motion.blink import close_eyes

SIZE = 256
LOOPS = (EYE_LEFT, EYE_RIGHT)


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar.open("eileen_collins", SIZE).resampled(SIZE)


@pytest.fixture(scope="module")
def generator() -> CompactGenerator:
    return CompactGenerator(SIZE, threads=1)


@pytest.fixture(scope="module")
def lids(avatar: Avatar) -> tuple[Lid | None, ...]:
    return Lids().prepare(avatar.crop, avatar.mesh, avatar.pose, 1.0)


def blinking(avatar: Avatar, closure: float) -> np.ndarray:
    face: np.ndarray = avatar.neutral.copy()
    close_eyes(face, closure)
    return face


def painted(avatar: Avatar) -> tuple[np.ndarray, np.ndarray]:
    """The crop with eyes of a green that no face has, and where they are."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.round(avatar.mesh[loop, :2]).astype(np.int32) for loop in LOOPS], 1)
    crop = avatar.crop.copy()
    crop[mask > 0] = (0, 255, 0)
    return crop, mask > 0


def green(picture: np.ndarray) -> np.ndarray:
    channels = picture.astype(np.float32)
    return np.asarray(channels[..., 1] - channels[..., [0, 2]].max(-1))


def test_nothing_of_the_eye_shows_behind_a_shut_lid(avatar: Avatar, generator: CompactGenerator) -> None:
    crop, eyes = painted(avatar)
    source = generator.prepare(crop, avatar.mesh)
    still, shut = (generator.render(source, blinking(avatar, c), avatar.pose) for c in (0.0, 1.0))
    wide = cv2.dilate(eyes.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert (green(still)[eyes] > 60).mean() > 0.5
    assert green(shut)[wide].max() < 30


def test_the_eye_goes_out_of_sight_bit_by_bit(avatar: Avatar, generator: CompactGenerator) -> None:
    crop, eyes = painted(avatar)
    source = generator.prepare(crop, avatar.mesh)
    shown = [
        float((green(generator.render(source, blinking(avatar, c), avatar.pose))[eyes] > 60).mean())
        for c in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert all(after < before for before, after in zip(shown, shown[1:]))
    assert 0.25 < shown[2] / shown[0] < 0.75


def test_small_closures_are_left_to_the_networks(avatar: Avatar, lids: tuple[Lid | None, ...]) -> None:
    face = blinking(avatar, 0.9 * BEGIN)
    closure = closures(avatar.neutral, face, lids)
    np.testing.assert_allclose(closure, 0.9 * BEGIN, atol=1e-3)
    assert held_open(avatar.neutral, face, closure) is face
    frame = avatar.crop.copy()
    Lids().close(frame, lids, closure, np.zeros((478, 3), np.float32), avatar.pose)
    np.testing.assert_array_equal(frame, avatar.crop)


def test_networks_never_draw_a_closed_eye(avatar: Avatar, lids: tuple[Lid | None, ...]) -> None:
    for asked in (0.2, 0.6, 1.0):
        face = blinking(avatar, asked)
        held = held_open(avatar.neutral, face, closures(avatar.neutral, face, lids))
        np.testing.assert_allclose(closures(avatar.neutral, held, lids), drawn(np.float32(asked)), atol=2e-3)
    assert drawn(np.ones(2, np.float32)).max() <= MOST
    steps = np.diff(drawn(np.linspace(0, 1, 101, dtype=np.float32)))
    assert (steps >= 0).all() and steps.max() < 0.0101


def test_no_frame_of_a_blink_jumps(avatar: Avatar, generator: CompactGenerator) -> None:
    source = avatar.source(generator)
    closure = np.linspace(BEGIN - 0.04, BEGIN + 0.16, 11)
    frames = np.array([generator.render(source, blinking(avatar, c), avatar.pose) for c in closure], np.float32)
    changes = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    assert changes.max() < 4 * np.median(changes) + 0.02


def test_what_stands_before_the_face_is_not_moved(avatar: Avatar, generator: CompactGenerator) -> None:
    crop = avatar.crop.copy()
    top = int(avatar.mesh[EYE_LEFT + EYE_RIGHT, 1].min() - 0.11 * avatar.pose.scale)
    crop[top - 4 : top] = 20
    source = generator.prepare(crop, avatar.mesh)
    still, shut = (generator.render(source, blinking(avatar, c), avatar.pose) for c in (0.0, 1.0))
    rim = slice(top - 8, top + 4), slice(SIZE // 4, 3 * SIZE // 4)
    assert np.abs(still[rim].astype(int) - shut[rim].astype(int)).mean() < 3


def test_a_grey_portrait_blinks_in_grey(avatar: Avatar, generator: CompactGenerator) -> None:
    grey = np.repeat(cv2.cvtColor(avatar.crop, cv2.COLOR_RGB2GRAY)[..., None], 3, -1).astype(np.uint8)
    source = generator.prepare(grey, avatar.mesh)
    eyes = avatar.mesh[EYE_LEFT + EYE_RIGHT, 1]
    rows = slice(int(eyes.min()) - 12, int(eyes.max()) + 12)
    for closure in (0.05, 0.5, 1.0):
        frame = generator.render(source, blinking(avatar, closure), avatar.pose)[rows].astype(int)
        assert np.ptp(frame, axis=-1).max() <= 2


def test_a_shut_lid_has_a_dark_line_and_no_hole(lids: tuple[Lid | None, ...]) -> None:
    for lid in lids:
        assert lid is not None
        laid = layer(lid, 1.0)
        middle = laid.shape[1] // 2
        rows = slice(int(lid.upper[middle]), int(lid.lower[middle]) + 1)
        assert laid[rows, middle, 3].min() > 0.99
        light = laid[:, middle, :3].sum(-1) / np.maximum(laid[:, middle, 3], 1e-3)
        seam = int(lid.lower[middle])
        assert light[seam - 1 : seam + 3].min() < 0.75 * light[int(lid.upper[middle])]


def test_lashes_go_down_with_a_lid_that_narrows(lids: tuple[Lid | None, ...]) -> None:
    """As much of them is laid at a third of the way as at its beginning; half was, and made-up eyes were bare."""
    for lid in lids:
        assert lid is not None
        bare = replace(lid, above=np.zeros_like(lid.above))
        laid = [float(np.abs(layer(lid, part) - layer(bare, part)).sum()) for part in (0.02, 0.35)]
        assert laid[0] > 0 and laid[1] > 0.8 * laid[0], laid


def test_lashes_amid_the_dots_of_a_print_are_dark(avatar: Avatar) -> None:
    """Fair lashes of a coarse print: a shut line as faint as they are is lost among its dots."""
    rows, columns = np.indices(avatar.crop.shape[:2])
    dots = 1 + 0.3 * np.sign(np.sin(rows * 1.6) * np.sin(columns * 1.6))[..., None]
    faint = 0.55 * avatar.crop.astype(np.float32) + 70
    for picture, least, most in ((faint, 0.4, 1.0), ((faint - 20) * dots, 0.0, 0.4)):
        for lid in Lids().prepare(np.clip(picture, 0, 255).astype(np.uint8), avatar.mesh, avatar.pose, 1.0):
            assert lid is not None
            lashes = float(lid.dark.mean()) / float(np.median(lid.plate.mean(-1)))
            assert least < lashes < most, lashes


def test_the_shut_line_of_a_pale_picture_is_no_darker_than_its_open_eye(avatar: Avatar) -> None:
    """A miniature in faint colours: a black line on it is no lash."""
    pale = np.asarray(165 + 0.16 * (avatar.crop.astype(np.float32) - 140), np.float32).astype(np.uint8)
    pale = np.asarray(cv2.GaussianBlur(pale, (0, 0), 1.0), np.uint8)
    for lid in Lids().prepare(pale, avatar.mesh, avatar.pose, 1.0):
        assert lid is not None
        laid = layer(lid, 1.0)
        light = laid[..., :3].mean(-1) / np.maximum(laid[..., 3], 1e-3)
        (left, top), (right, bottom) = lid.points.min(0) - 8, lid.points.max(0) + 8
        darkest = float(np.percentile(pale[int(top) : int(bottom), int(left) : int(right)].mean(-1), 1))
        assert 0.75 * darkest < light[laid[..., 3] > 0.9].min() < 0.95 * float(np.median(lid.plate.mean(-1)))


def test_an_eye_that_is_shut_already_or_out_of_sight_has_no_layers(avatar: Avatar) -> None:
    mesh = avatar.mesh.copy()
    mesh[EYE_LEFT, 1] = mesh[EYE_LEFT, 1].mean()
    mesh[EYE_RIGHT, 0] += SIZE
    lids = Lids().prepare(avatar.crop, mesh, avatar.pose, 1.0)
    assert lids == (None, None)
    face = blinking(avatar, 1.0)
    closure = closures(avatar.neutral, face, lids)
    assert not closure.any() and held_open(avatar.neutral, face, closure) is face


def test_white_below_a_tracked_lower_lid_goes_as_well(avatar: Avatar) -> None:
    """Lids of a wide painted eye are tracked too high; what shows of the white below them is behind a shut lid."""
    mesh, crop = avatar.mesh.copy(), avatar.crop.copy()
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for loop in LOOPS:
        wide = (
            mesh[loop, :2] + np.array([0, 0.03 * avatar.pose.scale]) * (mesh[loop, 1] > mesh[loop, 1].mean())[:, None]
        )
        cv2.fillPoly(mask, [np.round(wide).astype(np.int32)], 1)
    crop[mask > 0] = (250, 250, 250)
    shut = Lids().prepare(crop, mesh, avatar.pose, 0.7)
    for lid in shut:
        assert lid is not None
        seen = cv2.warpAffine(mask, lid.matrix, lid.plate.shape[1::-1], flags=cv2.INTER_NEAREST)
        below = (seen > 0) & (np.arange(len(seen))[:, None] > lid.lower + 1)
        assert below.sum() > 20 and np.median(lid.plate[below].min(-1)) < 215


def test_folds_go_faintly_and_a_rim_that_crosses_stays(avatar: Avatar) -> None:
    """A dark arc over the lid is what is left of its lashes; a line across the whole eye is a pair of spectacles."""
    unit = float(avatar.pose.scale)
    line = avatar.mesh[EYE_LEFT[1:8], :2] - np.array([0, 0.06 * unit])
    across = np.stack([line[3] - [0.5 * unit, 0], line[3] + [0.5 * unit, 0]])
    kept = []
    for points in (line, across):
        picture = avatar.crop.copy()
        cv2.polylines(picture, [np.round(points).astype(np.int32)], False, (30, 25, 20))
        lid = Lids().prepare(picture, avatar.mesh, avatar.pose, 0.7)[0]
        assert lid is not None
        x, y = np.round(lid.matrix[:, :2] @ line[3] + lid.matrix[:, 2]).astype(int)
        kept.append(float(lid.plate[y - 1 : y + 2, x].sum(-1).min()))
    assert kept[0] > 350 > kept[1]


def test_a_lid_in_the_shade_of_a_hat_stays_in_it(avatar: Avatar) -> None:
    rows = np.arange(avatar.crop.shape[0], dtype=np.float32)[:, None, None]
    edge = float(avatar.mesh[[33, 133, 362, 263], 1].mean()) + 0.02 * avatar.pose.scale
    shade = 0.25 + 0.75 / (1 + np.exp(-(rows - edge) / 2))
    lids = Lids().prepare(np.round(avatar.crop * shade).astype(np.uint8), avatar.mesh, avatar.pose, 0.7)
    for lid in lids:
        assert lid is not None
        middle = slice(lid.plate.shape[1] // 2 - 8, lid.plate.shape[1] // 2 + 8)
        height = round(float(lid.upper[middle].mean()))
        above, below = lid.plate[: height // 2, middle].mean(), lid.plate[-4:, middle].mean()
        assert lid.plate[height + 1, middle].mean() < above + 0.35 * (below - above)


def test_light_skin_under_an_eye_is_no_white_of_it(avatar: Avatar) -> None:
    """A cheek as light as the white stays as it is when the eye shuts: no box of skin is laid over it."""
    crop, mesh, unit = (0.6 * avatar.crop).astype(np.uint8), avatar.mesh, float(avatar.pose.scale)
    for loop in LOOPS:
        low, high = mesh[loop, :2].min(0), mesh[loop, :2].max(0)
        area = np.array([[low[0], (low[1] + high[1]) / 2], [high[0], high[1] + 0.08 * unit]]).round().astype(int)
        crop[area[0, 1] : area[1, 1], area[0, 0] : area[1, 0]] = (235, 225, 220)
    for lid in Lids().prepare(crop, mesh, avatar.pose, 0.7):
        assert lid is not None
        seen = cv2.warpAffine(crop, lid.matrix, lid.plate.shape[1::-1], flags=cv2.INTER_CUBIC)
        middle = slice(lid.plate.shape[1] // 2 - 6, lid.plate.shape[1] // 2 + 6)
        first = round(float(lid.lower[middle].max()) + 0.045 * unit)
        assert np.abs(lid.plate[first:, middle] - seen[first:, middle]).max() <= 2
