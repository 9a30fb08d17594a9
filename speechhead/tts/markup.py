"""SSML and HTML in a text, the project's own `[pause 1s]` and `[happy:0.7]`: what they ask for, and what is said."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from speechhead.core.controls import EMOTIONS, parse_emotion

from .text import CLAUSE_PAUSE, SENTENCE_PAUSE, Piece, speakable

LONGEST_PAUSE = 60.0
"""Seconds of one pause at most."""

STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.5, "strong": 0.8, "x-strong": 1.2}
"""Seconds of a break by its strength (SSML 1.1, section 3.2.3, which leaves the lengths to the engine)."""

_BLOCKS = re.compile(
    "address article blockquote body br dd div dl dt figure footer h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre "
    "section table td th title tr ul".replace(" ", "|")
)
_INLINE = re.compile(
    "a abbr b big cite code del em emphasis font i ins kbd lang prosody q say-as small span strong sub sup token u "
    "voice w".replace(" ", "|")
)
_NAMED = r"""\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>=`]+)"""
_MOOD = rf"(?:{'|'.join(EMOTIONS)})(?:\s*:\s*(?:0?\.\d+|[01](?:\.0*)?))?"
_SENTENCE_ENDS = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"')\u201d\u2019]*\s*$")
_TAG = re.compile(
    r"<!--.*?-->|<!\[CDATA\[(?P<data>.*?)\]\]>|<[?!][A-Za-z][^<>]*>"
    r"|<(?P<hidden>script|style|head)\b[^<>]*>.*?</(?P=hidden)\s*>"
    rf"|<sub(?:{_NAMED})*\s+alias\s*=\s*(?P<quote>[\"'])(?P<alias>[^\"'<>]*)(?P=quote)(?:{_NAMED})*\s*>[^<>]*</sub\s*>"
    r"|<say-as\s+interpret-as\s*=\s*[\"'](?:characters|spell-out|verbatim)[\"'][^<>]*>(?P<spelt>[^<>]*)</say-as\s*>"
    rf"|</?(?P<name>[A-Za-z][\w:.-]*)(?P<attributes>(?:{_NAMED})*)\s*/?>"
    r"|\[pause(?:[\s:=]+(?P<length>[\d.]+)\s*(?P<unit>ms|s|))?\s*\]"
    rf"|\[\s*(?P<mood>{_MOOD}(?:\s*,\s*{_MOOD})*)\s*\]",
    re.S | re.I,
)
_NEARLY = re.compile(
    rf"\[\s*(?:[^\W\d_]+\s*[:=]\s*[-+]?[\d.]+%?\s*(?:,[^\[\]]*)?|(?:pause|{'|'.join(EMOTIONS)})\b[^\[\]\d]*\d[^\[\]]*)\]",
    re.I,
)
_BRACKETED = re.compile(r"\[[^\[\]\n]{1,60}\](?!\()")
_TIME = re.compile(r"""\btime\s*=\s*["']?\s*\+?(?P<length>[\d.]+)\s*(?P<unit>ms|s)\b""", re.I)
_STRENGTH = re.compile(r"""\bstrength\s*=\s*["']?\s*(?P<strength>[a-z-]+)""", re.I)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.I)


def stretches(text: str) -> Iterator[Piece]:
    """Text between the pauses and emotions that it asks for: each with the seconds of silence after it, 0 at the end.

    Tags are what looks like one: a name, and attributes with values. `a < b` is text. `<break>` of SSML and
    `[pause 1s]` (also 300ms, or none for a middling one) are pauses. `[happy:0.7]`, as `parse_emotion` reads it, is
    the emotion from there on, and cuts a sentence as a comma does. Other words in brackets stay text. `<sub>` says its
    alias, `<say-as>` spells, scripts and styles are left out; other tags go, and what they enclose stays.
    """
    parts: list[str] = []
    at, mood = 0, None
    for found in _TAG.finditer(text):
        parts.append(_unescaped(text[at : found.start()]))
        at = found.end()
        pause = _pause(found)
        if found["mood"] is not None:
            said = "".join(parts)
            if speakable(said):
                yield Piece(said, SENTENCE_PAUSE if _SENTENCE_ENDS.search(said) else CLAUSE_PAUSE, mood)
                parts.clear()
            mood = parse_emotion(found["mood"].replace(" ", ""))
        elif pause is None:
            parts.append(_instead(found, parts[-1], text[at : at + 1]))
        elif pause:
            yield Piece("".join(parts), pause, mood)
            parts.clear()
    yield Piece("".join(parts) + _unescaped(text[at:]), 0.0, mood)


def misspelt(text: str) -> str:
    """A note on the first thing in brackets that is shaped like a tag and is none, such as `[hapy:0.7]`; else empty."""
    for found in _NEARLY.finditer(text):
        if not _TAG.fullmatch(found[0]):
            shown = " ".join(found[0].split())[:40]
            return f"{shown} is no tag, so it is spoken. Write [NAME:0..1] with {', '.join(EMOTIONS)}, or [pause 1s]."
    return ""


def known_only(text: str) -> str:
    """A text without words in brackets that are no tag of ours, such as a language model writes."""
    return _BRACKETED.sub(lambda found: found[0] if _TAG.fullmatch(found[0]) else "", text)


def _unescaped(text: str) -> str:
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text)


def _instead(found: re.Match[str], before: str, after: str) -> str:
    """What stands for a tag."""
    if found["data"] is not None:
        return found["data"]
    if found["alias"] is not None:
        return _unescaped(found["alias"])
    if found["spelt"] is not None:
        return " ".join(_unescaped(found["spelt"]).replace(" ", "").upper())
    name = (found["name"] or "").lower()
    if _BLOCKS.fullmatch(name):
        return "\n\n"
    if name == "s":  # a sentence, whether or not it ends like one
        return " " if not before.strip() or before.rstrip()[-1] in ".!?…:;," else ". "
    return "" if _INLINE.fullmatch(name) else " "


def _pause(found: re.Match[str]) -> float | None:
    """Seconds that a tag asks for, None if it is none of a pause."""
    if found["mood"] is not None:
        return None
    if found[0].startswith("["):
        return _seconds(found["length"], found["unit"]) if found["length"] else STRENGTHS["medium"]
    if (found["name"] or "").lower() != "break" or found[0].startswith("</"):
        return None
    if time := _TIME.search(found["attributes"]):
        return _seconds(time["length"], time["unit"])
    strength = _STRENGTH.search(found["attributes"])
    return STRENGTHS.get(strength["strength"].lower() if strength else "medium", STRENGTHS["medium"])


def _seconds(length: str, unit: str | None) -> float:
    try:
        return min(float(length) / (1000 if (unit or "").lower() == "ms" else 1), LONGEST_PAUSE)
    except ValueError:  # 1.2.3
        return STRENGTHS["medium"]
