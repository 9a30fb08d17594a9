"""What one utterance says, sentence by sentence as it comes, and how much of it was heard."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from speechhead.tts.sentences import gathered
from speechhead.tts.text import SENTENCE_PAUSE, Piece
from speechhead_server.stage.events import Message
from speechhead_server.stage.segment import Segment
from speechhead_server.voice.speaker import Spoken

PART = 2000
"""Characters up to which a text is read in one go; a longer one is cut at ends of sentences."""


@dataclass
class Sentence:
    """A part of a script. spoken: words that its sound has so far; heard: those of them that were shown.

    made: all of its sound is there; over: its sound has ended.
    """

    number: int
    text: str
    pause: float
    spoken: int = 0
    heard: int = 0
    made: bool = False
    over: bool = False

    @property
    def heard_characters(self) -> int:
        """How far the text was heard, at the end of a word."""
        if self.over or (self.made and 0 < self.spoken <= self.heard):
            return len(self.text)
        words = self.text.split()
        if not self.heard or not words:
            return 0
        count = min(len(words), self.heard)
        if self.made:  # numbers are said in other words than they are written
            count = max(1, round(self.heard / self.spoken * len(words)))
        at = 0
        for word in words[:count]:
            at = self.text.index(word, at) + len(word)
        return at


class Script:
    """A text that may still grow, for one utterance. All methods are for the event loop.

    Parameters
    ----------
    segment : that its sound goes into
    voice : that says it
    begins : called when its first sentence is there
    counts : called with the characters of each sentence; may refuse them
    """

    def __init__(
        self, segment: Segment, voice: str, begins: Callable[[Script], None], counts: Callable[[int], None]
    ) -> None:
        self.segment, self.voice = segment, voice
        self.sentences: list[Sentence] = []
        self.listeners: list[Callable[[Message], None]] = []
        self.done: Message | None = None
        self._begins, self._counts = begins, counts
        self._unsaid: deque[Sentence] = deque()
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._ended = False

    @property
    def name(self) -> str:
        """The utterance's id."""
        return self.segment.name

    @property
    def waiting(self) -> int:
        """Characters that were not given to the voice yet."""
        return 0 if self.segment.cancelled else sum(len(sentence.text) for sentence in self._unsaid)

    @property
    def alone(self) -> bool:
        """Whether it is one sentence for good."""
        return self._ended and len(self.sentences) == 1

    @property
    def complete(self) -> bool:
        """Whether all of it was given to the voice for good; its end is then told with the utterance's."""
        return self._ended and not self._unsaid

    def add(self, piece: Piece) -> Sentence:
        """Say this next.

        Raises
        ------
        Refused where the first sentence finds no place in the session's queue, or for more than a session may say.
        """
        sentence = Sentence(len(self.sentences), piece.text, piece.pause)
        self._counts(len(piece.text))
        if not self.sentences:
            self._begins(self)
        self.sentences.append(sentence)
        self._unsaid.append(sentence)
        self._changed.set()
        return sentence

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._changed.set()
        if not self.sentences:
            self._over.set()

    async def following(self) -> Sentence | None:
        """The next sentence to be said, when it is there; None after the last."""
        while not self._unsaid:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._unsaid.popleft()

    # What becomes of it.

    def tell(self, message: Message) -> None:
        """Something of it is shown now."""
        number = message.get("sentence", 0)
        if message["type"] == "word" and number < len(self.sentences):
            self.sentences[number].heard += 1
        elif message["type"] == "sentence" and message["state"] == "ended":
            self.sentences[number].over = True
        elif message["type"] == "done":
            if not message["interrupted"]:
                self._ended_with(message)
            self.done = message
            self._over.set()
        for listener in list(self.listeners):
            listener(message)

    def _ended_with(self, done: Message) -> None:
        """The last sentences end with the utterance."""
        for sentence in self.sentences:
            if sentence.made and not sentence.over:
                about = {"utterance": self.name, "sentence": sentence.number, "clock": done["clock"]}
                self.tell({"type": "sentence", **about, "state": "ended"})

    async def said(self) -> None:
        """Wait until it was said to its end, or was interrupted."""
        await self._over.wait()

    @property
    def heard(self) -> str:
        """The text as far as it was heard."""
        return " ".join(filter(None, (each.text[: each.heard_characters] for each in self.sentences)))

    @property
    def heard_characters(self) -> int:
        """Characters of its sentences that were heard."""
        return sum(sentence.heard_characters for sentence in self.sentences)


def parts(text: str) -> list[Piece]:
    """A whole text in what is read in one go."""
    return [Piece(text, SENTENCE_PAUSE)] if len(text) <= PART else gathered(text, PART // 2)


def cues(about: Message, piece: Spoken) -> list[tuple[float, Message]]:
    """Emotion, caption and words of a piece as (seconds from its beginning, message).

    Parameters
    ----------
    about : utterance and number of the sentence
    """
    mood: list[tuple[float, Message]] = []
    if piece.emotion is not None:
        changes = {"emotion": piece.emotion}
        mood.append((0.0, {"type": "controls", "utterance": about["utterance"], "changes": changes}))
    if not piece.words:
        return mood
    begin, end = piece.words[0][1], piece.words[-1][2]
    caption = {"type": "caption", **about, "text": piece.text, "seconds": end - begin}
    words = [
        (start, {"type": "word", **about, "word": word, "seconds": stop - start}) for word, start, stop in piece.words
    ]
    return [*mood, (begin, caption), *words]
