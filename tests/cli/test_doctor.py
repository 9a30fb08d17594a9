"""The report of `speechhead doctor`, in this process."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from speechhead.cli import doctor
from speechhead.cli.main import app
from speechhead.core import weights
from speechhead.core.errors import WeightsError


def test_a_healthy_machine_is_told_so() -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    lines = {line.split(" ")[0]: line for line in done.output.splitlines()}
    assert {
        "speechhead",
        "cores",
        "packages",
        "torch",
        "gpus",
        "onnxruntime",
        "nvenc",
        "voices",
        "weights",
        "generators",
        "speed",
    } <= set(lines)
    assert "numpy" in lines["packages"] and "intact" in lines["weights"] and "compact" in lines["generators"]
    assert float(lines["speed"].split()[1]) > 0
    assert "cpu:" in lines["networks"] and "compact" in lines["networks"] and "tracker" in lines["networks"]


def test_programs_get_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "render_speed", lambda: 25.04)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    told = json.loads(done.output)
    assert done.exit_code == 0 and told["ok"] and told["speed"]["frames_per_second"] == 25.0
    assert told["onnxruntime"]["providers"] and told["onnxruntime"]["overwritten"] is False
    assert told["networks"]["devices"]["Speech2Landmarks"] == "cpu" and told["weights"]["files"]
    assert all({"ok", "state"} <= set(finding) for name, finding in told.items() if name != "ok")


def test_damaged_weights_are_named_and_end_in_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "render_speed", lambda: 25.0)
    monkeypatch.setattr(weights, "verify", lambda: {"a.onnx": "ok", "b.onnx": "damaged"})
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1 and "b.onnx damaged" in done.output and "a.onnx ok" not in done.output

    def absent() -> dict[str, str]:
        raise WeightsError("no weights here. Pull them.")

    monkeypatch.setattr(weights, "verify", absent)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1 and "no weights here" in done.output
