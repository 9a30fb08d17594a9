"""Log-mel spectra, MFCC and Whisper's mel spectrum in numpy; streaming gives the whole file's values bit for bit."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.clocks import HOP, SAMPLE_RATE

N_FFT = 400
"""Samples of one analysis window: 25 ms, periodic Hann."""

_LEAD = (N_FFT - HOP) // 2
"""A window is centred on its hop, so it starts this many samples before it and ends as many after."""

_FLOOR = 1e-10
"""Power below which a band counts as silent (-100 dB)."""


@cache
def mel_filters(n_mels: int = 80) -> Array:
    """Slaney's mel filterbank with area normalisation, as librosa's default and Whisper's: float32 [n_mels, 201]."""
    knee_hz, knee_mel, step = 1000.0, 15.0, np.log(6.4) / 27.0
    top = knee_mel + np.log(SAMPLE_RATE / 2 / knee_hz) / step
    mel = np.linspace(0.0, top, n_mels + 2)
    hz = np.where(mel < knee_mel, mel * knee_hz / knee_mel, knee_hz * np.exp(step * (mel - knee_mel)))
    bins = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    rise = (bins - hz[:-2, None]) / np.diff(hz)[:-1, None]
    fall = (hz[2:, None] - bins) / np.diff(hz)[1:, None]
    area = 2.0 / (hz[2:] - hz[:-2])
    return (np.maximum(0, np.minimum(rise, fall)) * area[:, None]).astype(np.float32)


@cache
def _window() -> NDArray[np.float64]:
    return np.hanning(N_FFT + 1)[:-1]


def whisper_mel(window: Array) -> Array:
    """The input of Whisper's encoder: openai/whisper, `log_mel_spectrogram`.

    Parameters
    ----------
    window : float32 [..., n] at 16 kHz, n >= 201; every leading index is a window of its own

    Returns
    -------
    float32 [..., 80, n // 160]; log10 power, limited to 8 below each window's maximum, (x + 4) / 4
    """
    samples = np.asarray(window, dtype=np.float64)
    padded = np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(N_FFT // 2, N_FFT // 2)], mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT, axis=-1)[..., ::HOP, :]
    frames = frames[..., : samples.shape[-1] // HOP, :]
    power = np.abs(np.fft.rfft(frames * _window())) ** 2
    log = np.log10(np.maximum(power @ mel_filters(80).T.astype(np.float64), _FLOOR))
    log = np.maximum(log, log.max(axis=(-2, -1), keepdims=True) - 8.0)
    return np.ascontiguousarray(np.swapaxes((log + 4.0) / 4.0, -1, -2), dtype=np.float32)


class LogMel:
    """Natural-log mel power at 100 Hz, one row per started 10 ms hop.

    Row i belongs to the samples [160 i, 160 i + 160) and sees 120 samples (7.5 ms) on either side of
    them; there is silence outside the sound. Four rows make one video frame.

    Parameters
    ----------
    n_mels : number of bands between 0 and 8 kHz
    """

    def __init__(self, n_mels: int = 80) -> None:
        self.channels = self.n_mels = n_mels
        filters = mel_filters(n_mels).astype(np.float64)
        # Bands as (start, taps): summing tap by tap is elementwise, hence the same for any number
        # of rows at once, which a matrix product does not promise.
        self._start = np.array([np.flatnonzero(row)[0] if row.any() else 0 for row in filters])
        width = max(int(np.count_nonzero(row)) for row in filters)
        self._start = np.minimum(self._start, filters.shape[1] - width)
        self._taps = np.stack([row[s : s + width] for row, s in zip(filters, self._start, strict=True)])

    def whole(self, samples: Array) -> Array:
        """Features of a whole sound: float32 [n] to float32 [ceil(n / 160), channels]."""
        stream = self.stream()
        return np.concatenate([stream.push(samples), stream.flush()])

    def stream(self) -> FeatureStream:
        """A new stream that takes chunks of any size."""
        return FeatureStream(self)

    def rows(self, frames: NDArray[np.float64]) -> Array:
        """Features of windows: float64 [k, 400] to float32 [k, channels]."""
        return self._log_mel(frames).astype(np.float32)

    def _log_mel(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        spectrum = np.fft.rfft(frames * _window())
        power = spectrum.real**2 + spectrum.imag**2
        bands = np.zeros((len(frames), self.n_mels))
        for tap in range(self._taps.shape[1]):
            bands += power[:, self._start + tap] * self._taps[:, tap]
        return np.log(np.maximum(bands, _FLOOR))


class MFCC(LogMel):
    """Mel-frequency cepstral coefficients at 100 Hz: orthonormal DCT-II of `LogMel`'s rows.

    Parameters
    ----------
    n : coefficients kept, the first being the mean level
    n_mels : bands of the underlying spectrum, >= n
    """

    def __init__(self, n: int = 13, n_mels: int = 40) -> None:
        super().__init__(n_mels)
        self.channels = n
        band = np.arange(n_mels) + 0.5
        self._dct = np.cos(np.pi / n_mels * np.outer(band, np.arange(n))) * np.sqrt(2.0 / n_mels)
        self._dct[:, 0] /= np.sqrt(2.0)

    def rows(self, frames: NDArray[np.float64]) -> Array:
        """Features of windows: float64 [k, 400] to float32 [k, n]."""
        log = self._log_mel(frames)
        out = np.zeros((len(frames), self.channels))
        for band in range(self.n_mels):  # elementwise for the reason given in LogMel
            out += log[:, band, None] * self._dct[band]
        return out.astype(np.float32)


class FeatureStream:
    """Rows of a feature as the sound arrives; `push` of any chunks, then `flush`, equals `whole`."""

    def __init__(self, feature: LogMel) -> None:
        self._feature = feature
        self._reset()

    def _reset(self) -> None:
        self._pending: NDArray[np.float64] = np.zeros(_LEAD)
        self._in = self._out = 0

    def push(self, samples: Array) -> Array:
        """Take float32 [n] at 16 kHz; returns the rows that are complete, float32 [k, channels]."""
        self._in += len(samples)
        return self._rows(np.asarray(samples, dtype=np.float64).reshape(-1))

    def flush(self) -> Array:
        """The rows of the last hops, silence following the sound; the stream then starts anew."""
        due = -(-self._in // HOP) - self._out
        rows = self._rows(np.zeros(HOP + _LEAD))[:due]
        self._reset()
        return rows

    def _rows(self, samples: NDArray[np.float64]) -> Array:
        self._pending = np.concatenate([self._pending, samples])
        count = max(0, (len(self._pending) - N_FFT) // HOP + 1)
        self._out += count
        if not count:
            return np.zeros((0, self._feature.channels), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(self._pending, N_FFT)[: count * HOP : HOP]
        # Blocks bound the memory of an hour given at once.
        rows = [self._feature.rows(frames[i : i + 3000]) for i in range(0, count, 3000)]
        self._pending = self._pending[count * HOP :]
        return np.concatenate(rows)
