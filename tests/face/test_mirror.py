"""The mirror of a face: partners of all points, and pictures that stay the same person."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_70, REFERENCE
from speechhead.face.mirror import LANDMARK_MIRROR, MESH_MIRROR, mirrored


def test_partners_of_landmarks_are_the_partners_of_their_vertices():
    assert np.array_equal(MESH_TO_70[LANDMARK_MIRROR], MESH_MIRROR[MESH_TO_70])
    assert LANDMARK_MIRROR[[0, 8, 36, 48, 61, 67, 68]].tolist() == [16, 8, 45, 54, 63, 65, 69]


@pytest.mark.parametrize("index", [LANDMARK_MIRROR, MESH_MIRROR])
def test_every_point_is_its_partners_partner(index):
    assert np.array_equal(index[index], np.arange(len(index)))


@pytest.mark.parametrize("face", [REFERENCE, MESH_REFERENCE])
def test_the_reference_face_is_its_own_mirror_image(face):
    assert np.abs(mirrored(face) - face).max() < 0.01  # outer eye distances; the canonical face is nearly symmetric


def test_mirroring_twice_in_a_picture_is_nothing():
    track = REFERENCE * np.float32(80) + np.float32([100, 120, 0]) + np.zeros((4, 70, 3), np.float32)
    once = mirrored(track, 256)
    assert once.dtype == np.float32 and once[0, 30, 0] == pytest.approx(256 - track[0, 30, 0])
    assert np.allclose(mirrored(once, 256), track, atol=1e-4)
