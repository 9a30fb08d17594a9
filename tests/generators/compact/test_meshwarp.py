"""The landmark warp: rest is rest, landmarks land where they should, the border never moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_70, Pose, to_pixels
from speechhead.generators.compact.meshwarp import (
    EYE_LEFT,
    IRIS_LEFT,
    MeshWarp,
    border_taper,
    grown,
    pixel_grid,
    places,
    sample,
    silhouette,
    upsample,
)

SIZE = 256
POSE = Pose.from_angles(yaw=6, pitch=-4, roll=3, translation=(130, 110, 0), scale=68)


@pytest.fixture(scope="module")
def warper() -> MeshWarp:
    return MeshWarp(MESH_REFERENCE, POSE, SIZE)


def test_the_source_face_gives_no_flow(warper: MeshWarp) -> None:
    flow, coverage = warper.flow(MESH_REFERENCE, POSE)
    assert np.abs(flow).max() < 1e-4
    assert coverage.max() == 1 and coverage[0, 0] == 0


def test_flow_at_a_driving_landmark_points_to_its_source(warper: MeshWarp) -> None:
    driving = MESH_REFERENCE.copy()
    driving[:, 1] += 0.05 * (driving[:, 1] > 0.3)  # the jaw drops
    pose = Pose.from_angles(yaw=0, pitch=2, roll=0, translation=(126, 114, 0), scale=68)
    flow, _ = warper.flow(driving, pose, 256)
    chin_nose_eyes = MESH_TO_70[[8, 30, 36, 45, 57]]
    for vertex in chin_nose_eyes:
        at = to_pixels(driving[vertex], pose)[:2]
        wanted = (to_pixels(MESH_REFERENCE[vertex], POSE)[:2] - at) * 2 / SIZE
        x, y = np.round(at - 0.5).astype(int)
        assert np.abs(flow[y, x] - wanted).max() < 0.02  # within 2.5 px, at the edges of folding triangles too


def test_an_iris_moves_as_a_disc_within_lids_that_stay(warper: MeshWarp) -> None:
    driving = MESH_REFERENCE.copy()
    glance = np.float32([0.04, 0, 0])
    driving[468:] += glance
    flow, _ = warper.flow(driving, POSE, 512)
    at = to_pixels(driving[IRIS_LEFT], POSE)[:2] * 2
    wanted = (to_pixels(MESH_REFERENCE[IRIS_LEFT], POSE) - to_pixels(driving[IRIS_LEFT], POSE))[:2] * 2 / SIZE
    for dx in (-4, 0, 4):  # pixels of 512; the iris has a radius of nine
        x, y = np.round(at - 0.5 + [dx, 0]).astype(int)
        assert np.abs(flow[y, x] - wanted).max() < 0.004
    for vertex in (EYE_LEFT[0], EYE_LEFT[8]):
        x, y = np.round(to_pixels(MESH_REFERENCE[vertex], POSE)[:2] * 2 - 0.5).astype(int)
        assert np.abs(flow[y, x]).max() < 0.006


def test_pictures_stay_still_at_the_border(warper: MeshWarp) -> None:
    flow, _ = warper.flow(MESH_REFERENCE, Pose.from_angles(roll=15, translation=(120, 120, 0), scale=72))
    assert np.abs(flow).max() > 0.05
    assert np.abs(flow[[0, -1]]).max() < 0.02 and np.abs(flow[:, [0, -1]]).max() < 0.02
    assert border_taper(64)[[0, -1]].max() < 0.05


def test_sample_reads_where_the_flow_points() -> None:
    image = np.arange(64, dtype=np.float32).reshape(8, 8, 1)
    shift = np.zeros((8, 8, 2), np.float32)
    shift[..., 0] = 2 / 8  # one pixel to the right
    assert np.allclose(sample(image, shift)[:, :-1], image[:, 1:, 0], atol=1e-4)
    assert np.allclose(pixel_grid(2, 4)[0, :, 0], [-0.75, -0.25, 0.25, 0.75])


def test_a_coarse_flow_reads_like_its_fine_one() -> None:
    image = cv2.resize(np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8), (128, 128))
    flow = (0.05 * border_taper(32)[..., None] * np.float32([1, -0.5])).astype(np.float32)
    fine = cv2.resize(flow, (128, 128))
    assert np.abs(upsample(image, flow).astype(int) - sample(image, fine).astype(int)).max() <= 1
    assert np.array_equal(upsample(image, np.zeros_like(flow)), image)


def test_a_dense_image_reads_like_its_pixels() -> None:
    image = np.random.default_rng(0).random((16, 16, 3), np.float32)
    dense = cv2.resize(image, (32, 32), interpolation=cv2.INTER_LINEAR)
    dense[::2, ::2] = image
    shift = np.zeros((16, 16, 2), np.float32)
    shift[..., 0] = 2 / 16  # one pixel to the right

    def read(flow: np.ndarray) -> np.ndarray:
        return cv2.remap(dense, *places(flow, 16, 16, 2), cv2.INTER_LINEAR)

    assert np.array_equal(read(shift * 0), image)
    assert np.allclose(read(shift)[:, :-1], image[:, 1:])


def test_the_edge_of_a_face_moves_by_parts_of_a_pixel() -> None:
    corners = np.float32([[8, 8], [24, 8], [24, 24], [8, 24], [16, 16]])
    areas = [float(silhouette(corners + np.float32([shift, 0]), 32).sum()) for shift in (0, 0.25, 0.5, 0.75)]
    mask = silhouette(corners, 32)
    assert mask[16, 16] == 1 and mask[2, 2] == 0 and np.allclose(areas, areas[0], rtol=0.02)
    ahead = [silhouette(corners + np.float32([shift, 0]), 32)[16, 21:28].sum() for shift in (0, 0.25, 0.5, 0.75)]
    assert (np.diff(ahead) > 0).all()


def test_a_flow_goes_on_beyond_its_edge() -> None:
    flow = np.zeros((16, 16, 2), np.float32)
    known = np.zeros((16, 16), bool)
    known[4:12, 4:12] = True
    flow[known] = (0.5, -0.25)
    wider = grown(flow, known, np.full_like(flow, 0.1))
    assert np.array_equal(wider[known], flow[known])
    assert np.allclose(wider[3, 3:13], (0.5, -0.25), atol=1e-6) and np.allclose(wider[0, 0], 0.1)
