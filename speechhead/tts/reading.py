"""A text as a voice of some language reads it: markup, what it can not read, and words for numbers and signs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import SpeechSynthesisError

from .markup import misspelt, stretches
from .speech import SILENCE, Phoneme, Speech, Voice, VoiceInfo
from .text import Piece, blocks, nothing_to_say, plain, speakable, tidy
from .wording import in_words
from .writing import called, parted, reader_of

log = logging.getLogger("speechhead")


def read(text: str, language: str = "") -> Iterator[Piece]:
    """Blocks of sentences as they are to be spoken, each with the silence after it and the emotion it is said with.

    A block without a word is a pause alone. A text of any length is worked at as it is read.

    Parameters
    ----------
    text : as a user gives it: plain, SSML or HTML, with `[pause 1s]` and `[happy:0.7]`
    language : of the voice, BCP 47; empty or "mul" leaves numbers and foreign letters to the engine

    Raises
    ------
    SpeechSynthesisError if nothing is left to say.
    """
    spoken = False
    for stretch in stretches(text):
        pause = stretch.pause
        for block in blocks(parted(tidy(stretch.text), language)[0]):
            words = plain("\n".join(in_words(line, language) for line in block.text.split("\n")))
            if words or block.pause:
                yield Piece(words, block.pause, stretch.emotion)
            spoken = spoken or bool(words)
        if pause:
            yield Piece("", pause, stretch.emotion)
    if not spoken:
        raise nothing_to_say(text)


def check_text(
    text: str, voice: str = "", language: str = "", known: Iterable[VoiceInfo] = (), others: bool = True
) -> str:
    """A note on words that a voice leaves out as it can not read their letters, naming a voice that can, and on what
    is nearly a tag; else empty.

    Parameters
    ----------
    text : as a user gives it
    voice, language : its name, and the language that it speaks
    known : voices of this machine
    others : whether voices beyond `known` may be named

    Raises
    ------
    SpeechSynthesisError if there is nothing to say, or most of the letters are such.
    """
    letters, strangers = 0, Counter[str]()
    said = False
    for stretch in stretches(text):
        cleaned, left_out = parted(tidy(stretch.text), language)
        said = said or speakable(cleaned)
        letters += sum(map(str.isalpha, cleaned))
        strangers += left_out
    if not strangers:
        if not said:
            raise nothing_to_say(text)
        return misspelt(text)
    (most, count), *_ = strangers.most_common(1)
    remedy = reader_of(most, known, others)
    reader = f"voice {voice} ({language})" if voice else f"a voice of {language}"
    if strangers.total() > letters or not said:
        shown = " ".join(text.split())[:40]
        raise SpeechSynthesisError(f"text '{shown}' is in {called(most)}, which {reader} can not read. {remedy}.")
    note = f"{count} {called(most)} are left out, as {reader} can not read them. {remedy}."
    return f"{note} {misspelt(text)}".rstrip()


class ReadingVoice:
    """A voice of an engine that is given texts as users write them.

    Parameters
    ----------
    engine_voice : says plain words
    language : that it speaks, BCP 47; the engine voice's own `language` if it has one
    known : gives the voices of this machine, to name one that reads what this one does not
    """

    def __init__(
        self, engine_voice: Voice, language: str = "", known: Callable[[], Iterable[VoiceInfo]] = tuple
    ) -> None:
        self.engine_voice, self.name, self._known = engine_voice, engine_voice.name, known
        self.language: str = getattr(engine_voice, "language", language)

    def speak(self, text: str) -> Iterator[Speech]:
        """Say a text block by block; see `Voice`. Words that it can not read are left out, with a note."""
        if (not text.isascii() or "[" in text) and (note := check_text(text, self.name, self.language, self._known())):
            log.warning("%s", note)
        for block in read(text, self.language):
            for speech in self.engine_voice.speak(block.text) if block.text else ():
                yield replace(speech, emotion=block.emotion)
            if block.pause:
                yield replace(silence(block.pause), emotion=block.emotion)


def silence(seconds: float) -> Speech:
    """A pause."""
    count = round(seconds * SAMPLE_RATE)
    return Speech(np.zeros(count, np.float32), [Phoneme(SILENCE, 0.0, count / SAMPLE_RATE)] if count else [])
