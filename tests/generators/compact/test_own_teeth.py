"""A smile's own teeth: their light and their edge are taken where a portrait shows them, and only there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import from_mesh, remove_pose, to_normalised
from speechhead.generators.compact import teeth as module
from speechhead.generators.compact.mouth_light import LUMA, TONES
from speechhead.generators.compact.own_teeth import SMILE
from speechhead.generators.compact.teeth import ARCHES, Inside, Teeth


@pytest.fixture(scope="module")
def smiling() -> Avatar:
    return Avatar.open("eileen_collins", size=512)


def prepared(avatar: Avatar) -> Inside:
    return Teeth().prepare(avatar.crop, avatar.mesh, to_normalised(avatar.mesh, avatar.pose), avatar.pose)


def test_closed_lips_tell_nothing() -> None:
    avatar = Avatar.default(256)
    assert prepared(avatar).bite == ARCHES.upper_bite


def test_a_smile_lends_its_teeth_light_and_edge(smiling: Avatar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn so, the row is more like the portrait than under a light that is guessed."""
    own = prepared(smiling)
    monkeypatch.setattr(module, "own_teeth", lambda *_: None)
    model = prepared(smiling)
    assert SMILE.shown[0] <= own.bite <= SMILE.shown[1] and model.bite == ARCHES.upper_bite
    keypoints = to_normalised(smiling.mesh, remove_pose(from_mesh(smiling.mesh)[None])[1][0])
    errors = []
    for inside in (own, model):
        (rows, columns), deep, share = Teeth().layer(512, inside, keypoints, smiling.pose)
        off = np.abs(np.clip(deep, 0, 255) - smiling.crop[rows, columns])
        errors.append(float((off * share).mean() / share.mean()))
    assert errors[0] < 0.97 * errors[1], errors


def test_a_row_is_never_part_portrait_and_part_model(smiling: Avatar, monkeypatch: pytest.MonkeyPatch) -> None:
    own = prepared(smiling)
    monkeypatch.setattr(module, "own_teeth", lambda *_: None)
    model = prepared(smiling)
    for name in ("upper", "lower"):
        np.testing.assert_array_equal(getattr(own, name).colour, getattr(model, name).colour)


def test_the_brightest_light_leaves_a_smiles_teeth_their_hue(smiling: Avatar) -> None:
    warm = dataclasses.replace(smiling, crop=(smiling.crop * np.array([1, 0.95, 0.88])).astype(np.uint8))
    ratios = []
    for avatar in (smiling, warm):
        light = prepared(avatar).light
        shown = light.on_teeth(np.full(3, 9, np.float32))
        assert light.most * 0.97 < shown @ LUMA * TONES.front < light.most * 1.01
        ratios.append(shown[0] / shown[2])
    assert ratios[1] > 1.05 * ratios[0]


def test_where_the_mouth_is_dark_the_head_model_stays(smiling: Avatar) -> None:
    mesh, dark = smiling.mesh, smiling.crop.copy()
    x0, x1, y0, y1 = (int(v) for v in (*mesh[[61, 291], 0], mesh[13, 1], mesh[14, 1]))
    dark[y0 - 4 : y1 + 5, x0:x1] = (40, 15, 12)
    assert prepared(dataclasses.replace(smiling, crop=dark)).bite == ARCHES.upper_bite
