"""The trainers' command line, and that the shipped configs can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("librosa")

from support.paths import ROOT
from typer.testing import CliRunner

from pipelines.train.__main__ import TRAINERS, app
from pipelines.train.compact import learner
from pipelines.train.config import from_values
from pipelines.train.speech.network import NetworkConfig
from pipelines.train.speech.train import SpeechTraining

CONFIGS = ROOT / "pipelines" / "configs"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "Missing argument"),
        ("painter --config x.json", "'painter' is unknown. Use one of speech2landmarks,"),
        ("generator", "--config FILE is missing."),
        ("generator --config absent.json", "absent.json: no such file."),
        ("generator --bogus", "No such option: --bogus"),
        ("generator --minutes x", "Invalid value for '--minutes'"),
        ("generator --config CONFIG --clips absent", "absent: no such folder."),
        ("speech2landmarks --config CONFIG --clips .", "--clips and -o go with --generator, or a family's config."),
        ("landmarks2latents --generator x", "--generator goes with landmarks2latents and --clips DIR"),
    ],
)
def test_bad_input_is_one_clear_error(arguments: str, said: str) -> None:
    words = [str(CONFIGS / "fomm_small.json") if word == "CONFIG" else word for word in arguments.split()]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and result.output.startswith(said) and result.output.count("\n") == 1


PLACES = {"media": ["m"], "features": "f", "output": "o"}
"""Fields that a config of speech2landmarks must have."""

WRONG: list[tuple[str, Any, str]] = [
    ("speech2landmarks", {}, "media, features, output: missing. See SpeechTraining in"),
    ("speech2landmarks", PLACES | {"bogus": 1}, "bogus: no such field. See SpeechTraining in pipelines/train/speech/"),
    ("speech2landmarks", PLACES | {"media": 3}, "media: 3 is not a list."),
    ("speech2landmarks", PLACES | {"layer": [1]}, "layer: [1] is not a list of 2."),
    ("speech2landmarks", PLACES | {"weights": {"points": "x"}}, "weights.points: 'x' is not a number."),
    ("speech2landmarks", PLACES | {"network": {"window": {"block": 1.5}}}, "network.window.block: 1.5 is not a whole"),
    ("speech2landmarks", [], "not a JSON object."),
    ("landmarks2latents", {"bogus": 1}, "bogus: no such field. See LatentsTraining in pipelines/train/latents.py."),
    ("landmarks2latents", {"steps": "x"}, "steps: 'x' is not a whole number."),
    ("landmarks2latents", [], "not a JSON object."),
    ("generator", [], "not a JSON object."),
    ("generator", {"network": 3}, "network: 3 is not an object. See CompactTraining in"),
    ("generator", {"network": {"bogus": 1}}, "network.bogus: no such field."),
    ("generator", {"batch": True}, "batch: True is not a whole number."),
    ("generator", {"family": 3}, "family: 3 is no name. Use one of dagan,"),
    ("generator", {"family": "nope"}, "family 'nope' is unknown. Use one of dagan,"),
    ("generator", {"family": "fomm", "losses": 3}, "losses: 3 is not an object. See FamilyTraining in"),
    ("generator", {"family": "fomm", "losses": {"magic": 1}}, "losses.magic: no such field."),
    ("generator", {"family": "fomm", "milestones": 3}, "milestones: 3 is not a list."),
    ("generator", {"family": "fomm", "model": 3}, "model: 3 is not an object. See FommConfig in"),
    ("generator", {"family": "fomm", "model": {"model_params": 3}}, "model: model_params do not describe fomm"),
]


@pytest.mark.parametrize(("job", "values", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_config_is_one_line_of_file_field_and_remedy(job: str, values: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    result = CliRunner().invoke(app, [job, "--config", str(path)])
    assert result.exit_code == 2 and result.output.startswith(f"{path}: {said}") and result.output.count("\n") == 1


@pytest.mark.parametrize("job", TRAINERS)
@pytest.mark.parametrize("text", [b"{", b"\xff", b"[" * 100_000], ids=["cut", "no text", "deep"])
def test_what_is_no_json_is_one_line(job: str, text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text)
    result = CliRunner().invoke(app, [job, "--config", str(path)])
    assert result.exit_code == 2 and result.output.startswith(f"{path}: not a readable JSON file")
    assert result.output.count("\n") == 1


def test_a_config_becomes_paths_tuples_and_records() -> None:
    values = PLACES | {"teachers": ["a", "b"], "layer": [0, 4], "speech": None, "network": {"smooth": [0, 1, 0]}}
    config = from_values(SpeechTraining, values, "here")
    assert config.teachers == (Path("a"), Path("b")) and config.layer == (0, 4) and config.speech is None
    assert config.network == NetworkConfig(smooth=(0, 1, 0)) and config.media == (Path("m"),)


def test_members_of_a_config_differ_in_what_they_say() -> None:
    members = [{"seed": 3, "width": 64}, {"seed": 4, "weights": {"pace": 3}}]
    values = PLACES | {"output": "runs/teacher.safetensors", "members": members, "weights": {"opening": 1, "pace": 2}}
    one, other = from_values(SpeechTraining, values, "here").runs()
    assert (one.seed, one.network.width, one.output) == (3, 64, Path("runs/teacher_3.safetensors"))
    assert other.weights == {"opening": 1, "pace": 3} and other.network.width == 256
    assert other.state == Path("runs/teacher_4.resume.pt")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("speech2landmarks*.json")), ids=lambda path: path.stem)
def test_shipped_configs_are_read(path: Path) -> None:
    config = SpeechTraining.load(path)
    assert config.steps > 0 and config.network.window.lookahead <= 0.2


def test_the_shipped_config_of_the_generator_is_read() -> None:
    config = learner.CompactTraining.read(CONFIGS / "generator_windows.json")
    assert config.steps > 0 and len(config.shares) == len(config.data)
