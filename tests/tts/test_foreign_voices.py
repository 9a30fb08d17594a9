"""Voices of broken packages are left out with one note, and names that are taken stay with their first owner."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plugins import package

from speechhead import tts
from speechhead.core.errors import SpeechSynthesisError
from speechhead.tts import engine

GOOD = """
from speechhead.tts.engine import VoiceEngine
from speechhead.tts.speech import VoiceInfo

def fail():
    raise RuntimeError("no licence file")

INFO = VoiceInfo("hoot", "unknown", "mul", "CC0")
ENGINE = VoiceEngine(name="owl", voices=(INFO,), missing=lambda: "", open=lambda name, threads: None)
"""

BROKEN = {
    "value": ("raise ValueError('no such key')", "ValueError: no such key"),
    "syntax": ("def broken(:\n", "SyntaxError"),
    "exits": ("raise SystemExit('no display')", "SystemExit: no display"),
    "nothing": ("ENGINE = None", "no VoiceEngine but NoneType"),
    "fieldless": (GOOD.replace("(INFO,)", "('hoot',)"), "no VoiceInfo but str"),
    "voiceless": (GOOD.replace("(INFO,)", "None"), "field voices is NoneType"),
    "ranked": (GOOD.replace('"CC0")', '"CC0", "first")'), "field rank of voice 'hoot' is no int"),
    "raising": (GOOD.replace('lambda: ""', "fail"), "RuntimeError: no licence file"),
    "wordless": (GOOD.replace('lambda: ""', "lambda: None"), "missing() gives NoneType"),
    "shut": (GOOD.replace("lambda name, threads: None", "None"), "field open is no function"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_package_is_one_note(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code, reason = BROKEN[kind]
    with package(tmp_path, f"owl_{kind}", code, engine.GROUP, "owl", "ENGINE"):
        for _ in range(2):
            names = {voice.name for voice in tts.voices()}
            assert "joe" in names and "hoot" not in names
        with pytest.raises(SpeechSynthesisError, match="'hoot' is unknown"):
            tts.open_voice("hoot")
    (note,) = caplog.messages
    assert "voices of 'owl' left out" in note and f"package 'owl_{kind}'" in note and reason in note


def test_an_engine_that_breaks_later_is_one_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    later = GOOD.replace('lambda: ""', "lambda: calls.pop()")
    later = later.replace("ENGINE =", "calls = ['', '']\nENGINE =")
    with package(tmp_path, "owl_later", later, engine.GROUP, "owl", "ENGINE"):
        assert [("hoot" in {voice.name for voice in tts.voices()}) for _ in range(3)] == [True, False, False]
    (note,) = caplog.messages
    assert "voices of 'owl' left out" in note and "IndexError" in note


def test_a_voice_whose_name_is_taken_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    both = GOOD.replace("(INFO,)", "(INFO, VoiceInfo('joe', 'male', 'en', 'CC0', -5), INFO)")
    with package(tmp_path, "owl_joe", both, engine.GROUP, "owl", "ENGINE"):
        owners = [(voice.name, voice.engine) for voice in tts.voices() if voice.name in ("joe", "hoot")]
        assert sorted(owners) == [("hoot", "owl"), ("joe", "piper")] and tts.default_voice() == "joe"
    assert len(caplog.messages) == 2 and "voice 'joe' of owl_joe:ENGINE left out" in caplog.messages[0]


def test_an_engine_whose_name_is_taken_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = GOOD.replace('name="owl"', 'name="espeak"')
    with package(tmp_path, "owl_espeak", code, engine.GROUP, "owl", "ENGINE"):
        assert "hoot" not in {voice.name for voice in tts.voices()}
    (note,) = caplog.messages
    assert "package 'owl_espeak'" in note and "another engine is named 'espeak'" in note
