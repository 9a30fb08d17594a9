"""What trackers hold back of lips is given to them, and a portrait at rest stays itself."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.core.arrays import Array
from speechhead.face.landmarks import INNER_LIPS, OUTER_LIPS, REFERENCE
from speechhead.generators.compact.latents import HANGING, LOWER, TOLD, UPPER, deepened, mouth_width

REST = mouth_width(REFERENCE)


def wider(factor: float) -> Array:
    face: Array = REFERENCE.copy()
    face[np.r_[OUTER_LIPS, INNER_LIPS], 0] *= factor
    return face


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.2])
def test_the_portrait_itself_stays_itself(factor: float) -> None:
    source = wider(factor)
    np.testing.assert_allclose(deepened(source, source, REST), source, atol=1e-6)


def test_a_pucker_goes_further_than_it_is_told_and_a_deep_one_less_so() -> None:
    gained = []
    for factor in (0.98, 0.6):
        told = wider(factor)
        gained.append((REST - mouth_width(deepened(told, REFERENCE, REST))) / (REST - mouth_width(told)))
    assert gained[0] == pytest.approx(1 + TOLD.narrow, rel=0.04)
    assert 1.1 < gained[1] < 1.35


def test_a_smile_that_ends_is_no_pucker_and_a_wide_mouth_stays() -> None:
    smile = wider(1.25)
    for driving in (REFERENCE, wider(1.1)):
        np.testing.assert_allclose(deepened(driving, smile, REST), driving, atol=1e-6)


def test_red_of_a_lip_that_rolls_in_goes_further_and_the_opening_stays() -> None:
    rolled = REFERENCE.copy()
    rolled[56:59, 1] -= 0.02
    found = deepened(rolled, REFERENCE, REST)
    np.testing.assert_allclose(found[56:59, 1] - rolled[56:59, 1], -0.02 * TOLD.lower, atol=1e-5)
    np.testing.assert_array_equal(found[INNER_LIPS], rolled[INNER_LIPS])


@pytest.mark.parametrize("overgrown", [0.0, 0.5, 1.0])
def test_lips_under_hair_part_less_and_the_chin_goes_all_its_way(overgrown: float) -> None:
    opened = REFERENCE.copy()
    opened[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += 0.15
    free, found = deepened(opened, REFERENCE, REST), deepened(opened, REFERENCE, REST, overgrown)
    gap = [face[list(LOWER[1]), 1] - face[list(UPPER[1]), 1] for face in (REFERENCE, free, found)]
    left = 1 - overgrown * (HANGING.upper + HANGING.lower)
    np.testing.assert_allclose(gap[2] - gap[0], left * (gap[1] - gap[0]), atol=1e-5)
    np.testing.assert_array_equal(found[:17], opened[:17])
    assert (found[[50, 51, 52], 1] >= free[[50, 51, 52], 1]).all()
    own = deepened(REFERENCE, REFERENCE, REST, overgrown)
    np.testing.assert_allclose(own, REFERENCE, atol=1e-6)
