"""How something is said: energy, pitch and speech activity at the video's 25 Hz, without look-ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechhead.core.clocks import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME

SILENCE_DB = -100.0
"""Energy of digital silence."""

PITCH_RANGE = (60.0, 400.0)
"""Hz that count as a voice."""

_ONSET_DB, _OFFSET_DB = 10.0, 6.0  # above the background: hysteresis of speech activity
_ALWAYS_SILENT_DB = -60.0
_HANGOVER = round(0.24 * FPS)  # frames that a gap inside a word is bridged
_RISE_DB, _RISE_UNVOICED_DB = 1.0 / FPS, 20.0 / FPS  # background per frame, while someone speaks and else
_BREATH, _BREATH_DB = round(0.4 * FPS), 18.0  # frames without a tone, dB below the speaker's level: a pause in noise
_VOICING = 0.55  # normalised autocorrelation of a voiced frame
_SPAN = 2 * SAMPLES_PER_FRAME  # samples that pitch is measured on: this frame and the one before
_LAGS = np.arange(int(SAMPLE_RATE / PITCH_RANGE[1]), int(SAMPLE_RATE / PITCH_RANGE[0]) + 1)


@dataclass(frozen=True)
class Prosody:
    """One value per video frame.

    energy : float32 [T], dB of full scale, `SILENCE_DB`..0
    pitch : float32 [T], Hz, 0 where not voiced
    voiced : bool [T], a vocal tone sounds
    active : bool [T], somebody speaks: louder than the background, short gaps bridged
    """

    energy: NDArray[np.float32]
    pitch: NDArray[np.float32]
    voiced: NDArray[np.bool_]
    active: NDArray[np.bool_]


def prosody(samples: NDArray[np.float32]) -> Prosody:
    """Prosody of a whole sound, float32 [n] at 16 kHz; ceil(n / 640) frames."""
    stream = ProsodyStream()
    parts = [stream.push(samples), stream.flush()]
    return Prosody(
        np.concatenate([p.energy for p in parts]),
        np.concatenate([p.pitch for p in parts]),
        np.concatenate([p.voiced for p in parts]),
        np.concatenate([p.active for p in parts]),
    )


class ProsodyStream:
    """Prosody as the sound arrives: every 640 samples pushed give one frame at once, any chunking the same."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pending = np.zeros(0, np.float32)
        self._before = np.zeros(SAMPLES_PER_FRAME)
        self._background: float | None = None
        self._level = SILENCE_DB  # of the speaker: the loudest voiced frame, forgotten by 3 dB a second
        self._unvoiced_frames = self._quiet_frames = FPS
        self._active = False

    def push(self, samples: NDArray[np.float32]) -> Prosody:
        """Take float32 [n]; returns the frames that are complete."""
        self._pending = np.concatenate([self._pending, np.asarray(samples, dtype=np.float32).reshape(-1)])
        count = len(self._pending) // SAMPLES_PER_FRAME
        frames = self._pending[: count * SAMPLES_PER_FRAME].reshape(count, SAMPLES_PER_FRAME).astype(np.float64)
        self._pending = self._pending[count * SAMPLES_PER_FRAME :]
        rows = [self._frame(frame) for frame in frames]
        energy, pitch, active = ([row[k] for row in rows] for k in range(3))
        hz = np.array(pitch, np.float32)
        return Prosody(np.array(energy, np.float32), hz, hz > 0, np.array(active, bool))

    def flush(self) -> Prosody:
        """The last, partly filled frame if there is one; the stream then starts anew."""
        missing = -len(self._pending) % SAMPLES_PER_FRAME
        last = self.push(np.zeros(missing, np.float32))
        self._reset()
        return last

    def _frame(self, frame: NDArray[np.float64]) -> tuple[float, float, bool]:
        energy = max(SILENCE_DB, 10 * np.log10(np.mean(frame**2) + 1e-20))
        if self._background is None:  # the first frame is background, unless a voice sounds in it
            tone = energy > _ALWAYS_SILENT_DB and _pitch(np.concatenate([self._before, frame]))
            self._background = _ALWAYS_SILENT_DB if tone else float(np.clip(energy, -65.0, -40.0))
        loud = energy - self._background
        audible = energy > _ALWAYS_SILENT_DB and loud > _OFFSET_DB
        hz = _pitch(np.concatenate([self._before, frame])) if audible else 0.0
        self._before = frame
        self._unvoiced_frames = 0 if hz else self._unvoiced_frames + 1
        self._level = max(self._level - 3.0 / FPS, energy if hz else SILENCE_DB)
        if self._unvoiced_frames > _BREATH and energy < self._level - _BREATH_DB:
            audible = False

        if audible and (self._active or loud > _ONSET_DB):
            self._active, self._quiet_frames = True, 0
        else:
            self._quiet_frames += 1
            self._active = self._active and self._quiet_frames <= _HANGOVER
        # The background falls at once and rises slowly; quickly only where no voice has sounded for
        # a while, so that steady noise is not taken for speech and a long vowel not for noise.
        rise = _RISE_UNVOICED_DB if self._unvoiced_frames > FPS * 0.6 else _RISE_DB
        self._background = float(np.clip(min(energy, self._background + rise), -65.0, -20.0))
        return energy, hz, self._active


def _pitch(window: NDArray[np.float64]) -> float:
    """Fundamental of float64 [1280] in Hz, or 0: the first strong peak of the normalised autocorrelation."""
    window = window - window.mean()
    squares = np.concatenate([[0.0], np.cumsum(window**2)])
    spectrum = np.fft.rfft(window, 2048)
    raw = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[_LAGS[0] - 1 : _LAGS[-1] + 2]
    lags = np.arange(_LAGS[0] - 1, _LAGS[-1] + 2)
    overlap = np.sqrt(squares[_SPAN - lags] * (squares[_SPAN] - squares[lags])) + 1e-12
    strength = raw / overlap
    inner = strength[1:-1]
    peaks = np.flatnonzero((inner >= strength[:-2]) & (inner > strength[2:]) & (inner > _VOICING))
    if not len(peaks):
        return 0.0
    # A multiple of the period correlates as well; the shortest that is nearly as strong is the period.
    best = int(peaks[inner[peaks] > 0.88 * inner[peaks].max()][0])
    left, top, right = strength[best], strength[best + 1], strength[best + 2]
    curve = left - 2 * top + right
    shift = 0.5 * (left - right) / curve if curve < 0 else 0.0
    return float(SAMPLE_RATE / (_LAGS[best] + shift))
