"""Speech on its way into a video: from a file, or from a voice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import SpeechSynthesisError
from speechhead.media.writer import AUDIO_RATE

CHUNK = SAMPLE_RATE
"""Samples of a file that go through the pipeline at a time: a second."""

_SOUNDS = (".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff")
SOUND_SUFFIXES = frozenset((*_SOUNDS, ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"))
"""What ends like this is meant as a file, even where there is none."""


@dataclass(frozen=True)
class Track:
    """Speech on its way into a video.

    pieces: pairs of speech at 16 kHz, which moves the face, and the same sound, the audio track's, at `rate`
    rate: samples per second of the second ones
    samples: at 16 kHz in all, where that is known
    """

    pieces: Iterable[tuple[Array, Array]]
    rate: int
    samples: int | None = None


def speech_file(text_or_wav: str | Path) -> Path | None:
    """The file that is meant, or None where it is text: files that exist, and names that end like a sound's."""
    if isinstance(text_or_wav, Path):
        return text_or_wav
    text = text_or_wav.strip()
    if not text or len(text) > 1024 or "\n" in text or "\0" in text:
        return None
    path = Path(text_or_wav)
    try:
        if path.is_file():
            return path
    except OSError:  # too long for a file name
        return None
    return path if path.suffix.lower() in SOUND_SUFFIXES else None


def file_track(path: str | Path) -> Track:
    """The sound of a file: at 16 kHz for the face, at 48 kHz for the ear."""
    from speechhead.audio.io import load_audio

    speech, audio = load_audio(path), load_audio(path, AUDIO_RATE)
    ratio = AUDIO_RATE // SAMPLE_RATE
    starts = range(0, len(speech), CHUNK)
    pieces = ((speech[i : i + CHUNK], audio[i * ratio : (i + CHUNK) * ratio]) for i in starts)
    return Track(pieces, AUDIO_RATE, len(speech))


def text_track(text: str, names: tuple[str, ...]) -> Track:
    """A text spoken piece by piece by the first of the voices `names` that this machine has."""

    if not text.strip():
        raise SpeechSynthesisError("the text is empty. Give at least one word, or a sound file.")

    def pieces() -> Iterator[tuple[Array, Array]]:
        from speechhead.tts import open_voice, voices

        able = {voice.name for voice in voices() if voice.available}
        voice = open_voice(next((name for name in names if name in able), names[0]))
        for speech in voice.speak(text):
            yield speech.samples, speech.samples

    return Track(pieces(), SAMPLE_RATE)
