"""Light that stays in the room: found on a head that it lights, and told as the head turns."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import Pose, rotation_matrix
from speechhead.generators.compact.generator import CompactGenerator, Source
from speechhead.generators.compact.room_light import ROOM, TERMS, explained, harmonics, normals, room_light, seen_by

SIZE = 192


@pytest.fixture(scope="module")
def compact() -> CompactGenerator:
    return CompactGenerator.load(SIZE, threads=1)


@pytest.fixture(scope="module")
def source(compact: CompactGenerator) -> Source:
    avatar = Avatar.default(SIZE)
    return compact.prepare(avatar.crop, avatar.mesh)


def turned(pose: Pose, yaw: float) -> Pose:
    own, pitch, roll = pose.angles
    return Pose.from_angles(own + yaw, pitch, roll, pose.translation, pose.scale)


def ball(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth of a ball that fills most of a crop, and where it is seen from the front."""
    place = ((np.arange(count) + 0.5) * size / count - size / 2).astype(np.float32)
    away = place[None] ** 2 + place[:, None] ** 2
    radius = 0.6 * size
    return -np.sqrt(np.maximum(radius**2 - away, 1)), away < (0.4 * size) ** 2


def test_normals_point_out_of_a_ball() -> None:
    depth, there = ball(128, 64)
    place = ((np.arange(64) + 0.5) * 2 - 64) / (0.6 * 128)
    found = normals(depth, 128)
    assert np.abs(found[..., 0] - place[None])[there].max() < 0.03
    assert np.abs(found[..., 1] - place[:, None])[there].max() < 0.03
    assert (found[..., 2] < 0).all()


def test_a_light_from_a_side_is_found_and_dark_hair_is_not_lit() -> None:
    depth, there = ball(128, 64)
    ways = normals(depth, 128)
    luma = 120 * (1 + 0.4 * ways[..., 0])
    luma[:12] = 20
    light, shading = explained(luma, harmonics(ways), there)
    assert light[0] > 0.2 and abs(light[1]) < 0.03
    assert np.abs(shading - luma / 120)[there & (luma > 60)].max() < 0.1


def test_a_turn_of_the_head_turns_the_light_the_other_way() -> None:
    random = np.random.default_rng(5)
    light, ways = (random.normal(size=shape).astype(np.float32) for shape in (TERMS, (20, 3)))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    turn = np.asarray(rotation_matrix(np.array([14.0, -8.0, 5.0])), np.float64)
    assert np.allclose(
        harmonics((ways @ turn.T).astype(np.float32)) @ light, harmonics(ways) @ seen_by(light, turn), atol=1e-5
    )
    assert np.allclose(seen_by(light, np.eye(3)), light)


def test_the_cheek_that_turns_to_the_light_gets_brighter_and_nothing_else_changes(source: Source) -> None:
    size, alpha = SIZE, np.ones((SIZE, SIZE), np.float32)
    ways = normals(source.relief.depth, size)
    level = np.clip(128 * (1 + 0.5 * ways[..., 0]), 0, 255).repeat(3, 0).repeat(3, 1)
    crop = np.repeat(level[..., None], 3, 2).astype(np.uint8)
    mesh = source.canonical @ source.rotation.T * source.scale + source.translation
    room = room_light(crop, alpha, mesh.astype(np.float32), source.relief.depth, source.pose)
    grey, still = np.full((size, size, 3), 128, np.uint8), np.zeros((128, 128, 2), np.float32)
    assert np.array_equal(room.draw(grey.copy(), still, source.pose), grey)
    one, other = (room.draw(grey.copy(), still, turned(source.pose, yaw)).astype(int) for yaw in (15, -15))
    x, y = mesh[1, :2].round().astype(int)  # the tip of the nose
    assert one[y, x, 0] != other[y, x, 0] and (one[y, x] > 128).all() != (other[y, x] > 128).all()
    assert one.max() <= 128 * (1 + ROOM.high) + 1 and one.min() >= 128 * (1 + ROOM.low) - 1
    assert (one[:8] == 128).all() and (one[:, :8] == 128).all()


def test_a_black_picture_has_no_light(source: Source) -> None:
    black = np.zeros((SIZE, SIZE, 3), np.uint8)
    mesh = (source.canonical @ source.rotation.T * source.scale + source.translation).astype(np.float32)
    room = room_light(black, source.layers.alpha, mesh, source.relief.depth, source.pose)
    assert not room.light.any() and not room.change(turned(source.pose, 15)).any()


def test_a_head_at_its_own_pose_is_drawn_without_it(compact: CompactGenerator, source: Source) -> None:
    assert source.room is not None and not np.abs(source.room.change(source.pose)).max() >= ROOM.faint
    assert source.room.change(turned(source.pose, 10)).any()
