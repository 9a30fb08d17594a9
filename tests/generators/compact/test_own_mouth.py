"""A portrait's own open mouth is drawn as it is: its light, and where its rows stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import MESH_TO_70, Pose, to_normalised, to_pixels
from speechhead.generators.compact.jaw import CHIN
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP
from speechhead.generators.compact.open_mouth import SeenInside, look
from speechhead.generators.compact.own_mouth import SEEK, OwnMouth, unlike
from speechhead.generators.compact.teeth import Inside, Teeth

SEEN = SeenInside(contrast=0.2, light=1.0, teeth=0.3, lower=0.3)


def test_a_step_goes_towards_what_the_portrait_shows() -> None:
    lighter = OwnMouth().nearer(replace(SEEN, light=1.2), SEEN)
    lower = OwnMouth().nearer(replace(SEEN, teeth=0.45, lower=0.6), SEEN)
    upper = OwnMouth().nearer(replace(SEEN, teeth=0.45), SEEN)
    assert lighter.light > 0.1 and abs(lighter.jaw) + abs(lighter.bite) < 1e-9
    assert lower.jaw < -0.001 and abs(lower.bite) + abs(lower.light) < 1e-9
    assert upper.bite > 0.001 and abs(upper.jaw) + abs(upper.light) < 1e-9


def test_unlike_is_nothing_for_the_same_mouth_and_grows_with_what_differs() -> None:
    assert unlike(SEEN, SEEN) == 0 < unlike(SEEN, replace(SEEN, light=1.1)) < unlike(SEEN, replace(SEEN, light=1.3))
    assert unlike(SEEN, replace(SEEN, lower=0.1)) > 0.2


def test_no_mouth_is_moved_further_than_mouths_differ() -> None:
    found = OwnMouth()
    for _ in range(50):
        found = found.nearer(SeenInside(1, 9, 1, 1), SeenInside(0, 0.01, 0, 0))
    assert (abs(found.light), abs(found.jaw), abs(found.bite)) <= SEEK.most


def test_closed_lips_keep_nothing_and_a_full_smile_keeps_the_jaw() -> None:
    found = OwnMouth(0.3, -0.03, 0.02)
    assert found.kept(SEEN, 0) == OwnMouth()
    full = found.kept(SeenInside(0.2, 1.2, 1.0, 1.0), 1)
    assert replace(found, light=-0.3).kept(SEEN, 1).light == pytest.approx(-SEEK.darker * 0.3)
    assert full.jaw == 0 and full.light == pytest.approx(SEEK.lighter * 0.3)


def opened_mouth(avatar: Avatar, inside: Inside, teeth: Teeth) -> tuple[np.ndarray, np.ndarray, Pose]:
    """The portrait with an open mouth that `inside` draws, its mesh and pose."""
    canonical = to_normalised(avatar.mesh, avatar.pose)
    opening = np.zeros_like(canonical)
    opening[LOWER_INNER_LIP[2:-2], 1] = 0.1
    opening[[MESH_TO_70[point] for point in CHIN], 1] = 0.07
    mesh = to_pixels(canonical + opening, avatar.pose)
    return teeth.draw(avatar.crop.copy(), inside, canonical + opening, avatar.pose), mesh, avatar.pose


@pytest.mark.parametrize("jaw", [-0.02, 0.03])
def test_rows_that_stand_elsewhere_are_found(jaw: float) -> None:
    """A portrait whose open mouth was drawn with its jaw elsewhere is prepared nearer to that jaw."""
    avatar, teeth = Avatar.default(256), Teeth()
    usual = teeth.prepare(avatar.crop, avatar.mesh, to_normalised(avatar.mesh, avatar.pose), avatar.pose)
    picture, mesh, pose = opened_mouth(avatar, usual.like(OwnMouth(jaw=jaw)), teeth)
    alike, _, _ = opened_mouth(avatar, usual, teeth)
    own, other = (look(each, mesh, pose.scale) for each in (picture, alike))
    found = [teeth.prepare(each, mesh, to_normalised(mesh, pose), pose).habit for each in (picture, alike)]
    assert found[0] is not None and found[1] is not None and own.lower != other.lower
    assert (found[0].jaw - found[1].jaw) * jaw > 0


def test_light_of_an_open_mouth_is_its_own() -> None:
    avatar, teeth = Avatar.default(256), Teeth()
    usual = teeth.prepare(avatar.crop, avatar.mesh, to_normalised(avatar.mesh, avatar.pose), avatar.pose)
    whites = []
    for light in (-0.3, 0.0):
        picture, mesh, pose = opened_mouth(avatar, usual.like(OwnMouth(light=light)), teeth)
        whites.append(teeth.prepare(picture, mesh, to_normalised(mesh, pose), pose).white.mean())
    assert whites[0] < 0.95 * whites[1]
