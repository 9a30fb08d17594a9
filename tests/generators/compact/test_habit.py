"""How mouths differ from the rules: told by a portrait's own open mouth and by the moment, within bounds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import REFERENCE, to_normalised
from speechhead.generators.compact.habit import FITTED, Habit, of_moment, sharpness, told_by
from speechhead.generators.compact.open_mouth import SeenInside
from speechhead.generators.compact.teeth import Teeth

RULED = SeenInside(contrast=0.2, light=1.0, teeth=0.4, lower=0.3)


@pytest.fixture(scope="module")
def smiling() -> Avatar:
    return Avatar.open("eileen_collins", size=256)


def habit(avatar: Avatar, own: SeenInside) -> Habit:
    return Habit.of_portrait(avatar.crop, avatar.mesh, avatar.pose, (own, RULED))


def test_a_portrait_whose_open_mouth_is_lighter_than_the_rules_gets_a_lighter_one(smiling: Avatar) -> None:
    dark, light = (habit(smiling, SeenInside(0.2, value, 0.4, 0.3)) for value in (0.7, 1.3))
    assert light.upper > dark.upper + 0.1 and light.lower > dark.lower + 0.1
    assert abs(light.bite - dark.bite) < 0.002


def test_closed_lips_tell_nothing_of_their_teeth() -> None:
    avatar = Avatar.default(256)
    assert habit(avatar, RULED) == habit(avatar, SeenInside(0.3, 2.0, 0.9, 0.9))


def test_nothing_is_told_beyond_what_was_seen(smiling: Avatar) -> None:
    """Wildest moments and portraits leave teeth within the bounds of light, and where teeth are."""
    for own in (SeenInside(1.0, 9.0, 1.0, 1.0), SeenInside(0.0, 0.01, 0.0, 0.0)):
        for way in (-1.0, 1.0):
            face = REFERENCE.copy()
            face[48:68, 1] += way * np.linspace(-1, 1, 20)
            now = habit(smiling, own).now(face, REFERENCE)
            for light in (now.lower, now.upper):
                assert FITTED.light[0] - 1e-6 < light < FITTED.light[1] + 1e-6
            assert abs(now.jaw) < 0.06 and abs(now.bite) < 0.02


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
        lights.append(Habit().now(face, REFERENCE).upper)
    assert lights[-1] > lights[0] and np.abs(np.diff(lights)).max() < 0.03


def test_blurred_lips_are_less_sharp_at_any_size() -> None:
    small, large = (Avatar.default(size) for size in (256, 512))
    blurred = cv2.GaussianBlur(large.crop, (0, 0), 4)
    sharp = sharpness(large.crop, large.mesh, large.pose.scale)
    assert sharpness(np.asarray(blurred, np.uint8), large.mesh, large.pose.scale) < sharp - 0.3
    assert abs(sharpness(small.crop, small.mesh, small.pose.scale) - sharp) < 0.5


def test_a_portrait_is_prepared_with_a_habit(smiling: Avatar) -> None:
    canonical = to_normalised(smiling.mesh, smiling.pose)
    inside = Teeth().prepare(smiling.crop, smiling.mesh, canonical, smiling.pose)
    assert inside.habit is not None and inside.habit.jaw_share == FITTED.jaw
