"""espeak-ng as a program, played by a program that does what it does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from speechhead.core.errors import SpeechSynthesisError
from speechhead.tts import espeak

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a script with a first line that names its program")

PROGRAM = f"""#!{sys.executable}
import math, struct, sys, wave
options, text = sys.argv[1:], sys.stdin.read()
voice = options[options.index("-v") + 1]
if voice == "nobody":
    sys.exit("espeak-ng: no such voice")
if "--ipa" in options:
    print("(en)" + text.strip().lower() + "(" + voice + ")")
    sys.exit()
with wave.open(options[options.index("-w") + 1], "wb") as out:
    out.setparams((1, 2, 22050, 0, "NONE", ""))
    for k in range(int(len(text.split()) * 4410 * (voice != "mute"))):
        out.writeframesraw(struct.pack("<h", int(9000 * math.sin(k * 0.08))))
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program, first on the path."""
    file = tmp_path / "espeak-ng"
    file.write_text(PROGRAM)
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_it_speaks_sentence_by_sentence() -> None:
    assert espeak.missing() == "" and espeak.can_phonemise()
    pieces = list(espeak.EspeakVoice("espeak:de").speak("Eins zwei drei. Vier."))
    assert [piece.text for piece in pieces] == ["Eins zwei drei.", "Vier."]
    assert pieces[0].seconds == pytest.approx(0.6 + 0.35, abs=0.1)


@pytest.mark.parametrize(("name", "words"), [("espeak:nobody", "no such voice"), ("espeak:mute", "no sound")])
def test_what_it_can_not_say_is_one_line(name: str, words: str) -> None:
    with pytest.raises(SpeechSynthesisError, match=words) as caught:
        list(espeak.EspeakVoice(name).speak("Hello."))
    assert "\n" not in str(caught.value)


def test_a_name_is_no_option() -> None:
    with pytest.raises(SpeechSynthesisError, match="not an espeak-ng voice"):
        espeak.EspeakVoice("espeak:-x; rm")


def test_phonemes_keep_their_punctuation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert espeak.ipa("One, two!") == "one, two!"
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SpeechSynthesisError, match="no phonemiser"):
        espeak.ipa("One")
