"""Text that comes bit by bit, as from a language model, in sentences as soon as each is whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .markup import stretches
from .text import CLAUSE_PAUSE, PARAGRAPH_PAUSE, SENTENCE_PAUSE, WORD_PAUSE, Piece, ends_sentence, speakable

LONGEST = 1000
"""Characters of one sentence at most; a longer one is cut where speakers breathe."""

PORTION = 4096
"""Characters that are cut in some milliseconds: a longer text comes in portions where others wait for their turn."""

AHEAD = 16
"""Characters after an end that may tell whether it is one: spaces, a list's number, the next word's first letter."""

_CLOSERS = "\"')\\]\u2019\u201d\u00bb"
_END = re.compile(
    rf"(?<![.!?\u2026])(?P<stop>[.!?\u2026]+)[{_CLOSERS}]*(?P<space>\s)"
    "|(?<![\u3002\uff01\uff1f])(?P<wide>[\u3002\uff01\uff1f]+[\u300d\u300f\u201d\u2019\uff09]*)(?=[^\u3002\uff01\uff1f\u300d\u300f\u201d\u2019\uff09])"
    r"|(?P<line>\n[ \t]{0,6}(?:\n|(?=(?:[-*\u2022]|\d{1,3}[.)])\s)))"
)
_SPACES = re.compile(r"\s*")
_DATE = re.compile(r"(?:\d|\b(?:No|Nr|Fig|Vol|pp?))\.$")
_SETTLED = re.compile(rf"[.!?\u2026\u3002\uff01\uff1f][{_CLOSERS}\u300d\u300f\uff09]*\s*$")
_TAGS = re.compile(
    r"<!--(?:.*?-->|(?P<data>.*))|<!\[CDATA\[(?:.*?\]\]>|(?P<comment>.*))"
    r"|<(?P<pair>sub|say-as|script|style|head)\b(?:[^<>]*/>|.*?</(?P=pair)\s*>|(?P<lone>.*))"
    r"|<[A-Za-z/!?][^<>]*(?:>|(?P<tag>))|\[[^\[\]]{0,60}(?:\]|(?P<bracket>))",
    re.S | re.I,
)
_UNCLOSED = ("data", "comment", "lone", "tag", "bracket")
_BREATHS = ((r"[;:]\s", CLAUSE_PAUSE), (r",\s", CLAUSE_PAUSE), (r"\s", WORD_PAUSE))


class SentenceCutter:
    """Cuts a text that comes in portions; however it is portioned, the sentences are the same.

    Tags such as `[happy:0.7]`, `[pause 1s]` and those of SSML are never cut, and one that stands alone goes with the
    next sentence. Each sentence has the silence that is fitting before the next one. What has no word is left out.
    """

    def __init__(self) -> None:
        self._text = ""
        self._before = ""  # tags without a word

    @property
    def held(self) -> int:
        """Characters that wait for the rest of their sentence."""
        return len(self._text)

    def push(self, text: str) -> list[Piece]:
        """The sentences that are whole now."""
        self._text += text
        found = []
        while (cut := self._cut()) is not None:
            found += self._whole(cut)
        return found

    def settle(self) -> list[Piece]:
        """What waits only to see what follows, if nothing has followed for a while."""
        whole = (
            _SETTLED.search(self._text)
            and not _within(_tags(self._text), len(self._text))
            and not _DATE.search(self._text.rstrip())
        )
        return self.end() if whole else []

    def end(self) -> list[Piece]:
        """What is left, when nothing more comes."""
        rest, self._text = self._text.strip(), ""
        found = self._whole(Piece(rest, SENTENCE_PAUSE))
        self._before = ""
        return found

    def _whole(self, piece: Piece) -> list[Piece]:
        """A sentence with the tags before it; none if it has no word."""
        if not any(speakable(stretch.text) for stretch in stretches(piece.text)):
            if speakable(piece.text):
                self._before = f"{self._before} {piece.text}".strip()[-LONGEST:]
            return []
        text, self._before = f"{self._before} {piece.text}".strip(), ""
        return [Piece(text, piece.pause)]

    def _cut(self) -> Piece | None:
        """Take the first sentence off, where its end is sure whatever follows."""
        window = self._text[: LONGEST + AHEAD]
        tags = _tags(window)
        for end in _END.finditer(window):
            if end.end() > LONGEST:
                break
            pause = self._pause(end)
            if pause is None:
                return None
            if pause and not _within(tags, end.end()):
                return self._take(end.end(), pause)
        if len(self._text) < LONGEST + AHEAD:
            return None
        for mark, pause in _BREATHS:
            cuts = [found.end() for found in re.finditer(mark, window[:LONGEST]) if found.end() > LONGEST // 2]
            if cut := next((cut for cut in reversed(cuts) if not _within(tags, cut)), 0):
                return self._take(cut, pause)
        return self._take(LONGEST, 0.0)

    def _take(self, count: int, pause: float) -> Piece:
        piece, self._text = Piece(self._text[:count].strip(), pause), self._text[count:]
        return piece

    def _pause(self, end: re.Match[str]) -> float | None:
        """Silence after what may be an end, 0 if it is none, None where what follows must tell."""
        if end["line"]:
            return PARAGRAPH_PAUSE
        if end["wide"]:
            return SENTENCE_PAUSE
        after = end.end() - 1
        spaces = _SPACES.match(self._text, after)
        assert spaces is not None
        if spaces.end() == len(self._text) and spaces.end() - after <= AHEAD // 2:
            return None
        if (lines := spaces[0][: AHEAD // 2].count("\n")) or spaces.end() - after > AHEAD // 2:
            return PARAGRAPH_PAUSE if lines > 1 else SENTENCE_PAUSE
        stop = self._text[: end.end("stop")]
        if _DATE.search(stop):
            return 0.0
        return SENTENCE_PAUSE if ends_sentence(stop, len(end["stop"]), self._text[spaces.end()]) else 0.0


def _tags(text: str) -> list[tuple[int, int]]:
    """Places that are within tags, (first, last), and within what stands between two that belong together."""
    found = []
    for tag in _TAGS.finditer(text):
        open_yet = any(tag[name] is not None for name in _UNCLOSED)
        found.append((tag.start() + 1, tag.end() - (not open_yet)))
    return found


def _within(tags: list[tuple[int, int]], at: int) -> bool:
    return any(first <= at <= last for first, last in tags)


def portions(text: str) -> Iterator[str]:
    """A long text in what is cut in a moment each; the sentences are the same."""
    return (text[begin : begin + PORTION] for begin in range(0, len(text), PORTION))


def sentences(text: str) -> list[Piece]:
    """The sentences of a whole text, as of `SentenceCutter`."""
    cutter = SentenceCutter()
    return [*cutter.push(text), *cutter.end()]


def gathered(text: str, most: int) -> list[Piece]:
    """Sentences joined to parts of about `most` characters, so that a long text is read as a short one is."""
    parts: list[Piece] = []
    for sentence in sentences(text):
        last = parts[-1] if parts else None
        if last is not None and last.pause == SENTENCE_PAUSE and len(last.text) + len(sentence.text) < most:
            parts[-1] = Piece(f"{last.text} {sentence.text}", sentence.pause)
        else:
            parts.append(sentence)
    return parts
