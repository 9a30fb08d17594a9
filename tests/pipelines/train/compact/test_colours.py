"""Colours that training changes: prints stay a function of their luma, and only irises change their hue."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.train.compact.colours import (
    CHANCES,
    LUMA,
    apply_colour,
    light_from,
    other_iris,
    recolour,
    side_light,
    with_iris,
)
from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import Pose, from_mesh, remove_pose, to_pixels
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT


def chroma(image: np.ndarray) -> np.ndarray:
    return np.asarray(np.ptp(image.astype(np.float32), axis=-1))


def test_prints_are_as_frequent_as_said_and_one_tone() -> None:
    random, kinds = np.random.default_rng(0), []
    picture = random.integers(0, 255, (32, 32, 3), np.uint8)
    for _ in range(1000):
        colour = recolour(random)
        grey = colour[6] == 0
        kinds.append(
            "grey" if grey and np.ptp(colour[:6].reshape(2, 3), axis=1).max() < 1e-6 else "toned" if grey else ""
        )
    assert abs(kinds.count("grey") / 1000 - CHANCES.grey) < 0.04
    assert abs(kinds.count("toned") / 1000 - CHANCES.toned) < 0.04
    plain = apply_colour(picture, np.array([0.9, 0.9, 0.9, 1, 1, 1, 0], np.float32))
    assert chroma(plain).max() == 0
    sepia = apply_colour(picture, np.array([1, 0.9, 0.8, 0.8, 1, 1.3, 0], np.float32))
    assert chroma(sepia).max() > 20
    red = [np.unique(sepia[..., 0][sepia[..., 1] == level]) for level in np.unique(sepia[..., 1])]
    assert max(np.ptp(levels) for levels in red) <= 3  # a tone is a function of the light alone


def test_only_irises_change_their_hue() -> None:
    avatar = Avatar.default(256)
    pose = remove_pose(from_mesh(avatar.mesh)[None])[1][0]
    blue = np.array([0.6, 0.95, 2.3, 1.0], np.float32)
    changed = with_iris(avatar.crop, avatar.mesh, pose, blue)
    where = np.abs(changed.astype(int) - avatar.crop).max(-1) > 0
    rows, columns = np.nonzero(where)
    points = avatar.mesh[EYE_LEFT + EYE_RIGHT, :2]
    assert where.sum() > 40
    assert (np.stack([columns, rows], 1) >= points.min(0) - 3).all()
    assert (np.stack([columns, rows], 1) <= points.max(0) + 3).all()
    for iris in (IRIS_LEFT, IRIS_RIGHT):
        x, y = np.round(avatar.mesh[iris, :2]).astype(int)
        before, after = (image[y - 2 : y + 3, x - 3 : x + 4].reshape(-1, 3).mean(0) for image in (avatar.crop, changed))
        assert after[2] - after[0] > before[2] - before[0] + 10


@pytest.mark.parametrize("gain", [(0.6, 0.95, 2.3), (1.5, 0.9, 0.5)])
def test_the_networks_keep_an_iris_of_another_hue(gain: tuple[float, float, float]) -> None:
    avatar, generator = Avatar.default(256), CompactGenerator.load(256, threads=1)
    pose = remove_pose(from_mesh(avatar.mesh)[None])[1][0]
    crop = with_iris(avatar.crop, avatar.mesh, pose, np.array([*gain, 1.0], np.float32))
    source = generator.prepare(crop, avatar.mesh)
    yaw, pitch, roll = pose.angles
    turned = Pose.from_angles(yaw + 6, pitch, roll, pose.translation, pose.scale)
    frame = generator.render(source, source.landmarks, turned)
    meshes = avatar.mesh, to_pixels(source.canonical, turned)
    for iris in (IRIS_LEFT, IRIS_RIGHT):
        hues = []
        for picture, mesh in zip((crop, frame), meshes):
            x, y = np.round(mesh[iris, :2]).astype(int)
            seen = picture[y - 2 : y + 3, x - 3 : x + 4].reshape(-1, 3).astype(np.float32)
            hues.append((seen - (seen @ LUMA)[:, None]).mean(0))
        assert np.abs(hues[1] - hues[0]).max() < 5  # levels


def test_another_iris_keeps_its_light_within_bounds() -> None:
    random = np.random.default_rng(1)
    found = [other_iris(random) for _ in range(400)]
    shown = [iris for iris in found if iris is not None]
    assert abs(len(shown) / 400 - CHANCES.iris) < 0.08
    assert all(0.79 < float(iris[:3] @ LUMA) < 1.91 for iris in shown)


@pytest.mark.parametrize("axis", [0, 1])
def test_light_from_a_side_falls_off_to_the_other(axis: int) -> None:
    picture = np.full((64, 64, 3), 100, np.uint8)
    side = np.array([0.3, 0.0] if axis else [0.0, 0.3], np.float32)
    lit = light_from(picture, side).astype(np.float32).mean((1 - axis, 2))
    assert (np.diff(lit) >= 0).all() and abs(lit[0] - 70) < 2 and abs(lit[-1] - 130) < 2


def test_light_from_a_side_is_as_frequent_as_said() -> None:
    random = np.random.default_rng(2)
    assert abs(np.mean([side_light(random) is not None for _ in range(500)]) - CHANCES.side) < 0.07
