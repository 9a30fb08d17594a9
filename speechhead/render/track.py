"""Speech on its way into a video: from a file, or from a voice."""

from __future__ import annotations

import codecs
import contextlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import AudioError, SpeechSynthesisError
from speechhead.core.kept import opened
from speechhead.core.stand_ins import is_pointer, refuse_stand_in
from speechhead.media.sound_coding import SoundCoding

if TYPE_CHECKING:
    from speechhead.tts import Speech

log = logging.getLogger("speechhead")

CHUNK = SAMPLE_RATE
"""Samples of a file that go through the pipeline at a time: a second."""

_SOUNDS = (".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff")
SOUND_SUFFIXES = frozenset((*_SOUNDS, ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"))
TEXT_SUFFIXES = frozenset((".txt", ".text", ".md", ".ssml", ".xml", ".html", ".htm"))
"""What ends like this is meant as a file, even where there is none."""

OTHER_SUFFIXES = frozenset((".pdf", ".doc", ".docx", ".odt", ".rtf", ".jpg", ".jpeg", ".png", ".webp", ".heic", ".gif"))
"""What ends like this is no speech: where there is no such file it is spoken, with a note."""

MOST_TEXT = 4 << 20
"""Bytes of a text: a long novel has one million."""


class Passage(NamedTuple):
    """A stretch of a track.

    speech: float32 [n] at 16 kHz, which moves the face; audio: the same sound for the ear, at the track's rate,
        [n] or [channels, n]
    text: what it says, and emotion: intensities by name from here on, where they are known
    """

    speech: Array
    audio: Array
    text: str = ""
    emotion: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Track:
    """Speech on its way into a video.

    rate: samples per second of the passages' `audio`; layout: of its channels, in libav's words
    samples: at 16 kHz in all, where that is known
    """

    pieces: Iterable[Passage]
    rate: int
    samples: int | None = None
    layout: str = "mono"


def speech_file(text_or_wav: str | Path) -> Path | None:
    """The file that is meant, or None where it is text: files that exist, and names that end like one's.

    A sentence may end with a file's name, so one with spaces in it is a missing file only in a folder that exists.
    """
    if isinstance(text_or_wav, Path):
        return text_or_wav
    text = text_or_wav.strip()
    if not text or len(text) > 1024 or "\n" in text or "\0" in text:
        return None
    path = Path(text_or_wav)
    suffix = path.suffix.lower()
    if re.fullmatch(r"https?://\S+", text) and suffix in SOUND_SUFFIXES | TEXT_SUFFIXES:
        raise AudioError(f"{text[:200]}: an address, not a file. Download it, and give the file.")
    try:
        if path.is_file():
            return path
    except OSError:  # too long for a file name
        return None
    if suffix not in SOUND_SUFFIXES | TEXT_SUFFIXES | OTHER_SUFFIXES:
        return None
    sentence = any(map(str.isspace, text)) and (path.parent == Path(".") or not path.parent.is_dir())
    if sentence or suffix in OTHER_SUFFIXES:
        log.warning("'%s' is no file here, so it is spoken. If it was to be one, check the path.", text[-60:])
        return None
    return path


def text_of(path: Path) -> str | None:
    """The text in a file that is one by its name, None for any other file.

    UTF-8, UTF-16 with its mark, or else Windows' western letters.

    Raises
    ------
    SpeechSynthesisError if it is missing, too large, or no text.
    """
    if path.suffix.lower() not in TEXT_SUFFIXES:
        return None
    try:
        with path.open("rb") as file:
            text = decoded(file.read(MOST_TEXT + 1), str(path))
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or "not readable").lower()
        raise SpeechSynthesisError(f"{path}: {reason}. Check the path, or give the text itself.") from error
    if is_pointer(path):
        refuse_stand_in(path, SpeechSynthesisError)
    if not text.strip():
        raise SpeechSynthesisError(f"{path}: is empty. Write at least one word into it.")
    return text


def decoded(data: bytes, name: str) -> str:
    """The text of some bytes; `name` is what an error calls them.

    Raises
    ------
    SpeechSynthesisError if they are too many, or no text.
    """
    if len(data) > MOST_TEXT:
        raise SpeechSynthesisError(f"{name}: more than {MOST_TEXT >> 20} MB of text. Cut it into parts.")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            if "\0" not in text:
                return text
    raise SpeechSynthesisError(f"{name}: is no text. Save it as plain text in UTF-8.")


def file_track(path: str | Path, speaker: int | None = None) -> Track:
    """The sound of a file, for the face and for the ear; it is read as it is used.

    Where its two channels carry two speakers, and none is chosen, the face speaks both, and a note says so.

    Parameters
    ----------
    speaker : the channel that the face speaks, from 1; the ear hears all
    """
    from speechhead.audio.ear import EarSound
    from speechhead.audio.face_sound import FaceSound

    face, ear = FaceSound.of(path, speaker), EarSound.of(path)
    note_speakers(path, speaker)
    coding = SoundCoding.of("mp4", ear.layout, ear.rate, False)
    speech, audio = in_blocks(face.pieces(), CHUNK), in_blocks(ear.pieces(coding.rate, coding.layout), coding.rate)
    nothing = np.zeros((coding.channels, 0), np.float32)
    pieces = (Passage(block, next(audio, nothing)) for block in speech)
    return Track(pieces, coding.rate, face.samples, coding.layout)


def note_speakers(path: str | Path, speaker: int | None) -> None:
    """Say so where two channels carry two speakers, and none is chosen."""
    from speechhead.audio.io import separate_channels

    if speaker is None:
        with contextlib.suppress(AudioError):  # one channel
            if separate_channels(path):
                log.warning("%s: each channel has a sound of its own, and the face speaks both. For one of two "
                            "speakers add --speaker 1 or 2.", path)  # fmt: skip


def in_blocks(pieces: Iterable[Array], size: int) -> Iterator[Array]:
    """Sound [..., n] in blocks of so many samples, the last one shorter."""
    held: list[Array] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.shape[-1]
        if count >= size:
            joined = np.concatenate(held, axis=-1)
            whole = count // size * size
            for start in range(0, whole, size):
                yield joined[..., start : start + size]
            held, count = [joined[..., whole:]], count - whole
    if count:
        yield np.concatenate(held, axis=-1)


def text_track(text: str, names: tuple[str, ...], hear: Callable[[Speech], None] | None = None) -> Track:
    """A text spoken piece by piece by the first of the voices `names` that this machine has; `hear` gets each piece."""

    from speechhead.tts import check_readable, open_voice, voices

    if not text.strip():
        raise SpeechSynthesisError("the text is empty. Give at least one word, or a sound file.")
    able = {voice.name for voice in voices() if voice.available}
    chosen = next((name for name in names if name in able), names[0])
    check_readable(text, chosen)  # before a portrait is prepared; the voice says what it leaves out

    def pieces() -> Iterator[Passage]:
        for speech in opened(("voice", chosen), lambda: open_voice(chosen)).speak(text):
            if hear:
                hear(speech)
            yield Passage(speech.samples, speech.samples, speech.text, speech.emotion)

    return Track(pieces(), SAMPLE_RATE)
