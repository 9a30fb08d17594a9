"""How mouths differ from the rules: told by the portrait and by the moment, within bounds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import REFERENCE, to_normalised
from speechhead.generators.compact.habit import FITTED, Habit, gleam, of_moment, opened, sharpness, told_by
from speechhead.generators.compact.meshwarp import OUTER_LIP
from speechhead.generators.compact.teeth import Teeth


@pytest.fixture(scope="module")
def smiling() -> Avatar:
    return Avatar.open("eileen_collins", size=256)


def habit(avatar: Avatar) -> Habit:
    return Habit.of_portrait(avatar.crop, avatar.mesh, avatar.pose)


def blurred(avatar: Avatar, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(avatar.crop, (0, 0), sigma), np.uint8)


def test_soft_portraits_have_less_light_on_their_teeth(smiling: Avatar) -> None:
    soft = Habit.of_portrait(blurred(smiling, 2), smiling.mesh, smiling.pose)
    assert soft.upper < habit(smiling).upper - 0.03 and soft.lower < habit(smiling).lower - 0.03


def test_lips_tell_of_their_teeth_as_far_as_they_are_open(smiling: Avatar) -> None:
    closed = Avatar.default(256)
    assert opened(closed.mesh, closed.pose) == 0 < opened(smiling.mesh, smiling.pose) <= 1


def test_keen_portraits_have_teeth_that_gleam_and_blurred_ones_do_not(smiling: Avatar) -> None:
    scale = smiling.pose.scale
    keen, soft = (gleam(crop, smiling.mesh, scale) for crop in (smiling.crop, blurred(smiling, 3)))
    assert soft == 0 < keen <= FITTED.gleam * FITTED.keen[2]


def test_nothing_is_told_beyond_what_was_seen(smiling: Avatar) -> None:
    """Wildest moments and portraits leave teeth within the bounds of light, and where teeth are."""
    for way in (-1.0, 1.0):
        face = REFERENCE.copy()
        face[48:68, 1] += way * np.linspace(-1, 1, 20)
        now = habit(smiling).now(face, REFERENCE)
        for light in (float(now.lower), float(now.upper)):
            assert FITTED.light[0] - 1e-6 < light < FITTED.light[1] + 1e-6
        assert abs(float(now.jaw)) < 0.06 and abs(float(now.bite)) < 0.02


def test_the_mean_moment_adds_nothing() -> None:
    assert not told_by(FITTED.moment_mean, FITTED.moment_mean, FITTED.moment_spread, FITTED.moment).any()


def test_moments_are_measured_from_rest() -> None:
    face = REFERENCE.copy()
    face[[65, 66, 67], 1] += 0.1
    face[64, 0] += 0.03
    still, moved = of_moment(REFERENCE, REFERENCE), of_moment(face, REFERENCE)
    np.testing.assert_allclose(moved - still, [0, 0.1, 0, 0, 0.03, 0.1, 0, -0.1], atol=1e-5)


def test_light_follows_the_lips() -> None:
    """What was learned is smooth in time: light follows the lips without jumps."""
    lights = []
    for share in np.linspace(0, 1, 50):
        face = REFERENCE.copy()
        face[[65, 66, 67], 1] += 0.2 * share
        lights.append(float(Habit().now(face, REFERENCE).upper))
    assert lights[-1] > lights[0] and np.abs(np.diff(lights)).max() < 0.03


def test_blurred_lips_are_less_sharp_at_any_size() -> None:
    small, large = (Avatar.default(size) for size in (256, 512))
    sharp, same, soft = (
        sharpness(crop, [avatar.mesh[OUTER_LIP]], avatar.pose.scale)
        for avatar, crop in ((large, large.crop), (small, small.crop), (large, blurred(large, 4)))
    )
    assert soft < sharp - 0.3 and abs(same - sharp) < 0.5


def test_a_portrait_is_prepared_with_a_habit(smiling: Avatar) -> None:
    canonical = to_normalised(smiling.mesh, smiling.pose)
    inside = Teeth().prepare(smiling.crop, smiling.mesh, canonical, smiling.pose)
    assert inside.habit is not None and inside.habit.jaw_share == FITTED.jaw
