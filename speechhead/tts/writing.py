"""Writing systems: which of them a voice reads, and a voice that reads the others."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from .speech import VoiceInfo

LATIN = "LATIN"

READ = {
    "CJK": ("Chinese characters", ("cmn", "zh", "yue", "ja", "ko")),
    "BOPOMOFO": ("Bopomofo", ("cmn", "zh")),
    "HIRAGANA": ("Japanese kana", ("ja",)),
    "KATAKANA": ("Japanese kana", ("ja",)),
    "HANGUL": ("Korean letters", ("ko",)),
    "CYRILLIC": ("Cyrillic letters", ("ru", "uk", "be", "bg", "mk", "sr", "kk", "ky", "mn", "tt", "ba", "cv")),
    "GREEK": ("Greek letters", ("el", "grc")),
    "ARABIC": ("Arabic letters", ("ar", "fa", "ur", "ps", "ug", "sd", "ku")),
    "HEBREW": ("Hebrew letters", ("he", "yi")),
    "DEVANAGARI": ("Devanagari letters", ("hi", "mr", "ne", "kok", "sa")),
    "BENGALI": ("Bengali letters", ("bn", "as", "bpy")),
    "GURMUKHI": ("Gurmukhi letters", ("pa",)),
    "GUJARATI": ("Gujarati letters", ("gu",)),
    "ORIYA": ("Odia letters", ("or",)),
    "TAMIL": ("Tamil letters", ("ta",)),
    "TELUGU": ("Telugu letters", ("te",)),
    "KANNADA": ("Kannada letters", ("kn",)),
    "MALAYALAM": ("Malayalam letters", ("ml",)),
    "SINHALA": ("Sinhala letters", ("si",)),
    "THAI": ("Thai letters", ("th",)),
    "LAO": ("Lao letters", ("lo",)),
    "MYANMAR": ("Burmese letters", ("my",)),
    "KHMER": ("Khmer letters", ("km",)),
    "GEORGIAN": ("Georgian letters", ("ka",)),
    "ARMENIAN": ("Armenian letters", ("hy", "hyw")),
    "ETHIOPIC": ("Ethiopic letters", ("am", "ti")),
    "TIBETAN": ("Tibetan letters", ("bo",)),
}
"""Writing systems by the first word of their characters' Unicode names: what people call them, and the languages
written in them, the one first that espeak-ng has a voice for. Latin letters are read in every language."""


@lru_cache(maxsize=4096)
def system(char: str) -> str:
    """The writing system of a letter, empty for anything else; a name that `READ` does not have is the letter's own."""
    if not unicodedata.category(char).startswith("L") or char in "µΩ":
        return ""
    name = unicodedata.name(char, "").split(" ")[0]
    return "" if name in ("MODIFIER", "FEMININE", "MASCULINE", "DOUBLE-STRUCK", "SCRIPT", "") else name.split("-")[0]


def reads(language: str, name: str) -> bool:
    """Whether a voice of a language (BCP 47; empty or "mul": of any) reads a writing system."""
    base = language.lower().split("-")[0]
    return name in ("", LATIN) or base in ("", "mul", "und") or base in READ.get(name, ("", ()))[1]


def strange(word: str, language: str) -> str:
    """The writing system in a word that a voice of the language can not read; empty if it reads the word.

    A single Greek letter is a name in any language, such as pi.
    """
    for char in word:
        name = system(char)
        if not reads(language, name) and not (name == "GREEK" and sum(map(str.isalpha, word)) == 1):
            return name
    return ""


def parted(text: str, language: str) -> tuple[str, Counter[str]]:
    """A text without the words that a voice can not read, and the letters of these by writing system."""
    left_out: Counter[str] = Counter()
    if language.lower().split("-")[0] in ("", "mul", "und") or text.isascii():
        return text, left_out
    lines = []
    for line in text.split("\n"):
        kept = []
        for word in line.split(" "):
            if name := strange(word, language):
                left_out[name] += sum(map(str.isalpha, word))
                word = "".join(c for c in word if not c.isalpha() and unicodedata.category(c)[0] == "P")
            if word:
                kept.append(word)
        lines.append(" ".join(kept))
    return ("\n".join(lines), left_out) if left_out else (text, left_out)


def reader_of(name: str, known: Iterable[VoiceInfo], others: bool) -> str:
    """What to do about a writing system: the voice to take, or what to install.

    Parameters
    ----------
    known : voices of this machine; others : whether voices beyond these may be named, as espeak-ng's own
    """
    able = [voice for voice in known if voice.available]
    for voice in able:
        if reads(voice.language, name):
            return f"Use voice {voice.name}"
    languages = READ.get(name, ("", ()))[1]
    if not others or not languages:
        return "No voice here reads them"
    if any(voice.engine == "espeak" for voice in able):
        return f"Use voice espeak:{languages[0]}"
    return f"Install espeak-ng and use voice espeak:{languages[0]}"


def called(name: str) -> str:
    """What people call a writing system."""
    return READ[name][0] if name in READ else f"{name.capitalize()} letters"
