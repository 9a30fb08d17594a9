"""The compact generator as it ships: the portrait at rest, a mouth that opens, a border that never moves."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import MESH_TO_70, Pose, from_mesh
from speechhead.generators.compact.generator import CompactGenerator, Source
from speechhead.generators.compact.latents import CompactLatents

SIZE = 256


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar.default(SIZE)


@pytest.fixture(scope="module")
def generator() -> CompactGenerator:
    return CompactGenerator.load(SIZE, threads=1)


@pytest.fixture(scope="module")
def source(avatar: Avatar, generator: CompactGenerator) -> Source:
    return generator.prepare(avatar.crop, avatar.mesh)


def opened(landmarks: np.ndarray, amount: float = 0.15) -> np.ndarray:
    driving = landmarks.copy()
    driving[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += amount
    return driving


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(int) - b.astype(int)).mean(-1)


def test_the_portrait_itself_comes_back(avatar: Avatar, generator: CompactGenerator, source: Source) -> None:
    frame = generator.render(source, source.landmarks, avatar.pose)
    assert frame.shape == avatar.crop.shape and frame.dtype == np.uint8
    assert difference(frame, avatar.crop).mean() < 6


def test_an_open_mouth_changes_the_mouth_and_not_the_background(
    avatar: Avatar, generator: CompactGenerator, source: Source
) -> None:
    rest = generator.render(source, source.landmarks, avatar.pose)
    moved = difference(generator.render(source, opened(source.landmarks), avatar.pose), rest)
    x, y = avatar.mesh[14, :2].astype(int)
    assert moved[y - 8 : y + 24, x - 16 : x + 16].mean() > 8
    assert moved[:20].mean() < 1


def test_the_border_stays_when_the_head_turns(avatar: Avatar, generator: CompactGenerator, source: Source) -> None:
    yaw, pitch, roll = avatar.pose.angles
    pose = Pose.from_angles(
        yaw + 10, pitch + 5, roll + 6, avatar.pose.translation + np.float32([6, 3, 0]), avatar.pose.scale
    )
    frame = generator.render(source, source.landmarks, pose)
    moved = difference(frame, avatar.crop)
    assert moved[60:200, 60:200].mean() > 4
    assert max(moved[0].mean(), moved[-1].mean(), moved[:, 0].mean(), moved[:, -1].mean()) < 2


def test_frames_do_not_depend_on_what_came_before(avatar: Avatar, generator: CompactGenerator, source: Source) -> None:
    first = generator.render(source, opened(source.landmarks), avatar.pose)
    generator.render(source, source.landmarks, avatar.pose)
    assert np.array_equal(first, generator.render(source, opened(source.landmarks), avatar.pose))


def test_latents_keep_the_portrait_at_rest_and_follow_landmarks_exactly(source: Source) -> None:
    latents = CompactLatents()
    rest = from_mesh(source.canonical)
    assert np.abs(latents.keypoints(rest[None], source.canonical)[0] - source.canonical).max() < 1e-5
    driving = opened(rest)
    keypoints = latents.keypoints(driving[None], source.canonical)[0]
    assert np.allclose(keypoints[MESH_TO_70], driving)
    below_the_lip = 200  # a vertex between lower lip and chin, which is no landmark
    assert keypoints[below_the_lip, 1] - source.canonical[below_the_lip, 1] > 0.07


def test_sizes_share_their_networks_and_draw_as_if_opened_alone(generator: CompactGenerator) -> None:
    small, alone, avatar = generator.sized(128), CompactGenerator.load(128, threads=1), Avatar.default(128)
    assert (small.size, generator.size) == (128, SIZE) and small.painters is generator.painters
    driving = opened(avatar.neutral)
    frames = [one.render(one.prepare(avatar.crop, avatar.mesh), driving, avatar.pose) for one in (small, alone)]
    assert (frames[0] == frames[1]).all()
