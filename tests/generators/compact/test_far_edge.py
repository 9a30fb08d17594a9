"""The outline of a face before its surroundings is as fine as the picture, and nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import Pose
from speechhead.generators.compact.far_edge import PersonFields, edged
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.matte import Layers
from speechhead.generators.compact.meshwarp import silhouette

SIZE, CELLS = 256, 64


@pytest.fixture(scope="module")
def layers() -> Layers:
    """A person that fills the picture: dark at the left, light at the right."""
    crop = np.zeros((SIZE, SIZE, 3), np.uint8)
    crop[:, SIZE // 2 :] = 200
    return Layers.of(crop, np.ones((SIZE, SIZE), np.float32), np.zeros_like(crop))


def disc(shift: float) -> PersonFields:
    """A face that is a disc and reads the light half; around it a flow that reads the dark one, by a shift."""
    way = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    points = (128 + 60 * np.column_stack([np.cos(way), np.sin(way)])).astype(np.float32)
    inside = silhouette(points * np.float32(CELLS / SIZE), CELLS)
    face = np.zeros((CELLS, CELLS, 2), np.float32)
    face[..., 0] = shift
    return PersonFields(face, -face, inside, points)


def test_an_outline_between_flows_that_are_apart_is_a_line_and_no_saw(layers: Layers) -> None:
    fields = disc(1.0)  # half the picture to either side
    coarse = layers.moved(fields.flow)
    fine = edged(coarse.copy(), layers, fields)
    wanted = 200 * silhouette(fields.points, SIZE)
    far = [np.abs(one[..., 0] - wanted)[32:-32, 32:-32] for one in (fine, coarse)]
    assert far[0].max() <= 2 and far[1].max() > 90
    assert (far[1] > 20).sum() > 200
    same = np.abs(fields.inside - 0.5).repeat(4, 0).repeat(4, 1) > 0.49
    away = np.hypot(*(np.indices((SIZE, SIZE)) - 128)) - 60
    assert np.array_equal(fine[same & (np.abs(away) > 14)], coarse[same & (np.abs(away) > 14)])


def test_where_both_flows_are_one_nothing_changes(layers: Layers) -> None:
    for shift in (0.0, 1e-3):
        fields = disc(shift)
        picture = layers.moved(fields.flow)
        assert np.array_equal(edged(picture.copy(), layers, fields), picture)


def test_sides_that_are_no_multiple_of_the_places_are_drawn_whole() -> None:
    size = 250
    crop = np.full((size, size, 3), 90, np.uint8)
    layers = Layers.of(crop, np.ones((size, size), np.float32), np.zeros_like(crop))
    picture = np.zeros_like(crop)
    edged(picture, layers, disc(0.5))
    rows = np.flatnonzero(picture[:, 128, 0] == 90)
    assert rows.min() < 72 and rows.max() > 180
    assert set(np.unique(picture)) == {0, 90}


def test_beside_the_rim_of_a_turned_face_no_place_reads_what_is_around_it() -> None:
    """With five of nine neighbours, as the median takes, a place reads 5.7 places aside, which shows as a dot."""
    avatar = Avatar.open("mara", 192).resampled(192)
    generator = CompactGenerator.load(192, threads=1)
    source = generator.prepare(avatar.crop, avatar.mesh)
    yaw, pitch, roll = source.pose.angles
    pose = Pose.from_angles(yaw - 20, pitch, roll, source.pose.translation, source.pose.scale)
    fields = generator._fields(source, generator.keypoints(source, avatar.neutral), pose)
    even = [cv2.medianBlur(np.ascontiguousarray(fields.face[..., axis]), 5) for axis in (0, 1)]
    rim = (cv2.erode(fields.inside, np.ones((7, 7))) < 1) & (fields.inside > 0.5)
    assert np.abs(fields.face - np.dstack(even))[rim].max() * len(rim) / 2 < 4.5
