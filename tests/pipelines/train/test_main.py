"""The trainers' command line, and that the shipped configs can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("librosa")

from support.paths import ROOT
from typer.testing import CliRunner

from pipelines.train.__main__ import app
from pipelines.train.compact import learner
from pipelines.train.families.config import ConfigError
from pipelines.train.speech.train import SpeechTraining

CONFIGS = ROOT / "pipelines" / "configs"


@pytest.mark.parametrize("arguments", [["painter", "--config", "x.json"], ["generator", "--config", "absent.json"]])
def test_bad_input_is_one_clear_error(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2 and "Traceback" not in result.output


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("speech2landmarks*.json")), ids=lambda path: path.stem)
def test_shipped_configs_are_read(path: Path) -> None:
    config = SpeechTraining.load(path)
    assert config.steps > 0 and config.network.window.lookahead <= 0.2


@pytest.mark.parametrize("part", learner.PARTS)
def test_shipped_configs_of_the_generator_are_read(part: str) -> None:
    config = learner.CompactTraining.read(CONFIGS / f"generator_{part}.json")
    assert config.part == part and len(config.shares) == len(config.data)


def test_an_unknown_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"part": "hair"}')
    with pytest.raises(ConfigError, match="'hair' is unknown. Use one of motion, windows"):
        learner.CompactTraining.read(tmp_path / "config.json")
