"""Text made speakable: symbols without a sound removed, then cut into sentences that an engine can say in one go."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from speechhead.core.errors import SpeechSynthesisError

LIMIT = 300
"""Characters of one piece at most: about 20 s of speech, which bounds an engine's memory and first delay."""

SENTENCE_PAUSE, PARAGRAPH_PAUSE, CLAUSE_PAUSE, WORD_PAUSE = 0.35, 0.7, 0.2, 0.05
"""Seconds of silence after a piece, by what ends it."""

_KEEP = frozenset("°½¼¾²³©®！？")  # compatibility or symbol characters that engines do read
_PLAIN = str.maketrans(
    # Double brackets would be read as raw phonemes.
    dict.fromkeys("[]{}<>|\\*`~^", " ")
    | dict.fromkeys("\u2018\u2019\u201a", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2212", "-")
)
_URL = re.compile(
    r"\b(?:(?:https?|ftp)://(?:[^\s/?#@]+@)?(?:www\.)?|www\.)(?P<host>[\w.-]*\w)(?:[/?#:]\S*?)?(?=[.,;:!?)\"']*(?:\s|$))",
    re.I,
)
_LINK = re.compile(r"\[([^\[\]]+)\]\((?:https?://|www\.|mailto:|#|/)[^()\s]*\)")
_BREAK = re.compile(r"\n\s*\n\s*|\n\s*(?=(?:[-*•]|\d{1,3}[.)])\s)")
_BULLET = re.compile(r"(?m)^\s*(?:[-*•]|#{1,6})\s+")

_END = re.compile(r"[.!?\u2026]+[\"')]*(?=\s|$)|[\u3002\uff01\uff1f]+|\n")
_MID_SENTENCE = re.compile(r"\b(?:e\.g|i\.e|cf|ca|al|Dr|Mr|Mrs|Ms|Prof|St|vs|[A-Z]|(?:[A-Za-z]\.)+[A-Za-z])\.$")
_OPEN_END = re.compile(r"\b(?:etc|Inc|Ltd|Co|Corp|a\.m|p\.m)\.$", re.I)


@dataclass(frozen=True)
class Piece:
    """What an engine says in one go, the silence that follows it in seconds, and the emotion of both.

    emotion: intensities by name; None where the text names none.
    """

    text: str
    pause: float
    emotion: Mapping[str, float] | None = None


def clean_text(text: str) -> str:
    """Remove what has no sound (emoji, control and format characters, marks); addresses are shortened to their host.

    Paragraphs and list items come back as lines, everything else as single spaces.

    Raises
    ------
    SpeechSynthesisError if nothing that can be spoken is left.
    """
    cleaned = plain(tidy(text))
    if not cleaned:
        raise nothing_to_say(text)
    return cleaned


def nothing_to_say(text: str) -> SpeechSynthesisError:
    """The error for a text without a word."""
    shown = " ".join(text.split())[:40]
    what = f"text '{shown}' has nothing to say" if shown else "text is empty"
    return SpeechSynthesisError(f"{what}. Give at least one word.")


def tidy(text: str) -> str:
    """Characters without a sound removed, addresses shortened, paragraphs and list items as lines; signs stay."""
    text = _URL.sub(lambda found: found["host"], _LINK.sub(lambda found: found[1], text))
    text = "".join(c if c in _KEEP else unicodedata.normalize("NFKC", c) for c in text)
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(c for c in text if _has_sound(c))
    lines = [_BULLET.sub("", part) for part in _BREAK.split(text.replace("\u2028", "\n").replace("\u2029", "\n\n"))]
    return "\n".join(" ".join(line.split()) for line in lines)


def plain(text: str) -> str:
    """Tidied text without the signs that engines misread or take for orders; empty if no word is left."""
    text = text.translate(_PLAIN)
    text = re.sub(r"\s*[\u2014\u2013\u2015]\s*|\s+--+\s+", lambda dash: "-" if dash[0] == "\u2013" else ", ", text)
    text = re.sub(r"(?<!\w)_+|_+(?!\w)", " ", text).replace("_", " ")
    text = re.sub(r"\.{3,}", "\u2026", text)
    text = re.sub(r"([.!?,;:\u2026-])\1+", r"\1", text)
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ([,.;:!?])(?!\d)", r"\1", text)
    return "\n".join(line for part in text.split("\n") if (line := part.strip(" ,;:-")) and speakable(line))


def speakable(text: str) -> bool:
    """Whether there is a letter or a number in a text."""
    return any(unicodedata.category(c)[0] in "LN" for c in text)


def _has_sound(char: str) -> bool:
    """Whether an engine can make anything of a character: letters, marks, digits, punctuation, spaces."""
    if char in _KEEP or char in "\n\t":
        return True
    kind = unicodedata.category(char)
    if kind == "Sk":
        return char in "^`"
    return kind not in ("Cc", "Cf", "Cs", "Co", "Cn", "So", "Me") and not "\ufe00" <= char <= "\ufe0f"


def blocks(text: str, limit: int = LIMIT) -> Iterator[Piece]:
    """Tidied text in blocks of sentences, of about `limit` characters, each with its pause, 0 at the end.

    Lines stay apart. A block does not end in a number with a full stop, which may be a date,
    unless it is twice as long.
    """
    held: list[str] = []
    waiting: Piece | None = None
    for sentence, pause in _sentences(text):
        for piece in _shorten(sentence, pause, 2 * limit):
            if waiting is not None:
                yield waiting
                waiting = None
            held += [piece.text, "\n" if piece.pause == PARAGRAPH_PAUSE else " "]
            size = sum(map(len, held))
            if size >= 2 * limit or (size >= limit and not re.search(r"\d\.$", piece.text)):
                waiting = Piece("".join(held).strip(), piece.pause)
                held.clear()
    if waiting is not None:
        yield Piece(waiting.text, waiting.pause if held else 0.0)
    if held:
        yield Piece("".join(held).strip(), 0.0)


def split_blocks(parts: Iterable[Piece], limit: int = LIMIT) -> Iterator[Piece]:
    """Sentences of blocks, each block's last one with the block's pause; a block without a word is a pause alone."""
    for block in parts:
        last: Piece | None = None
        for piece in split_text(block.text, limit):
            if last is not None:
                yield replace(last, emotion=block.emotion)
            last = piece
        if last is not None or block.pause:
            yield replace(block, text=last.text if last is not None else "")


def split_text(text: str, limit: int = LIMIT) -> Iterator[Piece]:
    """Cut cleaned text into sentences, and sentences over `limit` characters at clauses, commas or spaces.

    Abbreviations, initials and decimal points do not end a sentence. The last piece has no pause.

    Parameters
    ----------
    text : from `clean_text`
    limit : characters of one piece at most
    """
    held: Piece | None = None
    for sentence, pause in _sentences(text):
        for piece in _shorten(sentence, pause, limit):
            if held:
                yield held
            held = piece
    if held:
        yield Piece(held.text, 0.0)


def begun_early(pieces: Iterable[Piece], most: int = 80) -> Iterator[Piece]:
    """The pieces, a first one of more than `most` characters cut at a comma or clause: a slow voice is heard sooner."""
    for number, piece in enumerate(pieces):
        cuts = [found.end() for found in re.finditer(r"[;:,]\s", piece.text[: most + 1]) if found.end() > most // 4]
        if number == 0 and len(piece.text) > most and cuts:
            yield Piece(piece.text[: cuts[-1]].strip(), CLAUSE_PAUSE)
            piece = Piece(piece.text[cuts[-1] :].strip(), piece.pause)
        yield piece


def _sentences(text: str) -> Iterator[tuple[str, float]]:
    start = 0
    for end in _END.finditer(text):
        if end[0] != "\n" and not _ends_sentence(text, start, end):
            continue
        sentence = text[start : end.end()].strip()
        # The line break after a full stop belongs to the same end.
        pause = PARAGRAPH_PAUSE if end[0] == "\n" or text[end.end() : end.end() + 1] == "\n" else SENTENCE_PAUSE
        if speakable(sentence):
            yield sentence, pause
        start = end.end()
    if speakable(text[start:]):
        yield text[start:].strip(), SENTENCE_PAUSE


def _ends_sentence(text: str, start: int, end: re.Match[str]) -> bool:
    following = text[end.end() :].lstrip(" ")[:1] if end.end() < len(text) else ""
    return ends_sentence(text[start : end.end()], len(end[0]), following)


def ends_sentence(so_far: str, marks: int, following: str) -> bool:
    """Whether full stops and the like end a sentence, rather than an abbreviation or an initial.

    Parameters
    ----------
    so_far : the sentence, up to and with its marks
    marks : characters of these marks
    following : the first letter or sign after them and the spaces; empty at the end of a line or a text
    """
    mark = so_far[-marks:]
    if not following or following == "\n":
        return True
    if mark.startswith("\u2026"):
        return not following.islower()
    if mark[0] != ".":
        return True
    last = so_far[: len(so_far) - marks + 1][-21:]
    if _OPEN_END.search(last):
        return following.isupper()
    return not _MID_SENTENCE.search(last)


def _shorten(sentence: str, pause: float, limit: int) -> Iterator[Piece]:
    while len(sentence) > limit:
        window = sentence[: limit + 1]
        for mark, rest_pause in (("[;:]\\s", CLAUSE_PAUSE), (",\\s", CLAUSE_PAUSE), ("\\s", WORD_PAUSE)):
            cuts = [found.end() for found in re.finditer(mark, window) if found.end() > limit // 4]
            if cuts:
                cut, between = cuts[-1], rest_pause
                break
        else:
            cut, between = limit, 0.0
        head = sentence[:cut].strip()
        if speakable(head):
            yield Piece(head, between)
        sentence = sentence[cut:].lstrip()
    if speakable(sentence):
        yield Piece(sentence, pause)
