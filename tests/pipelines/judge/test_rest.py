"""The measure of a smile's folds sees them, and that they are softer at rest."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.judge import rest
from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.skin_layout import SIDE, bands, skin_layout


def test_contrast_is_that_of_the_folds() -> None:
    flat = np.full((SIDE, SIDE, 3), 120, np.uint8)
    assert rest.contrast(bands(flat)) == pytest.approx(0, abs=1e-3)
    x, y = np.round(skin_layout().places[206]).astype(int)
    folded = flat.copy()
    folded[y - 6 : y + 6, x - 1 : x + 2] = 70
    elsewhere = flat.copy()
    elsewhere[10:14, 40:50] = 70  # on the forehead
    assert rest.contrast(bands(folded)) > 0.05 > 10 * rest.contrast(bands(elsewhere))


def test_a_smile_of_a_shipped_portrait_is_softer_at_rest() -> None:
    avatar = Avatar.open("eileen_collins", 256).resampled(256)
    row = rest.of_portrait(CompactGenerator.load(256, threads=1), avatar)
    assert row is not None
    assert row["left"] < 1 and row["contrast_after"] < row["contrast_before"]
