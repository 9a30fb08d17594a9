"""Whisper features of streaming windows, computed in bulk for training; the runtime's twin in torch."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from speechhead.speech.encoders import WindowConfig

from .torch_sound import mel_bank
from .whisper import WhisperEncoder

FFT, HOP = 400, 160


def read_at(warp: float, bins: int) -> np.ndarray:
    """Where on the frequency axis each of `bins` is read, in bins: at `warp` times its own frequency.

    Above 6.4 kHz the axis bends back so that both ends of the band stay.
    """
    last = bins - 1
    knee = 0.8 * last / max(warp, 1.0)
    return np.interp(np.arange(bins), [0, knee, last], [0, knee * warp, last])


@cache
def mel_filters(warp: float = 1.0) -> Tensor:
    """float [80, 201] slaney mel filters that read the spectrum at `warp` times each frequency."""
    filters = mel_bank()
    if warp != 1.0:
        bins = np.arange(filters.shape[1])
        read = read_at(warp, len(bins))
        filters = np.stack([np.interp(bins, read, row) for row in filters])
    return torch.from_numpy(filters.astype(np.float32))


def log_mel(windows: Tensor, warp: float = 1.0) -> Tensor:
    """float [N, samples] -> Whisper's log-mel [N, 80, samples // 160], each window by its own maximum."""
    hann = torch.hann_window(FFT, device=windows.device)
    spectrum = torch.stft(windows, FFT, HOP, window=hann, center=True, return_complex=True)
    mel = (mel_filters(warp).to(windows.device) @ spectrum[..., :-1].abs() ** 2).clamp(min=1e-10).log10()
    mel = torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - 8.0)
    return (mel + 4.0) / 4.0


def windows_of(audio: np.ndarray, config: WindowConfig) -> np.ndarray:
    """The windows of a recording [n], one for each block: float32 [blocks, window_samples]."""
    blocks = -(-len(audio) // config.block_samples)
    padded = np.zeros(config.left_samples + blocks * config.block_samples + config.right_samples, np.float32)
    padded[config.left_samples : config.left_samples + len(audio)] = audio
    return np.lib.stride_tricks.sliding_window_view(padded, config.window_samples)[:: config.block_samples].copy()


def window_features(
    audio: np.ndarray,
    encoder: WhisperEncoder,
    config: WindowConfig,
    warp: float = 1.0,
    layers: tuple[int, ...] = (),
    batch: int = 64,
) -> np.ndarray:
    """Features of every block of a recording.

    Parameters
    ----------
    audio : float32 [n] at 16 kHz
    layers : also earlier layers, side by side; only the last one if empty

    Returns
    -------
    float16 [blocks, kept positions, width * max(1, len(layers))]; positions from the block's start to the window's end
    """
    windows = torch.from_numpy(windows_of(audio, config))
    kept = []
    with torch.inference_mode():
        for part in windows.split(batch):
            states = encoder.hidden(log_mel(part.to(encoder.positions.device), warp))
            chosen = [states[i] for i in (layers or (len(states) - 1,))]
            normal = [torch.nn.functional.layer_norm(s[:, config.first_position :], (s.shape[-1],)) for s in chosen]
            kept.append(torch.cat(normal, -1).half().cpu().numpy())
    return np.concatenate(kept)
