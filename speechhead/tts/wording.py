"""Numbers, dates, money, units and abbreviations as words: by the package spokenform, in the languages it knows."""

from __future__ import annotations

import importlib.util
import logging
import re
from functools import cache
from typing import Any

log = logging.getLogger("speechhead")

_TELLING = re.compile(r"\d|[$€£¥₹%&@#+=<>×÷°/]|[A-Z]{2,}|\b\w{1,5}\.(?=.*\S)", re.S)
"""What a text has where there is anything to put into words; a sentence of plain words costs nothing."""

_RANGE = {"en": " to ", "de": " bis ", "fr": " à ", "es": " a ", "it": " a ", "pt": " a "}
_COMPARED = {
    "en": ("less than", "greater than"), "de": ("kleiner als", "größer als"),
    "fr": ("inférieur à", "supérieur à"), "es": ("menor que", "mayor que"),
    "it": ("minore di", "maggiore di"), "pt": ("menor que", "maior que"),
    "hi": ("से कम", "से ज़्यादा"),
}  # fmt: skip
_LARGE = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}
_UNITS = {"$": "dollars", "€": "euros", "£": "pounds"}
_MONEY = re.compile(r"([$€£])(\d[\d,]*(?:\.\d+)?)\s?(k|m|mn|b|bn|t|thousand|million|billion|trillion)\b", re.I)
_ENGLISH: tuple[tuple[re.Pattern[str], Any], ...] = (
    (re.compile(r"([$€£]\d+),(?=\d\d(?!\d|[,.]\d))"), r"\1."),  # €3,50, as the continent writes it
    (re.compile(r"\b24/7\b"), "twenty-four seven"),
    (re.compile(r"#(?=\d)"), "number "),
    (re.compile(r"(?<=\d:\d\d)\s?[-–]\s?(?=\d{1,2}:\d\d)"), " to "),
    (re.compile(r"\bp\.\s*(?=\d)"), "page "),
    (re.compile(r"\b(?:[A-Z]\.){2,}(?=.*\w)"), lambda found: " ".join(found[0].replace(".", ""))),
)


def in_words(text: str, language: str) -> str:
    """A line of text with its numbers and signs as a reader says them.

    The package takes a time that grows with the square of the length: give it a few sentences at a time. A language
    that it does not know, or an installation without it, leaves the text to the voice.

    Parameters
    ----------
    text : from `tidy`
    language : BCP 47, such as en-US; empty or "mul" where it is not known
    """
    base = language.lower().split("-")[0]
    if base in ("", "mul", "und") or not _TELLING.search(text):
        return text
    text = _glue(text, base, language)
    prepare = _preparer()
    if prepare is not None:
        try:
            text = prepare(text, language=language).spoken_text
        except Exception:  # a language it does not know, or a case it has not thought of: the voice reads it
            return text
    return re.sub(r"\b([AP]) M\b", r"\1M", text) if base == "en" else text


@cache
def _preparer() -> Any:
    """The package's function, None where it is not installed, which is said once."""
    if importlib.util.find_spec("spokenform") is None:
        log.warning("spokenform is not installed: numbers are read as the voice reads them. pip install spokenform.")
        return None
    from spokenform import prepare_language

    return prepare_language


def _glue(text: str, base: str, language: str) -> str:
    """What the package leaves open."""
    less, more = _COMPARED.get(base, ("<", ">"))
    text = re.sub(r"(?<=[\w)])\s*<\s*(?=[\w(-])", f" {less} ", text)
    text = re.sub(r"(?<=[\w)])\s*>\s*(?=[\w(-])", f" {more} ", text)
    if base == "en":
        text = _MONEY.sub(lambda found: _money(*found.groups()), text)
        if language.lower() in ("en-gb", "en-au", "en-ie", "en-nz"):  # the day first
            text = re.sub(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b", _month_first, text)
        for pattern, words in _ENGLISH:
            text = pattern.sub(words, text)
    if base == "hi":
        text = re.sub(r"₹\s?([\d,.]*\d)", r"\1 रुपये", text)
    if base == "pt":
        text = re.sub(r"\b(\d{1,2})(?:[:h]00|h)\b", r"\1 horas", text)
        text = re.sub(r"\b(\d{1,2})[:h](\d\d)\b", r"\1 horas e \2", text)
    return re.sub(r"(?<=\d)\s?–\s?(?=\d)", _RANGE.get(base, "-"), text)


def _money(sign: str, amount: str, size: str) -> str:
    """English amounts that are given in thousands and more."""
    return f"{amount} {_LARGE.get(size.lower(), size.lower())} {_UNITS[sign]}"


def _month_first(found: re.Match[str]) -> str:
    day, month, year = found.groups()
    return f"{month}/{day}/{year}" if int(month) <= 12 else found[0]
