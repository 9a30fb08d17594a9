"""Sheets of lips: every frame has its mouth, and every curve its line."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from pipelines.judge.clips import FaceTrack
from pipelines.train.speech import sheets
from speechhead.face.landmarks import MESH_REFERENCE, REFERENCE, Pose, to_pixels

FRAMES = 30


def test_a_mouth_is_cut_out_wherever_the_head_is() -> None:
    poses = [Pose(np.eye(3, dtype=np.float32), np.array([120 + 2 * t, 90, 0], np.float32), 60.0) for t in range(3)]
    mesh = np.stack([to_pixels(MESH_REFERENCE, pose) for pose in poses])
    frames = np.zeros((3, 256, 256, 3), np.uint8)
    for frame, points in zip(frames, mesh):
        x, y = points[list(sheets.CENTRE), :2].mean(0).round().astype(int)
        frame[y - 3 : y + 4, x - 3 : x + 4] = 255
    for mouth in sheets.mouths(frames, FaceTrack(mesh, 1.0)):
        assert mouth.shape == (sheets.MOUTH[1], sheets.MOUTH[0], 3)
        rows, columns = np.nonzero(mouth[..., 0] > 128)
        assert (rows.mean(), columns.mean()) == pytest.approx((sheets.MOUTH[1] / 2, sheets.MOUTH[0] / 2), abs=1.5)


def test_a_sheet_has_a_line_of_mouths_for_each_second_and_a_line_for_each_curve() -> None:
    motion = np.repeat(REFERENCE[None], FRAMES, 0).copy()
    motion[:, 65:68, 1] += 0.1 * np.sin(np.arange(FRAMES))[:, None]
    mouths = [np.full((sheets.MOUTH[1], sheets.MOUTH[0], 3), 90, np.uint8)] * FRAMES
    page = sheets.sheet([mouths, mouths], {"truth": motion, "seen": 0.5 * motion + 0.5 * REFERENCE})
    lines = 2 * (2 * sheets.MOUTH[1] + 4)
    assert page.shape == (lines + len(sheets.SHOWN) * sheets.PANEL, sheets.MOUTH[0] * sheets.ACROSS, 3)
    assert (page[:lines] == 90).all(-1).sum() == 2 * FRAMES * sheets.MOUTH[0] * sheets.MOUTH[1]
    heights = []
    for key in ("truth", "seen"):
        rows, _ = np.nonzero((page[lines + 20 : lines + sheets.PANEL] == sheets.COLOURS[key]).all(-1))
        heights.append(np.ptp(rows))
    assert 0.35 * heights[0] < heights[1] < 0.65 * heights[0]
