"""`torchaudio.functional` as its pages describe it, for machines whose torch it was not built for."""

from __future__ import annotations

from math import ceil, gcd
from types import ModuleType

import numpy as np
import torch
from torch import Tensor


def resample(
    waveform: Tensor,
    orig_freq: int,
    new_freq: int,
    lowpass_filter_width: int = 6,
    rolloff: float = 0.99,
    resampling_method: str = "sinc_interp_hann",
    beta: float = 14.769656459379492,
) -> Tensor:
    """Every new sample as a windowed sinc's sum over the old ones."""
    assert resampling_method == "sinc_interp_kaiser"
    shared = gcd(orig_freq, new_freq)
    old, new = orig_freq // shared, new_freq // shared
    length, cut = ceil(len(waveform) * new / old), min(old, new) * rolloff
    at = np.arange(length) / new
    reach = ceil(lowpass_filter_width * old / cut)
    places = np.floor(at * old).astype(int)[:, None] + np.arange(-reach, reach + 1)
    apart = np.clip((places / old - at[:, None]) * cut, -lowpass_filter_width, lowpass_filter_width)
    window = np.i0(beta * np.sqrt(1 - (apart / lowpass_filter_width) ** 2)) / np.i0(beta)
    samples = np.pad(waveform.numpy(), reach)[np.clip(places + reach, 0, len(waveform) + 2 * reach - 1)]
    return torch.from_numpy((samples * np.sinc(apart) * window).sum(1) * cut / old).float()


def fftconvolve(x: Tensor, y: Tensor, mode: str = "full") -> Tensor:
    assert mode == "full"
    n = len(x) + len(y) - 1
    return torch.fft.irfft(torch.fft.rfft(x, n) * torch.fft.rfft(y, n), n)


def melscale_fbanks(
    n_freqs: int, f_min: float, f_max: float, n_mels: int, sample_rate: int, norm: str | None, mel_scale: str
) -> Tensor:
    """Triangles of equal area [n_freqs, n_mels], evenly spaced on Slaney's scale, linear to 1 kHz."""
    assert (norm, mel_scale, f_min) == ("slaney", "slaney", 0.0)
    step = np.log(6.4) / 27
    mels = np.linspace(0, 15 + np.log(f_max / 1000) / step, n_mels + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    bins = np.linspace(0, sample_rate / 2, n_freqs)
    rows = [np.interp(bins, edges[i : i + 3], [0, 1, 0]) * 2 / (edges[i + 2] - edges[i]) for i in range(n_mels)]
    return torch.from_numpy(np.stack(rows, 1)).float()


def package() -> dict[str, ModuleType]:
    """The package and its module, by name."""
    whole, functional = ModuleType("torchaudio"), ModuleType("torchaudio.functional")
    whole.functional = functional  # type: ignore[attr-defined]
    for one in (resample, fftconvolve, melscale_fbanks):
        setattr(functional, one.__name__, one)
    return {"torchaudio": whole, "torchaudio.functional": functional}
