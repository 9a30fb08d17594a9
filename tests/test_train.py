"""The trainers' command line, and that the shipped configs can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("librosa")

from typer.testing import CliRunner

from pipelines.speech2landmarks.train import TrainConfig
from pipelines.train import app

CONFIGS = Path(__file__).parent.parent / "pipelines" / "configs"


@pytest.mark.parametrize("arguments", [["painter", "--config", "x.json"], ["generator", "--config", "absent.json"]])
def test_bad_input_is_one_clear_error(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2 and "Traceback" not in result.output


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("speech2landmarks*.json")), ids=lambda path: path.stem)
def test_shipped_configs_are_read(path: Path) -> None:
    config = TrainConfig.load(path)
    assert config.steps > 0 and config.network.window.lookahead <= 0.2
