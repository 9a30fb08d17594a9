"""The layout of a face's skin: whoever it is, the same places."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.meshwarp import EYE_LEFT, OUTER_LIP
from speechhead.generators.compact.skin_layout import SIDE, bands, laid, skin_layout, unwrapped

SIZE = 512


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar.open("eileen_collins", SIZE).resampled(SIZE)


def test_what_is_laid_on_a_face_is_read_back(avatar: Avatar) -> None:
    layout = skin_layout()
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    field = (100 + 40 * np.sin(x / 9) + 40 * np.cos(y / 7)).astype(np.float32)
    picture = np.repeat(laid(field, avatar.mesh, SIZE // 2)[..., None], 3, 2).round().astype(np.uint8)
    half = np.asarray(avatar.mesh / 2, np.float32)
    back = unwrapped(picture, half, float(avatar.pose.scale) / 2)[..., 0]
    where = layout.reach > 0.5
    assert np.median(np.abs(back[where] - field[where])) < 2


def test_lips_and_lids_are_no_skin_and_out_of_reach() -> None:
    layout = skin_layout()
    for loop in (OUTER_LIP, EYE_LEFT):
        x, y = np.round(layout.places[loop].mean(0)).astype(int)
        assert layout.skin[y, x] == 0 and layout.reach[y, x] == 0
    x, y = np.round(layout.places[205]).astype(int)  # a cheek
    assert layout.skin[y, x] == 1 and layout.reach[y, x] == 1
    assert layout.reach[:20].max() == 0  # the forehead


def test_bands_are_the_same_in_any_light(avatar: Avatar) -> None:
    seen = unwrapped(avatar.crop, avatar.mesh, float(avatar.pose.scale))
    dim = (seen * 0.7).round().astype(np.uint8)
    assert np.abs(bands(seen) - bands(dim)).mean() < 0.01
    assert np.abs(bands(np.full_like(seen, 90))).max() < 1e-3
