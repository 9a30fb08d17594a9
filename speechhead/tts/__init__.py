"""Text to speech behind one small interface: a `Voice` says text piece by piece as 16 kHz sound."""

from __future__ import annotations

from dataclasses import replace

from speechhead.core.errors import SpeechSynthesisError

from .engine import VoiceEngine, engine_of, engines, leave_out
from .speech import SILENCE, Phoneme, Speech, Voice, VoiceInfo, concatenate

__all__ = [
    "SILENCE",
    "Phoneme",
    "Speech",
    "Voice",
    "VoiceEngine",
    "VoiceInfo",
    "default_voice",
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


def open_voice(name: str | None = None, threads: int = 2) -> Voice:
    """Open a voice.

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
        choice = ", ".join(voice.name for voice in voices() if voice.available)
        files = ", ".join(f"{known.files} ({known.name})" for known in engines() if known.files)
        raise SpeechSynthesisError(f"voice '{name}' is unknown. Use one of {choice}, or a voice file: {files}.")
    return engine.open(name, threads)


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
