"""Mouths in films: drawn round the mouth alone, from what a shot tells of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from speechhead.face.crop import crop_square, cut_square
from speechhead.face.landmarks import Pose, from_mesh, remove_pose, to_normalised, to_pixels
from speechhead.face.tracker import FaceTracker
from speechhead.generators.compact.dub import MouthDubber, MouthFrame, follows, lip_tone, teeth_colours
from speechhead.motion.rest import rest_face


@pytest.fixture(scope="module")
def dubber():
    return MouthDubber()


@pytest.fixture(scope="module")
def face(portrait):
    """Picture, mesh and pose of a face of usual size."""
    small = np.ascontiguousarray(portrait[::2, ::2])
    mesh = FaceTracker().locate(small).mesh
    return small, mesh, remove_pose(from_mesh(mesh)[None])[1][0]


@pytest.fixture(scope="module")
def model(dubber, face):
    picture, mesh, pose = face
    left, top, side = map(round, crop_square(pose))
    look = cut_square(picture, left, top, side), np.asarray(mesh - np.array([left, top, 0], np.float32))
    return dubber.model([look], look)


def wanted(dubber, face, opening, share=1.0):
    """A region of the picture, and its mouth opened by so many outer eye distances."""
    picture, mesh, pose = face
    middle = to_pixels(np.array([0, 0.85, -0.1]), pose)[:2]
    side = round(2.2 * pose.scale)
    left, top = (int(value) for value in middle - side / 2)
    corner = np.array([left, top, 0], np.float32)
    canonical = to_normalised(mesh, pose)
    rest = dubber.rest(canonical, rest_face(from_mesh(canonical)))
    driven = from_mesh(rest).copy()
    driven[[*range(4, 13), *range(55, 60), *range(64, 68)], 1] += opening
    there = Pose(pose.rotation, pose.translation - corner, pose.scale)
    return cut_square(picture, left, top, side), MouthFrame(mesh - corner, there, rest, driven, share)


def test_a_mouth_opens_and_nothing_else_moves(dubber, face, model):
    region, frame = wanted(dubber, face, 0.2)
    before = region.copy()
    opened = dubber.draw(region, frame, model)
    assert np.array_equal(region, before)
    seen = to_pixels(frame.driven, frame.pose)[:, :2]
    changed = np.abs(opened.astype(int) - region).max(-1) > 12
    rows = np.nonzero(changed)[0]
    assert changed.any() and rows.min() > frame.mesh[from_mesh_eyes(), 1].max()
    x, y = np.round(seen[[62, 66]].mean(0)).astype(int)
    lips = opened[round(seen[51, 1]) + 1, x]
    assert not np.array_equal(opened[y, x], region[y, x]) and lips.max() > 40


def from_mesh_eyes():
    return [33, 133, 145, 263, 362, 374]


def test_a_mouth_on_its_way(dubber, face, model):
    away = []
    for share in (0.0, 0.5, 1.0):
        region, frame = wanted(dubber, face, 0.15, share)
        away.append(np.abs(dubber.draw(region, frame, model).astype(int) - region).mean())
    assert away[0] < 0.25 * away[2] and away[0] < away[1] < away[2]


def test_size_does_not_matter(dubber, face, model, portrait):
    region, frame = wanted(dubber, face, 0.15)
    large = np.repeat(np.repeat(region, 2, 0), 2, 1)
    pose = Pose(frame.pose.rotation, frame.pose.translation * 2, frame.pose.scale * 2)
    twice = dubber.draw(large, replace(frame, mesh=frame.mesh * 2, pose=pose), model)
    once = dubber.draw(region, frame, model)
    assert np.abs(twice[::2, ::2].astype(int) - once).mean() < 3


def test_lips_follow_the_light_of_the_frame(dubber, face, model):
    region, frame = wanted(dubber, face, 0.0)
    dark = (region * 0.7).astype(np.uint8)
    tone = lip_tone(dark, frame.mesh) / lip_tone(region, frame.mesh)
    assert tone == pytest.approx(0.7, abs=0.03)
    drawn, usual = (dubber.draw(picture, frame, model).mean((0, 1)) for picture in (dark, region))
    assert drawn / usual == pytest.approx(0.7, abs=0.03)


def test_teeth_are_told_from_lips():
    crop = np.full((40, 40, 3), (150, 70, 60), np.uint8)
    share = np.ones((20, 20, 1), np.float32)
    layer = (slice(10, 30), slice(10, 30)), np.full((20, 20, 3), 200, np.float32), share
    assert teeth_colours(crop, layer) is None
    crop[12:20, 12:28] = (180, 170, 160)
    seen, drawn = teeth_colours(crop, layer)
    assert seen == pytest.approx((180, 170, 160)) and drawn == pytest.approx(200)
    assert teeth_colours(crop, (layer[0], layer[1], 0 * share)) is None


def test_only_the_lower_face_follows():
    weight = follows()[:, 0]
    assert weight.shape == (478,) and weight[[33, 263, 10, 168, 468]].max() == 0
    assert weight[[13, 14, 17, 152]].min() > 0.95
