"""Lips under hair are told from lips that are seen, and open into shade instead of teeth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from speechhead.avatar.face import find_face
from speechhead.avatar.named import shipped
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.face.landmarks import INNER_LIPS, MESH_TO_70, from_mesh, remove_pose, to_pixels
from speechhead.face.tracker import FaceTracker
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.meshwarp import OUTER_LIP
from speechhead.generators.compact.open_mouth import straightened
from speechhead.generators.compact.overgrown import overgrown
from speechhead.media.image import load_image
from speechhead.motion.rest import rest_face

SIZE = 256
BEARDED = Path("../shared/portraits/ICPSR_006098_MAXWELL_Samuel_f34a0.jpg")


def bearded(avatar: Avatar, light: float) -> tuple[NDArray[np.uint8], Array]:
    """A portrait with strands of hair hung over its mouth, and the mesh that guesses small lips there."""
    unit, mesh = avatar.pose.scale, avatar.mesh.copy()
    height, width = avatar.crop.shape[:2]
    strands = np.random.default_rng(1).normal(0, 1, (1, width)).astype(np.float32)
    strands = np.asarray(cv2.GaussianBlur(strands, (0, 0), 0.014 * unit), np.float32)
    hair = light * np.exp(0.35 * np.clip(strands / strands.std(), -1.5, 1.5))
    nose, middle = mesh[2, :2], mesh[OUTER_LIP, :2].mean(0)
    cover = np.zeros((height, width), np.float32)
    centre = (float(middle[0]), float(nose[1] + 0.36 * unit))
    cv2.ellipse(cover, (centre, (0.95 * unit, 0.68 * unit), 0), 1, -1)
    share = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.01 * unit), np.float32)[..., None]
    made = avatar.crop * (1 - share) + np.repeat(hair[..., None], 3, 2) * share
    lips = np.r_[OUTER_LIP, MESH_TO_70[INNER_LIPS]]
    mesh[lips, 0] = middle[0] + 0.8 * (mesh[lips, 0] - middle[0])
    return made.clip(0, 255).astype(np.uint8), mesh


def sure(picture: NDArray[np.uint8], mesh: Array) -> float:
    _, poses = remove_pose(from_mesh(mesh)[None])
    return overgrown(picture, mesh, poses[0])


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar.default(SIZE)


@pytest.mark.parametrize("light", [40.0, 160.0])
def test_dark_and_light_hair_over_the_lips_is_told_at_any_size_and_tilt(avatar: Avatar, light: float) -> None:
    picture, mesh = bearded(avatar, light)
    assert sure(picture, mesh) > 0.9
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert sure(np.asarray(small, np.uint8), mesh * np.float32(0.5)) > 0.6
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 20, 1)
    tilted = cv2.warpAffine(picture, turn, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    moved = np.column_stack([mesh[:, :2] @ turn[:, :2].T + turn[:, 2], mesh[:, 2]]).astype(np.float32)
    assert sure(np.asarray(tilted, np.uint8), moved) > 0.6


def test_lips_that_are_seen_are_not_under_hair() -> None:
    tracker = FaceTracker(threads=1)
    for entry in shipped().values():
        avatar = Avatar.from_image(entry.path, size=SIZE, tracker=tracker)
        grey = np.repeat(avatar.crop.mean(2, keepdims=True), 3, 2).astype(np.uint8)
        assert sure(avatar.crop, avatar.mesh) == 0 and sure(grey, avatar.mesh) == 0, entry.name


def test_a_mouth_under_hair_opens_little_and_into_shade(avatar: Avatar) -> None:
    generator = CompactGenerator.load(SIZE, threads=1)
    picture, mesh = bearded(avatar, 160.0)
    hidden = generator.prepare(picture, mesh)
    assert hidden.inside.overgrown > 0.9
    face = rest_face(hidden.landmarks)
    face[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += 0.2
    seen = {}
    for name, source in (("hidden", hidden), ("bare", replace(hidden, inside=replace(hidden.inside, overgrown=0.0)))):
        keypoints = generator.keypoints(source, face)
        frame = generator.render(source, face, source.pose)
        colours, height = straightened(frame, to_pixels(keypoints, source.pose), source.scale)
        seen[name] = float(np.percentile(colours.mean(-1), 99)), float(height.max())
    assert seen["hidden"][1] < 0.4 * seen["bare"][1]
    assert seen["bare"][0] < 0.75 * picture.max(), "no teeth are seen, however far it opens"


@pytest.mark.skipif(not BEARDED.exists(), reason="no ../shared")
def test_a_real_beard_is_told_in_a_line() -> None:
    found = find_face(load_image(BEARDED), FaceTracker(threads=1), None, "him.jpg")
    (line,) = [note for note in found.notes if "hair" in note]
    assert line.startswith("him.jpg: hair hides the lips") and "\n" not in line
