"""What every engine gives: speech at 16 kHz with its phonemes, trimmed and at one loudness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speechhead.audio.io import resample
from speechhead.core.clocks import HOP, SAMPLE_RATE
from speechhead.core.errors import SpeechSynthesisError

SILENCE = "sil"
"""Symbol of a pause among phonemes."""

_LEVEL = 10 ** (-22 / 20)
"""Root mean square of the active speech of every voice: -22 dB of full scale."""

_PEAK = 0.95
_LEAD, _TAIL = 0.04, 0.10  # seconds of the engine's own silence kept around a piece


@dataclass(frozen=True)
class Phoneme:
    """A speech sound: IPA symbol (or `SILENCE`), from start_s to end_s in seconds of its speech.

    word: number of the word it belongs to as the engine divides its piece of text, from 0; engines draw short words
    together ("of the"), so that there may be fewer than the text has.
    """

    symbol: str
    start_s: float
    end_s: float
    word: int = 0


@dataclass(frozen=True)
class Speech:
    """Spoken text: float32 [n] at 16 kHz in [-1, 1]; phonemes in order, empty if the engine gives none.

    emotion: that the text asks for, intensities by name; None where it names none.
    """

    samples: NDArray[np.float32]
    phonemes: list[Phoneme] = field(default_factory=list)
    text: str = ""
    emotion: Mapping[str, float] | None = None

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / SAMPLE_RATE


class Voice(Protocol):
    """A voice of any engine. One that speaks another language than its record says has it as `language`."""

    @property
    def name(self) -> str:
        """The name `open_voice` knows it by."""

    def speak(self, text: str) -> Iterator[Speech]:
        """Say a text piece by piece, each ending with its pause, as soon as it is ready.

        Raises
        ------
        SpeechSynthesisError if there is nothing to say or the engine fails.
        """


@dataclass(frozen=True)
class VoiceInfo:
    """One line of the list of voices.

    name: for `open_voice`; gender: male, female or unknown; language: BCP 47; licence: of engine and voice; rank: place
    in the list, the smallest first: 0 the base install's voice, 10 natural, 20 made by filters, 30 robotic, 40 of a
    service; live: natural, and several times faster than real time: what a live server speaks with unless asked.
    Filled in by `voices`: engine, its name; available: whether it can speak on this machine; remedy: what to install
    or set if not.
    """

    name: str
    gender: str
    language: str
    licence: str
    rank: int = 50
    live: bool = False
    engine: str = ""
    available: bool = False
    remedy: str = ""


def concatenate(pieces: Iterable[Speech]) -> Speech:
    """Join pieces end to end."""
    parts = list(pieces)
    phonemes: list[Phoneme] = []
    at = 0
    for part in parts:
        offset = at / SAMPLE_RATE
        phonemes += [replace(p, start_s=p.start_s + offset, end_s=p.end_s + offset) for p in part.phonemes]
        at += len(part.samples)
    samples = np.concatenate([part.samples for part in parts]) if parts else np.zeros(0, np.float32)
    return Speech(samples, phonemes, " ".join(part.text for part in parts if part.text))


def finish(
    samples: NDArray[np.float32], rate: int, text: str, pause: float, phonemes: Iterable[Phoneme] = ()
) -> Speech:
    """Bring an engine's raw output to the library's form: 16 kHz, trimmed, levelled, followed by its pause.

    Parameters
    ----------
    samples : float32 [n] at `rate` Hz
    pause : seconds of silence to add
    phonemes : timed against `samples`

    Raises
    ------
    SpeechSynthesisError if the engine gave silence.
    """
    if not len(samples) or not np.isfinite(samples).all() or np.abs(samples).max() < 1e-4:
        raise SpeechSynthesisError(f"'{text[:40]}': the engine gave no sound. Try other words or another --voice.")
    samples = resample(np.asarray(samples, dtype=np.float32) - np.float32(samples.mean()), rate)
    hops = len(samples) // HOP + 1
    power = np.square(np.pad(samples, (0, hops * HOP - len(samples)))).reshape(hops, HOP).mean(axis=1)
    sounding = np.flatnonzero(power > power.max() * 1e-5)
    first = max(0, int(sounding[0]) * HOP - round(_LEAD * SAMPLE_RATE))
    last = min(len(samples), (int(sounding[-1]) + 1) * HOP + round(_TAIL * SAMPLE_RATE))
    active = power[power > power.max() * 1e-3]
    gain = min(_LEVEL / float(np.sqrt(active.mean())), _PEAK / float(np.abs(samples).max()))
    samples = samples[first:last] * np.float32(gain)
    ramp = min(80, len(samples) // 2)  # 5 ms, so that a cut engine silence does not click
    if ramp:
        samples[:ramp] *= np.linspace(0, 1, ramp, dtype=np.float32)
        samples[-ramp:] *= np.linspace(1, 0, ramp, dtype=np.float32)
    voiced = len(samples) / SAMPLE_RATE
    samples = np.concatenate([samples, np.zeros(round(pause * SAMPLE_RATE), np.float32)])
    return Speech(samples, _timed(phonemes, first / SAMPLE_RATE, voiced, len(samples) / SAMPLE_RATE), text)


def _timed(phonemes: Iterable[Phoneme], trimmed: float, voiced: float, total: float) -> list[Phoneme]:
    """Phonemes on the clock of the trimmed sound, the silences around them filled."""
    out: list[Phoneme] = []
    for phoneme in phonemes:
        start, end = (float(np.clip(t - trimmed, 0, voiced)) for t in (phoneme.start_s, phoneme.end_s))
        if end > start:
            out.append(replace(phoneme, start_s=start, end_s=end))
    if not out:
        return out
    if out[-1].symbol == SILENCE:
        out[-1] = replace(out[-1], end_s=total)
    elif out[-1].end_s < total:
        out.append(Phoneme(SILENCE, out[-1].end_s, total))
    return out


_MODIFIERS_AFTER = frozenset("ːˑʰʲʷˤ˞\u0303\u0329\u032a\u032f\u0327\u031d\u030a\u0361")
_MODIFIERS_BEFORE = frozenset("ˈˌ")
_PAUSES = frozenset(".,;:!?-…—\"()^$_'")


def phonemes_from(symbols: Iterable[tuple[str, float]]) -> list[Phoneme]:
    """Phonemes of an engine's token durations.

    Length and other marks lengthen the sound before them, stress marks the sound after them; a word
    gap is shared by its neighbours; punctuation and borders become `SILENCE`.

    Parameters
    ----------
    symbols : (token, seconds) in order, covering the sound from 0
    """
    out: list[Phoneme] = []
    at = 0.0
    carried = 0.0  # seconds to be given to the next sound
    word, spoken = 0, False
    for symbol, seconds in symbols:
        begin, at = at - carried, at + seconds
        carried = 0.0
        if symbol in _MODIFIERS_BEFORE:
            carried = at - begin
        elif symbol == " ":
            half = begin + (at - begin) / 2 if out and out[-1].symbol != SILENCE else begin
            if out:
                out[-1] = replace(out[-1], end_s=half)
            carried = at - half
            word, spoken = word + spoken, False
        elif symbol in _MODIFIERS_AFTER and out:
            out[-1] = replace(out[-1], end_s=at)
        elif symbol in _PAUSES or not symbol.strip():
            if out and out[-1].symbol == SILENCE:
                out[-1] = replace(out[-1], end_s=at)
            else:
                out.append(Phoneme(SILENCE, begin, at))
        else:
            out.append(Phoneme(symbol, begin, at, word))
            spoken = True
    return out
