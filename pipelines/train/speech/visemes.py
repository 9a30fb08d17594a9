"""Visemes: phonemes that look alike on the lips, for IPA (Piper, espeak-ng) and ARPABET (pocketsphinx) symbols."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VISEMES = ("sil", "pbm", "fv", "th", "tdnl", "sz", "sh", "kgh", "r", "w", "oh", "aa", "eh", "ee")
SILENCE, CLOSED = 0, 1

_IPA = {
    "pbm": "pbmɓʙ",
    "fv": "fvɱʋɸβ",
    "th": "θð",
    "tdnl": "tdnlɾɫɭɖʈɳʎɲɬ",
    "sz": "szʦʣ",
    "sh": "ʃʒʧʤɕʑʂʐçɟ",
    "kgh": "kgɡŋhxɣqɢχʔħɦc",
    "r": "ɹrʁʀɻɚɝɜ",
    "w": "wuʊyʏɥʉɰ",
    "oh": "oɔɒøœɵɤ",
    "aa": "aɑʌɐäɶ",
    "eh": "eɛæəɘ",
    "ee": "iɪjɨᵻ",
}
_ARPABET = {
    "pbm": "P B M", "fv": "F V", "th": "TH DH", "tdnl": "T D N L", "sz": "S Z", "sh": "SH ZH CH JH", "kgh": "K G NG HH",
    "r": "R ER", "w": "W UW UH", "oh": "OW AO OY", "aa": "AA AH AW AY", "eh": "EH AE EY", "ee": "IY IH Y",
}  # fmt: skip
_OF_IPA = {letter: VISEMES.index(name) for name, letters in _IPA.items() for letter in letters}
_OF_ARPABET = {symbol: VISEMES.index(name) for name, symbols in _ARPABET.items() for symbol in symbols.split()}


def viseme(symbol: str) -> int | None:
    """Class of a phoneme symbol; None for stress, length and tone marks."""
    plain = symbol.rstrip("0123456789")
    if plain in _OF_ARPABET and plain.isupper():
        return _OF_ARPABET[plain]
    if symbol in (
        "sil",
        "SIL",
        "+SPN+",
        "+NSN+",
        "<sil>",
        "_",
        "^",
        "$",
        " ",
        ".",
        ",",
        "!",
        "?",
        ";",
        ":",
        "—",
        "…",
        "",
    ):
        return SILENCE
    if symbol.startswith(("tʃ", "dʒ")):
        return VISEMES.index("sh")
    letters = [c for c in unicodedata.normalize("NFD", symbol) if c in _OF_IPA]
    return _OF_IPA[letters[0]] if letters else None


def frame_visemes(
    phonemes: list[tuple[str, float, float]], frames: int, seconds_per_frame: float = 0.04
) -> NDArray[np.int64]:
    """Class per video frame, by the phoneme at the frame's middle: int [frames]; silence where there is none.

    A closure shorter than a frame keeps the frame nearest to its middle.
    """
    labels = np.full(frames, SILENCE)
    times = (np.arange(frames) + 0.5) * seconds_per_frame
    known = [(k, a, b) for symbol, a, b in phonemes if (k := viseme(symbol)) is not None]
    for k, a, b in known:
        labels[(times >= a) & (times < b)] = k
    for k, a, b in known:
        nearest = int((a + b) / 2 / seconds_per_frame)
        if k == CLOSED and 0 <= nearest < frames:
            labels[nearest] = CLOSED
    return labels


def read_phonemes(path: Path) -> list[tuple[str, float, float]]:
    """(symbol, start, end) in seconds from a JSON list of such triples or objects, or an object with 'phonemes'."""
    values = json.loads(path.read_text(encoding="utf-8"))
    values = values["phonemes"] if isinstance(values, dict) else values
    triples = []
    for item in values:
        if isinstance(item, dict):
            item = [item["symbol"], item.get("start_s", item.get("start")), item.get("end_s", item.get("end"))]
        triples.append((str(item[0]), float(item[1]), float(item[2])))
    return triples
