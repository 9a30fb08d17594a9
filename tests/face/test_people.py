"""Faces are met again from shot to shot, and told from others."""

import numpy as np

from speechhead.face.landmarks import REFERENCE
from speechhead.face.people import COLOURS, Appearance, Signature, colours, proportions, same_people

RANDOM = np.random.default_rng(0)
SHAPE = proportions(REFERENCE)


def seen(person, first, last, weight=1000.0, spread=0.5):
    """Somebody whose proportions are `person` usual differences away from the mean face."""
    shape = SHAPE + (person + spread * RANDOM.normal(size=19)) * 0.008
    colour = np.full(9, 40.0) + (3 * person + spread * RANDOM.normal(size=9)) * COLOURS
    return Appearance(Signature(shape.astype(np.float32), colour.astype(np.float32)), first, last, weight)


def test_two_people_in_turn():
    takes = [seen(0, 0, 9, 500), seen(2, 10, 19, 900), seen(0, 20, 29, 300), seen(2, 30, 39, 200)]
    people, sure = same_people(takes)
    assert people == [1, 0, 1, 0]  # the one of whom most is seen comes first
    assert min(sure) > 0.7


def test_nobody_is_in_one_picture_twice():
    twins = [seen(0, 0, 9, spread=0.0), seen(0, 5, 14, spread=0.0)]
    assert len(set(same_people(twins)[0])) == 2
    assert same_people([])[0] == []


def test_doubt_is_told():
    doubtful, clear = (same_people([seen(0, 0, 9, spread=0), seen(far, 10, 19, spread=0)])[1] for far in (0.95, 4))
    assert doubtful[1] < clear[1] and clear[1] > 0.95


def test_colours_of_skin_hair_and_clothes():
    crop = np.full((96, 96, 3), 200, np.uint8)
    crop[:16], crop[88:] = 20, (200, 30, 30)
    skin, hair, clothes = colours(crop).reshape(3, 3)
    assert hair[0] < 20 < 70 < skin[0] and clothes[1] > 40
