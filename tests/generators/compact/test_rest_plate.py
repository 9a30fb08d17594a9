"""A smile's folds go with the smile, and nothing else does."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import from_mesh, to_normalised
from speechhead.generators.compact.generator import CompactGenerator, Source
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT, OUTER_LIP
from speechhead.generators.compact.rest_plate import LIMIT, RestPlate, RestPlates, limited, smile_amount
from speechhead.generators.compact.skin_layout import SIDE
from speechhead.motion.rest import SMILE, rest_face, rest_system

SIZE = 256
LEFT_FOLD, RIGHT_FOLD = (206, 216), (426, 436)


@pytest.fixture(scope="module")
def smiling() -> Avatar:
    return Avatar.open("eileen_collins", SIZE).resampled(SIZE)


@pytest.fixture(scope="module")
def generator() -> CompactGenerator:
    return CompactGenerator.load(SIZE, threads=1)


@pytest.fixture(scope="module")
def source(generator: CompactGenerator, smiling: Avatar) -> Source:
    return generator.prepare(smiling.crop, smiling.mesh)


def plate_of(avatar: Avatar, crop: NDArray[np.uint8]) -> RestPlate | None:
    return RestPlates().prepare(crop, avatar.mesh, to_normalised(avatar.mesh, avatar.pose), avatar.pose)


def with_folds(avatar: Avatar, depth: float) -> NDArray[np.uint8]:
    """The portrait with a dark line from nose to mouth on either side."""
    mask = np.zeros((SIZE, SIZE), np.float32)
    for fold in (LEFT_FOLD, RIGHT_FOLD):
        cv2.polylines(mask, [np.round(avatar.mesh[list(fold), :2]).astype(np.int32)], False, 1.0, 3)
    soft = cv2.GaussianBlur(mask, (0, 0), 1.5)
    return np.asarray(np.round(avatar.crop * (1 - depth * soft[..., None])), np.uint8)


def test_the_amount_is_that_of_the_mode(smiling: Avatar) -> None:
    _, _, modes = rest_system()
    face = rest_face(smiling.neutral)
    assert smile_amount(face + 0.4 * modes[SMILE]) - smile_amount(face) == pytest.approx(0.4, abs=0.02)


def test_a_driver_who_smiles_as_the_portrait_does_changes_nothing(
    generator: CompactGenerator, source: Source, smiling: Avatar
) -> None:
    assert source.smile is not None
    own = from_mesh(source.canonical)
    assert source.smile.amount(own) == 0
    assert source.smile.amount(rest_face(own)) == pytest.approx(1)
    shown, plain = (generator.render(s, own, smiling.pose) for s in (source, dataclasses.replace(source, smile=None)))
    assert np.array_equal(shown, plain)


def test_a_fold_is_filled_at_rest_and_not_turned_into_a_ridge(smiling: Avatar) -> None:
    deep = plate_of(smiling, with_folds(smiling, 0.3))
    shallow = plate_of(smiling, smiling.crop)
    assert deep is not None and shallow is not None
    for a, b in (LEFT_FOLD, RIGHT_FOLD):
        x, y = np.round((smiling.mesh[a, :2] + smiling.mesh[b, :2]) / 4 - 0.5).astype(int)
        added = float(deep.light[y, x] - shallow.light[y, x])
        assert 2 < added < 0.3 * smiling.crop[2 * y, 2 * x].max()


def test_a_dimple_beside_the_corner_is_filled_and_one_elsewhere_is_not(smiling: Avatar) -> None:
    plain = plate_of(smiling, smiling.crop)
    assert plain is not None
    added = []
    for vertex in (57, 116):  # beside the left corner; high on the cheek
        crop = smiling.crop.copy()
        x, y = np.round(smiling.mesh[vertex, :2] - 0.5).astype(int)
        crop[y - 1 : y + 2, x - 1 : x + 2] //= 2
        plate = plate_of(smiling, crop)
        assert plate is not None
        added.append(float((plate.light - plain.light)[y // 2, x // 2]))
    assert added[0] > 5 and added[0] > 2 * added[1], added


def test_light_stays_off_lids_and_lips_and_within_its_limit(smiling: Avatar) -> None:
    plate = plate_of(smiling, with_folds(smiling, 0.5))
    assert plate is not None
    for loop in (EYE_LEFT, EYE_RIGHT, OUTER_LIP):
        x, y = np.round(smiling.mesh[loop, :2].mean(0) / 2 - 0.5).astype(int)
        assert plate.light[y, x] == 0
    assert np.abs(plate.light).max() <= np.expm1(LIMIT) * 255
    assert plate.light[: int(smiling.mesh[10, 1] / 2)].max() == 0  # nothing above the face


def test_a_face_at_rest_has_no_plate(generator: CompactGenerator) -> None:
    resting = Avatar.default(SIZE).resampled(SIZE)
    rest = rest_face(resting.neutral)
    canonical = generator.keypoints(generator.prepare(resting.crop, resting.mesh), rest)
    assert RestPlates().prepare(resting.crop, resting.mesh, canonical, resting.pose) is None


def test_greys_stay_grey(generator: CompactGenerator, smiling: Avatar) -> None:
    grey = cv2.cvtColor(cv2.cvtColor(with_folds(smiling, 0.3), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    source = generator.prepare(np.asarray(grey, np.uint8), smiling.mesh)
    assert source.smile is not None
    frame = np.full((SIZE, SIZE, 3), 128, np.uint8)
    source.smile.draw(frame, np.zeros((128, 128, 2), np.float32), smiling.mesh, 1.0)
    assert frame.std() > 0 and np.array_equal(frame[..., 0], frame[..., 2])


def test_the_light_moves_with_the_face(source: Source, smiling: Avatar) -> None:
    assert source.smile is not None
    flow = np.zeros((128, 128, 2), np.float32)
    still, moved = (np.full((SIZE, SIZE, 3), 128, np.uint8) for _ in range(2))
    source.smile.draw(still, flow, smiling.mesh, 1.0)
    flow[..., 0] = -8 * 2 / SIZE  # every pixel reads 8 pixels to its left: the face went right
    source.smile.draw(moved, flow, smiling.mesh + np.array([8, 0, 0], np.float32), 1.0)
    assert np.abs(moved[:, 8:].astype(int) - still[:, :-8].astype(int)).max() <= 1


def test_half_gone_is_half_as_much(source: Source, smiling: Avatar) -> None:
    assert source.smile is not None
    flow = np.zeros((128, 128, 2), np.float32)
    frames = []
    for amount in (0.0, 0.5, 1.0):
        frame = np.full((SIZE, SIZE, 3), 128, np.uint8)
        frames.append(source.smile.draw(frame, flow, smiling.mesh, amount).astype(int))
    assert np.abs(frames[0] - 128).max() == 0
    assert np.abs(2 * (frames[1] - 128) - (frames[2] - 128)).max() <= 2


def test_clipped_shine_is_not_darkened() -> None:
    darker = np.full((SIDE, SIDE), -0.2, np.float32)
    white, brown = (np.full((SIDE, SIDE, 3), colour, np.uint8) for colour in ((255, 240, 230), (150, 110, 90)))
    assert np.abs(limited(darker, white)).max() < 1e-6
    assert limited(darker, brown).min() < -0.05
