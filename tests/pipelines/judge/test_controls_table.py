"""Every control can be set from the command line, from Python, by HTTP and from the page."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import typer
from speechhead_server.http.offline import FIELDS, FILES
from speechhead_server.http.requests import ControlsBody, SessionBody
from support.paths import ROOT

from pipelines.judge.controls_table import BY_HTTP, ON_PAGE, control_rows, control_table, flag, on_page, page_fields
from speechhead.cli.main import say_app
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.core.records import entries
from speechhead.face.landmarks import REFERENCE, Pose
from speechhead.motion.compose import Motion

CONTROLS = entries(Controls)
OTHERWISE: dict[str, Any] = {
    "emotion": {"angry": 0.8},
    "gaze": (12.0, 5.0),
    "head": "retained",
    "head_amplitude": 0.2,
    "temperament": 0.2,
    "mouth_amplitude": 2.0,
    "blink_rate": 90.0,
    "blink_frames": 40.0,
    "look_away": 0.0,
    "keyframes": [{"at": 0.2, "emotion": "sad"}],
    "idle": False,
    "seed": 7,
}
"""A value of each control that is not its default."""
USUAL = Controls(blink_rate=60.0)


def moved(controls: Controls, frames: int = 60) -> np.ndarray:
    """Faces and angles [frames, 213] of a mouth that opens and shuts."""
    lips = np.zeros((frames, 70, 3), np.float32)
    lips[:, 57, 1] = 0.1 * np.abs(np.sin(np.arange(frames) / 3))
    sound = 0.1 * np.random.default_rng(0).standard_normal(frames * SAMPLES_PER_FRAME).astype(np.float32)
    faces, poses = Motion(REFERENCE, Pose.from_angles(0, 0, 0, (99, 99, 0), 60), controls).step(lips, sound)
    return np.concatenate([faces.reshape(frames, -1), [pose.angles for pose in poses]], 1)


def test_the_page_of_expression_holds_the_table():
    assert control_table() in (ROOT / "docs" / "expression.md").read_text(encoding="utf-8")
    assert {name for names in ON_PAGE.values() for name in names} <= set(page_fields())


def test_each_control_is_where_the_table_says():
    spelled = {"/".join([*one.opts, *one.secondary_opts]) for one in typer.main.get_command(say_app).params}
    labels, taken = page_fields(), {*SessionBody.model_fields, *FIELDS, *FILES}
    assert all(all(row[:5]) for row in control_rows()), "no control is missing anywhere"
    for entry in CONTROLS:
        assert flag(entry) in spelled, entry.name
        assert entry.option.http == (entry.name in ControlsBody.model_fields)
        assert on_page(entry, labels), entry.name
        assert entry.option.http or set(re.findall(r"`(\w+)`", BY_HTTP[entry.name])) <= taken, entry.name


@pytest.fixture(scope="module")
def usual() -> np.ndarray:
    return moved(USUAL)


@pytest.mark.parametrize("name", [entry.name for entry in CONTROLS if entry.name != "head_brows"])
def test_each_control_changes_the_motion(usual, name):
    changed = replace(USUAL, **{name: OTHERWISE[name]})
    assert np.abs(moved(changed) - usual).max() > 1e-3
    if name in ControlsBody.model_fields:
        body = ControlsBody.model_validate({name: OTHERWISE[name]})
        assert replace(USUAL, **body.changes()) == changed
