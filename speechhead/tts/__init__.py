"""Text to speech behind one small interface: a `Voice` says text piece by piece as 16 kHz sound."""

from __future__ import annotations

from dataclasses import replace

from speechhead.core.errors import SpeechSynthesisError

from . import added
from .engine import VoiceEngine, engine_of, engines, leave_out
from .reading import ReadingVoice, check_text
from .speech import SILENCE, Phoneme, Speech, Voice, VoiceInfo, concatenate

__all__ = [
    "SILENCE",
    "Phoneme",
    "Speech",
    "Voice",
    "VoiceEngine",
    "VoiceInfo",
    "check_readable",
    "default_voice",
    "engine_of",
    "open_voice",
    "synthesize",
    "voice_for",
    "voices",
]


def voices() -> list[VoiceInfo]:
    """Every voice by name, by rank: the natural ones first; and whether it can speak on this machine.

    Those of an engine that can not even say whether it can are left out, with one warning.
    """
    known = []
    for engine in engines():
        try:
            absent = engine.missing()
        except Exception as error:
            leave_out(f"voices of '{engine.name}'", "what it misses can not be told", error)
            continue
        known += [replace(voice, engine=engine.name, available=not absent, remedy=absent) for voice in engine.voices]
    return sorted(known, key=lambda voice: voice.rank)


def default_voice() -> str:
    """Name of the voice of the base install."""
    return voices()[0].name


def check_readable(text: str, name: str) -> str:
    """A note on words that a voice leaves out, empty if none; `name` as in `open_voice`, or unknown.

    Raises
    ------
    SpeechSynthesisError if the text has nothing to say, or most of it is in letters that the voice can not read.
    """
    known = voices()
    language = next((voice.language for voice in known if voice.name == name), "")
    if name.startswith("espeak:"):
        language = name.removeprefix("espeak:").partition("+")[0]
    return check_text(text, name, language, known)


def open_voice(name: str | None = None, threads: int = 2) -> Voice:
    """Open a voice. It takes texts as users write them: numbers, markup and pauses included, see `reading`.

    Parameters
    ----------
    name : a name of `voices()`, the first if None; or the path of an engine's voice file (Piper's .onnx); or
        "espeak:VOICE", "http:VOICE" with what the engine itself calls a voice (de, en-gb+f3)
    threads : worker threads of a neural voice

    Raises
    ------
    SpeechSynthesisError if the voice is unknown or its engine is not on this machine.
    """
    name = name or default_voice()
    engine = engine_of(name)
    if engine is None:
        if fault := added.faults().get(name):
            raise SpeechSynthesisError(fault)
        choice = ", ".join(voice.name for voice in voices() if voice.available)
        files = ", ".join(f"{known.files} ({known.name})" for known in engines() if known.files)
        raise SpeechSynthesisError(f"voice '{name}' is unknown. Use one of {choice}, or a voice file: {files}.")
    language = next((voice.language for voice in engine.voices if voice.name == name), "")
    return ReadingVoice(engine.open(name, threads), language, voices)


def voice_for(gender: str) -> str:
    """Name of the best voice on this machine for a speaker's gender ("male", "female"), else of any.

    Raises
    ------
    SpeechSynthesisError if no voice at all can speak here.
    """
    able = [voice for voice in voices() if voice.available]
    if not able:
        raise SpeechSynthesisError(f"no voice on this machine. {voices()[0].remedy}.")
    return next((voice.name for voice in able if voice.gender == gender), able[0].name)


def synthesize(text: str, voice: Voice | str | None = None) -> Speech:
    """Say a whole text.

    Raises
    ------
    SpeechSynthesisError if there is nothing to say, or as in `open_voice`.
    """
    speaker = open_voice(voice) if voice is None or isinstance(voice, str) else voice
    pieces = list(speaker.speak(text))
    if not pieces:
        raise SpeechSynthesisError(f"text '{text.strip()[:40]}' has nothing to say. Give at least one word.")
    return concatenate(pieces)
