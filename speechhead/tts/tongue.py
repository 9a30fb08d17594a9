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
    if len(others) < 2 or len(text.split()) < WORDS or importlib.util.find_spec(MODULE) is None:
        return own
    identifier = _identifier()
    identifier.set_languages(others)
    scores = dict(identifier.rank(text[:MOST]))
    best = max(scores, key=lambda language: scores[language])
    return str(best) if scores[best] - scores[own] > SURE else own


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
        return suits
    fitting = sorted(
        (voice for voice in known.values() if voice.language[:2] == language),
        key=lambda voice: (voice.gender != first.gender, voice.rank),
    )
    chosen = fitting[0].name
    log.warning("the text's language is '%s', so %s speaks it. --voice chooses another.", language, chosen)
    return (chosen, *suits)
