"""Resampling, convolution and mel filters: torchaudio's, on its device, where it is installed; else scipy's and ours.

Both ways give the same numbers, but for the slopes of their filters: 0.2 percent of a resampled sound.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy import signal

from speechhead.audio.features import N_FFT, mel_filters
from speechhead.audio.io import Samples
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLE_RATE

SHARP = {"lowpass_filter_width": 16, "rolloff": 0.95, "resampling_method": "sinc_interp_kaiser"}
"""Of torchaudio's resampler: as steep as scipy's."""

LONG = 1 << 15
"""Samples from which a GPU resamples or convolves sooner than the way there and back takes."""


@cache
def functional() -> Any:
    """`torchaudio.functional`, or None where it is not installed, or was built for another torch."""
    try:
        return importlib.import_module("torchaudio.functional")
    except (ImportError, OSError, AttributeError):
        return None


def _placed(x: Samples) -> torch.Tensor:
    where = "cuda" if torch.cuda.is_available() and len(x) >= LONG else "cpu"
    return torch.from_numpy(np.ascontiguousarray(x)).to(where)


def resampled(x: Samples, up: int, down: int) -> Samples:
    """Sound [n] with `up` samples for every `down`: float32 [ceil(n up / down)]."""
    ours = functional()
    if ours is None:
        return np.asarray(signal.resample_poly(x, up, down), np.float32)
    made: Samples = ours.resample(_placed(x), down, up, **SHARP).cpu().numpy()
    return made.astype(np.float32)


def convolved(x: Samples, response: Samples) -> Samples:
    """Sound [n] through a response [k]: float32 [n + k - 1]."""
    ours = functional()
    if ours is None:
        return np.asarray(signal.oaconvolve(x, response), np.float32)
    sound = _placed(x)
    made: Samples = ours.fftconvolve(sound, torch.from_numpy(np.asarray(response, np.float32)).to(sound)).cpu().numpy()
    return made.astype(np.float32)


def mel_bank(bands: int = 80) -> Array:
    """Slaney's mel filters [bands, 201], as Whisper has them."""
    ours = functional()
    if ours is None:
        return mel_filters(bands)
    bins = N_FFT // 2 + 1
    bank = ours.melscale_fbanks(bins, 0.0, SAMPLE_RATE / 2, bands, SAMPLE_RATE, norm="slaney", mel_scale="slaney")
    return np.asarray(bank.T.numpy(), np.float32)
