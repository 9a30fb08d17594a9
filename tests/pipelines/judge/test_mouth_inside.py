"""The measure of open mouths: painted mouths whose inside is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipelines.judge.clips import FaceTrack
from pipelines.judge.mouth_inside import FEWEST, mouth_inside
from speechhead.face.landmarks import MESH_REFERENCE, Pose, to_pixels
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP
from speechhead.generators.compact.open_mouth import look, tooth

SKIN, TOOTH, DARK, LIP = (200, 150, 125), (215, 208, 190), (40, 20, 20), (160, 80, 80)
POSE = Pose.from_angles(0, 0, 8, (128.0, 100.0, 0.0), 110.0)


def mouth(opening: float, bare: float, white: tuple[int, int, int] = TOOTH) -> tuple[np.ndarray, np.ndarray]:
    """A painted face and its mesh: lips apart by `opening`, teeth over the upper part `bare` of what is between."""
    face = MESH_REFERENCE.copy()
    middle = (face[UPPER_INNER_LIP, 1] + face[LOWER_INNER_LIP, 1]) / 2
    for line, side in ((UPPER_INNER_LIP, -0.5), (LOWER_INNER_LIP, 0.5)):
        face[line, 1] = middle + side * opening * np.sin(np.linspace(0, np.pi, len(line))) ** 0.5
    mesh = to_pixels(face, POSE)
    picture = np.full((256, 256, 3), SKIN, np.uint8)
    upper, lower = mesh[UPPER_INNER_LIP, :2], mesh[LOWER_INNER_LIP, :2]
    edge = upper + bare * (lower - upper)
    for outline, colour in (
        (mesh[OUTER_LIP, :2], LIP), (np.concatenate([upper, lower[::-1]]), DARK),
        (np.concatenate([upper, edge[::-1]]), white),
    ):  # fmt: skip
        cv2.fillPoly(picture, [np.round(outline).astype(np.int32)], colour)
    return picture, mesh


@pytest.mark.parametrize("bare", [0.0, 0.3, 0.75])
def test_the_share_of_teeth_is_what_is_painted(bare: float) -> None:
    found = look(*mouth(0.2, bare), POSE.scale)
    assert found.teeth == pytest.approx(bare, abs=0.08)
    assert found.lower == pytest.approx(max(0.0, 2 * bare - 1), abs=0.16)
    assert found.light == pytest.approx(1.28 if bare else 0.16, abs=0.06)
    assert (found.contrast > 0.35) == (bare > 0)


def test_lips_and_tongue_are_no_teeth_in_any_light() -> None:
    light, dark, grey = (np.array(colour, np.float32) for colour in (SKIN, (95, 60, 48), (150, 150, 150)))

    def teeth(beside: np.ndarray, *colours: tuple[int, ...]) -> list[bool]:
        return [bool(one) for one in tooth(np.array(colours, np.float32), beside)]

    assert teeth(light, TOOTH, (150, 146, 133), LIP, (175, 100, 95), SKIN, DARK) == [True, True] + 4 * [False]
    assert teeth(dark, TOOTH, (120, 62, 60)) == [True, False]
    assert teeth(grey, (180, 180, 180), (90, 90, 90)) == [True, False]


def test_the_truth_is_like_itself_and_a_dull_mouth_is_not() -> None:
    opening = np.linspace(0.1, 0.25, 2 * FEWEST)
    made = [mouth(one, 0.02 / one) for one in opening]
    dull = [mouth(one, 0.02 / one, white=(150, 120, 110))[0] for one in opening]
    frames, track = np.stack([one[0] for one in made]), FaceTrack(np.stack([one[1] for one in made]), 1.0)
    same = mouth_inside(frames, track, frames, track)
    assert same["inside_frames"] == len(opening) and same["inside_contrast_ratio"] == 1
    assert same["inside_teeth_correlation"] == pytest.approx(1)
    other = mouth_inside(np.stack(dull), track, frames, track)
    assert other["inside_contrast_ratio"] < 0.85 and other["inside_teeth_correlation"] < 0.5
    assert other["inside_light"] < other["inside_light_truth"] - 0.2


def test_too_few_open_frames_are_not_judged() -> None:
    picture, mesh = mouth(0.03, 0.5)
    shut = np.stack([picture] * 20), FaceTrack(np.stack([mesh] * 20), 1.0)
    row = mouth_inside(*shut, *shut)
    assert row["inside_frames"] == 0 and row["inside_contrast"] is None
    assert mouth_inside(shut[0], None, *shut)["inside_contrast"] is None
