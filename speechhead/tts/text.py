"""Text made speakable: symbols without a sound removed, then cut into sentences that an engine can say in one go."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

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
_BREAK = re.compile(r"\n\s*\n\s*|\n\s*(?=(?:[-*•]|\d{1,3}[.)])\s)")
_BULLET = re.compile(r"(?m)^\s*(?:[-*•]|#{1,6})\s+")

_EXPANSIONS = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Ms", "Prof": "Professor", "Capt": "Captain",
    "Gen": "General", "Sgt": "Sergeant", "Lt": "Lieutenant", "Col": "Colonel", "Rev": "Reverend", "Hon": "Honourable",
    "Mt": "Mount", "St": "Saint", "Jr": "Junior", "Sr": "Senior", "vs": "versus",
    "approx": "approximately", "dept": "department",
}  # fmt: skip
_TITLE = re.compile(r"\b(" + "|".join(_EXPANSIONS) + r")\.(?=[\s,;:]+(\S)|$)")
_NUMBERED = re.compile(r"\b(No|Fig|Vol|pp?)\.\s*(?=\d)", re.I)
_NUMBER_WORDS = {"no": "number ", "fig": "figure ", "vol": "volume ", "p": "page ", "pp": "pages "}
_MONEY = re.compile(r"([$€£])(\d[\d,]*)(?:\.(\d\d)\b)?(\.\d+)?(\s+(?:thousand|million|billion|trillion)\b)?")
_UNITS = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}

_END = re.compile(r"[.!?\u2026]+[\"')]*(?=\s|$)|[\u3002\uff01\uff1f]+|\n")
_MID_SENTENCE = re.compile(r"\b(?:e\.g|i\.e|cf|ca|al|Dr|Mr|Mrs|Ms|Prof|St|vs|[A-Z]|(?:[A-Za-z]\.)+[A-Za-z])\.$")
_OPEN_END = re.compile(r"\b(?:etc|Inc|Ltd|Co|Corp|a\.m|p\.m)\.$", re.I)


@dataclass(frozen=True)
class Piece:
    """What an engine says in one go, and the silence that follows it in seconds."""

    text: str
    pause: float


def clean_text(text: str, english: bool = True) -> str:
    """Remove what has no sound (emoji, control and format characters, markup) and spell what engines misread.

    Addresses are shortened to their host; in English, titles and amounts of money become words.
    Paragraphs and list items come back as lines, everything else as single spaces.

    Raises
    ------
    SpeechSynthesisError if nothing that can be spoken is left.
    """
    shown = " ".join(text.split())[:40]
    text = _URL.sub(lambda found: found["host"], text)
    text = "".join(c if c in _KEEP else unicodedata.normalize("NFKC", c) for c in text)
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(c for c in text if _has_sound(c))
    lines = [_BULLET.sub("", part) for part in _BREAK.split(text.replace("\u2028", "\n").replace("\u2029", "\n\n"))]
    text = "\n".join(" ".join(line.split()) for line in lines)
    text = text.translate(_PLAIN)
    text = re.sub(r"\s*[\u2014\u2013\u2015]\s*|\s+--+\s+", lambda dash: "-" if dash[0] == "\u2013" else ", ", text)
    text = re.sub(r"(?<!\w)_+|_+(?!\w)", " ", text).replace("_", " ")
    text = re.sub(r"\.{3,}", "\u2026", text)
    text = re.sub(r"([.!?,;:\u2026-])\1+", r"\1", text)
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ([,.;:!?])(?!\d)", r"\1", text)
    text = "\n".join(line for part in text.split("\n") if (line := part.strip(" ,;:-")) and _speakable(line))
    if not text:
        what = f"text '{shown}' has nothing to say" if shown else "text is empty"
        raise SpeechSynthesisError(f"{what}. Give at least one word.")
    return _in_words(text) if english else text


def _speakable(text: str) -> bool:
    return any(unicodedata.category(c)[0] in "LN" for c in text)


def _has_sound(char: str) -> bool:
    """Whether an engine can make anything of a character: letters, marks, digits, punctuation, spaces."""
    if char in _KEEP or char in "\n\t":
        return True
    kind = unicodedata.category(char)
    if kind == "Sk":
        return char in "^`"
    return kind not in ("Cc", "Cf", "Cs", "Co", "Cn", "So", "Me") and not "\ufe00" <= char <= "\ufe0f"


def _in_words(text: str) -> str:
    """English abbreviations and amounts that phonemisers stumble over."""

    def title(found: re.Match[str]) -> str:
        if found[1] == "St" and not (found[2] or "").isupper():
            return "Street" if found[2] and not found[2].isupper() else "Street."
        # "Jr." and the like may end a sentence as well; a title never does.
        ends = found[1] in ("Jr", "Sr", "dept", "approx") and (not found[2] or found[2].isupper())
        return _EXPANSIONS[found[1]] + ("." if ends else "")

    def money(found: re.Match[str]) -> str:
        unit, small = _UNITS[found[1]]
        amount = found[2].rstrip(",")
        rest = found[2][len(amount) :]
        if found[4] or found[5]:
            return f"{amount}{'.' + found[3] if found[3] else ''}{found[4] or ''}{found[5] or ''} {unit}s{rest}"
        words = f"{amount} {unit}{'' if amount == '1' else 's'}"
        if found[3] and int(found[3]):
            many = "pence" if small == "penny" else small + "s"
            words += f" and {int(found[3])} {small if int(found[3]) == 1 else many}"
        return words + rest

    text = _MONEY.sub(money, text)
    text = _NUMBERED.sub(lambda found: _NUMBER_WORDS[found[1].lower()], text)
    return _TITLE.sub(title, text)


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


def _sentences(text: str) -> Iterator[tuple[str, float]]:
    start = 0
    for end in _END.finditer(text):
        if end[0] != "\n" and not _ends_sentence(text, start, end):
            continue
        sentence = text[start : end.end()].strip()
        # The line break after a full stop belongs to the same end.
        pause = PARAGRAPH_PAUSE if end[0] == "\n" or text[end.end() : end.end() + 1] == "\n" else SENTENCE_PAUSE
        if _speakable(sentence):
            yield sentence, pause
        start = end.end()
    if _speakable(text[start:]):
        yield text[start:].strip(), SENTENCE_PAUSE


def _ends_sentence(text: str, start: int, end: re.Match[str]) -> bool:
    following = text[end.end() :].lstrip(" ")[:1] if end.end() < len(text) else ""
    if not following or following == "\n":
        return True
    if end[0].startswith("\u2026"):
        return not following.islower()
    if end[0][0] != ".":
        return True
    so_far = text[max(start, end.start() - 20) : end.start() + 1]
    if _OPEN_END.search(so_far):
        return following.isupper()
    return not _MID_SENTENCE.search(so_far)


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
        if _speakable(head):
            yield Piece(head, between)
        sentence = sentence[cut:].lstrip()
    if _speakable(sentence):
        yield Piece(sentence, pause)
