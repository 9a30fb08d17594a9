"""The language of a text, and a voice that speaks it: `py3langid` tells it, where it is installed."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable
from functools import cache
from typing import Any

from .speech import VoiceInfo

log = logging.getLogger("speechhead")

MODULE = "py3langid"

SURE = 6.0
"""Difference of log probabilities from which a text is in one language rather than in the voice's own."""

SURER = 18.0
"""The same, from which a text is in a language that no voice here speaks."""

_NORTH = ("cs", "da", "de", "fi", "hu", "nl", "no", "pl", "sk", "sl", "sv")
_SOUTH = ("ca", "es", "fr", "hr", "id", "it", "ms", "pt", "ro", "tr", "vi")
ELSEWHERE = (*_NORTH, *_SOUTH)
"""Languages in Latin letters, which every voice reads, and misreads: that of a text is looked for among these, too."""

WORDS = 3
"""Fewer words may be a name."""

MOST = 600
"""Characters at the beginning of a text that are looked at."""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)


def language_of(text: str, own: str, among: Iterable[str]) -> str:
    """Language of a text, two letters, if it is surely another than `own`, and one of `among`; else `own`."""
    others = sorted({own, *among})
    if len(others) < 2 or not _long_enough(text):
        return own
    best, lead = _ranked(text, own, others)
    return best if lead > SURE else own


def _long_enough(text: str) -> bool:
    """Whether the language of a text can be told here."""
    return len(text.split()) >= WORDS and importlib.util.find_spec(MODULE) is not None


def _ranked(text: str, own: str, among: list[str]) -> tuple[str, float]:
    """The likeliest language of a text, and its lead over `own`; those that nobody knows are left out."""
    identifier = _identifier()
    identifier.set_languages(None)
    known = set(identifier.nb_classes)
    if own not in known:
        return own, 0.0
    identifier.set_languages([language for language in among if language in known])
    scores = dict(identifier.rank(text[:MOST]))
    best = max(scores, key=lambda language: scores[language])
    return str(best), float(scores[best] - scores[own])


def speaker_of(text: str, suits: tuple[str, ...], able: Iterable[VoiceInfo]) -> tuple[str, ...]:
    """Voices for a text when nobody asked for one: those of the portrait, before them one of the text's language.

    Parameters
    ----------
    suits : names, best first
    able : voices that can speak on this machine
    """
    known = {voice.name: voice for voice in able}
    first = next((known[name] for name in suits if name in known), None)
    if first is None:
        return suits
    own = first.language[:2]
    language = language_of(text, own, (voice.language[:2] for voice in known.values() if voice.language != "mul"))
    if language == own:
        _note_unspoken(text, first, {voice.language[:2] for voice in known.values()})
        return suits
    fitting = sorted(
        (voice for voice in known.values() if voice.language[:2] == language),
        key=lambda voice: (voice.gender != first.gender, voice.rank),
    )
    chosen = fitting[0].name
    log.warning("the text's language is '%s', so %s speaks it. --voice chooses another.", language, chosen)
    return (chosen, *suits)


def _note_unspoken(text: str, voice: VoiceInfo, spoken: set[str]) -> None:
    """Say so where a text is in a language that no voice here speaks, and `voice` reads it as its own."""
    own = voice.language[:2]
    if not _long_enough(text):
        return
    language, lead = _ranked(text, own, sorted({own, *ELSEWHERE}))
    if lead > SURER and language not in spoken:
        line = "the text's language is '%s', which no voice here speaks: %s reads it as '%s'. "
        log.warning(
            line + "With espeak-ng installed, --voice espeak:%s speaks it.", language, voice.name, own, language
        )
