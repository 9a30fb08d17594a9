"""The measure of rounded and rolled-in lips, on meshes and pictures whose lips are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipelines.judge.clips import FaceTrack
from pipelines.judge.pucker import FEWEST, Volume, light, mean, volume
from speechhead.face.landmarks import MESH_REFERENCE, Pose, to_pixels
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP

POSE = Pose.from_angles(6, -4, 5, (128.0, 100.0, 0.0), 110.0)
LOWER_OUTER = OUTER_LIP[11:]
FRAMES = 40


def talk(pucker: float, rolled: float) -> FaceTrack:
    """Lips that narrow by up to `pucker`, and whose lower one loses up to `rolled` of its red."""
    meshes = []
    for t in range(FRAMES):
        face = MESH_REFERENCE.copy()
        lips = sorted({*OUTER_LIP, *UPPER_INNER_LIP, *LOWER_INNER_LIP})
        face[UPPER_INNER_LIP] = (face[UPPER_INNER_LIP] + face[LOWER_INNER_LIP]) / 2
        face[LOWER_INNER_LIP] = face[UPPER_INNER_LIP]
        face[LOWER_OUTER, 1] -= rolled * np.cos(t / 3) ** 2 * (face[17, 1] - face[14, 1])
        face[lips, 0] *= 1 - pucker * np.sin(t / 3) ** 2
        meshes.append(to_pixels(face, POSE))
    return FaceTrack(np.stack(meshes), 1.0)


def test_lips_like_the_truth_are_all_of_it() -> None:
    truth = talk(0.3, 0.5)
    found = volume(truth, truth)
    for name in ("pucker_width", "pucker_depth", "pucker_lower", "rolled_lower", "width_r", "lower_r"):
        assert getattr(found, name) == pytest.approx(1, abs=1e-4), name


def test_half_a_pucker_and_half_a_roll_are_told() -> None:
    found = volume(talk(0.15, 0.25), talk(0.3, 0.5))
    assert found.pucker_depth == pytest.approx(0.5, abs=0.03)
    assert found.pucker_width == pytest.approx(0.85 / 0.7, abs=0.03)
    assert found.rolled_lower == pytest.approx(0.75 / 0.5, abs=0.08)
    assert found.width_r is not None and found.width_r > 0.99


def test_a_short_clip_and_lips_never_shut_tell_nothing() -> None:
    truth = talk(0.3, 0.5)
    short = FaceTrack(truth.mesh[: FEWEST - 1], 1.0)
    assert volume(short, short) == Volume()
    mesh = truth.mesh.copy()
    mesh[:, LOWER_INNER_LIP, 1] += 20
    apart = FaceTrack(mesh, 1.0)
    assert volume(apart, apart).rolled_lower is None


def painted(track: FaceTrack, swing: float) -> np.ndarray:
    """Pictures of a face whose lower lip is lit the more, by `swing` levels, the narrower the mouth."""
    frames = np.full((FRAMES, 256, 256, 3), 150, np.uint8)
    for t, mesh in enumerate(track.mesh):
        lip = np.round(mesh[LOWER_INNER_LIP + LOWER_OUTER, :2]).astype(np.int32)
        cv2.fillPoly(frames[t], [lip], [120 + swing * np.sin(t / 3) ** 2] * 3)
    return frames


def test_light_on_a_lip_that_comes_forward_is_told_from_none() -> None:
    track = talk(0.2, 0.0)
    truth = painted(track, 60)
    half = light(painted(track, 30), truth, track)
    assert half["light_r"] == pytest.approx(1, abs=0.02) and half["light_slope"] == pytest.approx(0.55, abs=0.1)
    flat = light(painted(track, 0), truth, track)
    assert flat["light_slope"] == pytest.approx(0, abs=0.02)
    assert light(truth[:3], truth[:3], FaceTrack(track.mesh[:3], 1.0))["light_r"] is None


def test_the_mean_is_over_the_clips_that_show_it() -> None:
    found = mean([Volume(pucker_width=1.0, light_r=0.5), Volume(pucker_width=2.0)])
    assert found == {"pucker_width": 1.5, "light_r": 0.5}
