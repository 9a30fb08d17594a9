"""Expression measures, with a generator that draws nothing and a tracker that knows what it was asked to draw."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from support.talk import talk

from pipelines.judge import expression
from pipelines.judge import expression_report as command
from speechhead.avatar.portrait import Avatar
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_70, Pose, apply_pose, to_pixels
from speechhead.motion.rest import rest_system

SIDE = 96


class Glass:
    """Remembers what each picture shows; the picture itself is its number."""

    family = "glass"
    size = SIDE

    def prepare(self, crop, mesh):
        self.shown = []
        return crop

    def render(self, source, normalised, pose):
        mesh = to_pixels(MESH_REFERENCE, pose)
        mesh[MESH_TO_70] = to_pixels(normalised, pose)
        self.shown.append(mesh)
        picture = np.zeros((SIDE, SIDE, 3), np.uint8)
        picture[0, 0, :2] = divmod(len(self.shown) - 1, 256)
        return picture

    def track(self, frames):
        for picture in frames:
            yield SimpleNamespace(mesh=self.shown[int(picture[0, 0, 0]) * 256 + int(picture[0, 0, 1])])


def stage(smile: float = 0.0, jaw: float = 0.0) -> expression.PosedPortrait:
    mean, _, modes = rest_system()
    mesh = MESH_REFERENCE.copy()
    mesh[MESH_TO_70] = mean + smile * modes[1] + jaw * modes[0]
    pose = Pose.from_angles(3.0, -2.0, 1.0, np.array([48.0, 40.0, 0.0], np.float32), 26.0)
    glass = Glass()
    picture = np.full((SIDE, SIDE, 3), 90, np.uint8)
    avatar = Avatar.cut(picture, (0, 0, SIDE), apply_pose(mesh, pose), SIDE)
    return expression.PosedPortrait(avatar, glass, glass)


def test_emotions_show_where_they_should_and_leave_lip_sync_alone():
    rows = {(r["emotion"], r["intensity"]): r for r in expression.emotions(stage(), *talk(40))}
    full = {emotion: row for (emotion, intensity), row in rows.items() if intensity == 1.0}
    assert full["happy"]["corners_up"] > 0.05 and full["happy"]["corners_out"] > 0.05
    assert full["sad"]["corners_up"] < -0.02 and full["sad"]["inner_brows"] > 0.02
    assert full["surprised"]["lids"] > 0.01 and full["surprised"]["outer_brows"] > 0.03
    assert full["angry"]["inner_brows"] < -0.02 and full["angry"]["corners_up"] < 0
    assert min(row["moved"] for row in full.values()) > 0.03
    assert min(row["lip_sync"] for row in full.values()) > 0.95
    for emotion, row in full.items():
        assert rows[emotion, 0.5]["moved"] == pytest.approx(0.5 * row["moved"], rel=0.3)


def test_a_blink_closes_the_eyes_and_holds_the_head():
    row, frames = expression.blink(stage())
    assert row["closed"] < 0.25 and row["angle"] < 0.05 and row["shift"] < 0.05
    assert len(frames) == 15


def test_gaze_is_read_back_in_degrees():
    rows, _ = expression.gaze(stage())
    assert expression.monotone(rows)
    assert expression.slope(rows) == pytest.approx(1.0, abs=0.35)  # the lids' corners stop the iris
    assert not expression.monotone([{"seen": 0.0}, {"seen": 0.0}])


def test_smile_and_open_mouth_of_the_source_are_gone_where_lips_shall_be_closed():
    row, frames = expression.relaxed(stage(smile=0.8, jaw=0.3), *talk(40))
    assert row["source_smile"] > 0.5 > 0.15 > row["rest_smile"]
    assert row["source_opening"] > 0.08 and row["rest_opening"] < 0.005 and row["closed_opening"] < 0.005
    assert len(frames) == 4


def test_command_writes_figures_tables_and_sheets(tmp_path, monkeypatch):
    ready = stage()

    class Mouth:
        def stream(self, neutral=None, emotion=None):
            return self

        def feel(self, emotion, after=0):
            self.felt = emotion

        def push(self, samples):
            return talk(len(samples) // SAMPLES_PER_FRAME)[0]

        def flush(self):
            return np.zeros((0, 70, 3), np.float32)

    row, sheets = command.portrait(ready, Mouth(), talk(24)[1])
    assert set(sheets) == {"emotions", "blink", "gaze", "mouth"} and sheets["gaze"].shape[1] == 7 * SIDE
    text = command.page({"made": json.loads(json.dumps(row))}, "python -m pipelines.judge.expression_report")
    assert "| happy 1 |" in text and "| made |" in text and "monotone" in text
