"""espeak-ng as a program, the fallback voice, and English phonemes. espeak-ng is GPL-3.0: it is run, not linked."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from speechhead.audio.io import load_audio
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import AudioError, SpeechSynthesisError

from .engine import VoiceEngine
from .speech import Speech, VoiceInfo, finish
from .text import clean_text, split_text

LICENCE = "GPL-3.0-or-later"
REMEDY = "Install it (apt install espeak-ng, brew install espeak-ng)"
_PROGRAMS = ("espeak-ng", "espeak")
LOCK = threading.Lock()
"""Held by whoever calls the library behind Piper's phonemiser: it has one global state, and crashes when two do."""


def program() -> str | None:
    """Path of espeak-ng (or espeak) on this machine."""
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


class EspeakVoice:
    """A robotic but instant voice in a hundred languages.

    Parameters
    ----------
    name : "espeak", "espeak-female", or "espeak:VOICE" with a voice as espeak-ng names it (de, en-gb+f3)
    speed : words per minute, 80..450
    """

    def __init__(self, name: str = "espeak", speed: int = 165) -> None:
        found = program()
        if not found:
            raise SpeechSynthesisError(f"voice '{name}': espeak-ng is missing. {REMEDY}, or use another --voice.")
        self._program, self.name, self._speed = found, name, speed
        preset = {"espeak": "en-us", "espeak-female": "en-us+f3"}
        self._voice = preset.get(name) or name.removeprefix("espeak:")
        if not re.fullmatch(r"[A-Za-z0-9_+-]{1,40}", self._voice):
            raise SpeechSynthesisError(f"voice '{name}': not an espeak-ng voice. List them with `espeak-ng --voices`.")
        self.language = self._voice.partition("+")[0]

    def speak(self, text: str) -> Iterator[Speech]:
        """Say a text sentence by sentence; see `Voice`."""
        for piece in split_text(clean_text(text)):
            with tempfile.TemporaryDirectory(prefix="speechhead-") as folder:
                wav = Path(folder) / "speech.wav"
                options = ["-v", self._voice, "-s", str(self._speed), "-b", "1", "-w", str(wav), "--stdin"]
                self._run(options, piece.text)
                try:
                    samples = load_audio(wav)
                except AudioError as error:
                    raise SpeechSynthesisError(f"voice '{self.name}': espeak-ng gave no sound. Use another.") from error
            yield finish(samples, SAMPLE_RATE, piece.text, piece.pause)

    def _run(self, options: list[str], text: str) -> None:
        try:
            done = subprocess.run([self._program, *options], input=text.encode(), capture_output=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SpeechSynthesisError(f"voice '{self.name}': espeak-ng did not run ({error}). {REMEDY}.") from error
        if done.returncode:
            reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["failed"])[-1][:100]
            raise SpeechSynthesisError(f"voice '{self.name}': espeak-ng: {reason}. See `espeak-ng --voices`.")


def can_phonemise() -> bool:
    """Whether `ipa` works here."""
    return bool(importlib.util.find_spec("piper") or program())


def ipa(text: str, language: str = "en-us") -> str:
    """English (or other) text as IPA with stress marks and punctuation, by espeak-ng's rules.

    Uses the copy inside the piper-tts package, or else the program.

    Raises
    ------
    SpeechSynthesisError if neither is there.
    """
    if importlib.util.find_spec("piper"):
        from piper.phonemize_espeak import EspeakPhonemizer

        with LOCK:
            sentences = EspeakPhonemizer().phonemize(language, text)
        return " ".join("".join(sentence) for sentence in sentences)
    found = program()
    if not found:
        raise SpeechSynthesisError(f"no phonemiser: pip install piper-tts, or espeak-ng. {REMEDY}.")
    # The program drops punctuation, which carries the melody: phonemise between the marks.
    parts = re.split(r"([.,;:!?])(?=\s|$)", text)
    spoken: list[str] = []
    for part in parts:
        if re.fullmatch(r"[.,;:!?]", part) and spoken:
            spoken[-1] += part
        elif part.strip():
            command = [found, "-v", language, "-q", "--ipa", "--stdin"]
            done = subprocess.run(command, input=part.encode(), capture_output=True, timeout=60, check=True)
            spoken.append(" ".join(re.sub(r"\([^)]*\)", "", done.stdout.decode()).split()))
    return " ".join(spoken)


def missing() -> str:
    """What to install before espeak-ng can speak; empty if nothing."""
    return "" if program() else REMEDY


ENGINE = VoiceEngine(
    name="espeak",
    voices=tuple(
        VoiceInfo(name, gender, "en-US", LICENCE, rank=30)
        for name, gender in (("espeak", "male"), ("espeak-female", "female"))
    ),
    missing=missing,
    open=lambda name, threads: EspeakVoice(name),
    others=True,
)
