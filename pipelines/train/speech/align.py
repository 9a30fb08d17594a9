"""When each phoneme of a recording is spoken: its words, forced onto its sound by pocketsphinx (English)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from speechhead.audio.io import Samples

HOP = 0.01
"""Seconds of pocketsphinx' frames."""

Phones = list[tuple[str, float, float]]
"""Symbol (ARPABET, or "sil"), start and end in seconds."""

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@cache
def _decoder(wide: bool) -> Any:
    from pocketsphinx import Decoder

    beams = {"beam": 1e-120, "pbeam": 1e-120, "wbeam": 1e-100} if wide else {}
    return Decoder(lm=None, loglevel="FATAL", bestpath=False, **beams)


def words_of(text: str, known: Callable[[str], bool]) -> list[str]:
    """Words of a text as a dictionary knows them: digits one by one, unknown words left out."""
    spelled = re.sub(r"\d", lambda digit: f" {DIGITS[int(digit[0])]} ", text.lower().replace("’", "'"))
    return [word for word in re.findall(r"[a-z']+", spelled) if known(word)]


def align(sound: Samples, text: str) -> Phones:
    """Phonemes of a text within its sound, float32 [n] at 16 kHz; empty where they do not fit."""
    level = 0.1 / max(float(np.sqrt(np.mean(sound**2))), 1e-5)
    pcm = (np.clip(sound * level, -1, 1) * 32767).astype(np.int16).tobytes()
    for wide in (False, True):
        decoder = _decoder(wide)
        words = words_of(text, lambda word: decoder.lookup_word(word) is not None)  # noqa: B023
        if len(words) < 2:
            break
        decoder.set_align_text(" ".join(words))
        if not _fitted(decoder, pcm) or decoder.hyp() is None:
            continue
        decoder.set_alignment()  # of phonemes within the words; a second pass, which has no hypothesis
        if _fitted(decoder, pcm):
            return [
                (_symbol(phone.name), phone.start * HOP, (phone.start + phone.duration) * HOP)
                for word in decoder.get_alignment()
                for phone in word
            ]
    return []


def _symbol(name: str) -> str:
    return "sil" if name.startswith(("SIL", "+")) else str(name)


def _fitted(decoder: Any, pcm: bytes) -> bool:
    decoder.start_utt()
    try:
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
    except RuntimeError:
        return False
    return True
