"""A voice engine is added by one file: it is listed, and it speaks."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from support.fakes import FakeSpeech
from support.paths import ROOT
from support.plugins import installed

from speechhead import tts
from speechhead.cli import main as cli
from speechhead.core.errors import SpeechSynthesisError
from speechhead.media.reader import VideoReader
from speechhead.tts import engine


def test_a_toy_voice_is_listed_and_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["speechhead", *arguments])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code, *capsys.readouterr()

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("speechhead.speech.model.Speech2Landmarks.load", lambda *_: FakeSpeech())
    with installed(tmp_path / "site", ROOT / "tests/support/toy_voice.py", engine.GROUP, "hummer", "toy_voice:ENGINE"):
        code, out, err = run("voices")
        assert (code, err) == (0, "")
        assert out.splitlines()[-1].split()[:3] == ["hum", "hummer", "unknown"], out
        code, out, err = run("say", "Hello there.", "--voice", "hum", "--size", "128", "-o", "a.mp4")
        assert (code, out, err) == (0, "a.mp4\n", ""), err
        sound = tts.synthesize("Hello there.", "hum").samples
        assert len(list(VideoReader("a.mp4").frames())) == -(-len(sound) // 640)
        high = tts.synthesize("Hello there.", "hummer:400").samples
        assert np.argmax(np.abs(np.fft.rfft(high[:8000]))) == pytest.approx(400 / 2, abs=3)
    signal.signal(signal.SIGTERM, before)
    with pytest.raises(SpeechSynthesisError, match="'hum' is unknown"):
        tts.open_voice("hum")


def test_a_broken_engine_leaves_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mute.py").write_text("import no_such_module\n")
    with installed(tmp_path / "site", tmp_path / "mute.py", engine.GROUP, "mute", "mute:ENGINE"):
        assert "joe" in {voice.name for voice in tts.voices()}
    assert "voices of 'mute' left out" in caplog.text and "no_such_module" in caplog.text


def test_engines_claim_names_of_their_own() -> None:
    def owner(name: str) -> str | None:
        found = engine.engine_of(name)
        return found.name if found else None

    claims = {"joe": "piper", "af_heart": "kokoro", "espeak": "espeak", "espeak:de": "espeak", "http:nova.onnx": "http"}
    assert {name: owner(name) for name in claims} == claims
    assert owner("C:/voices/de.onnx") == "piper" and owner("nobody") is None
    assert tts.default_voice() == "joe"
