"""Whether somebody speaks: silero-vad where it is installed, else by the energy of a voice's band."""

from __future__ import annotations

import importlib.util
from collections import deque
from importlib.resources import files
from pathlib import Path
from typing import Protocol

import numpy as np

from speechhead.audio.io import Samples
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import WeightsError

WINDOW = 512
"""Samples that are judged at a time: 32 ms at 16 kHz."""

CONTEXT = 64
"""Samples before a window that silero hears, too."""


class Detector(Protocol):
    """Judges windows of sound in their order."""

    name: str

    def voiced(self, window: Samples) -> float:
        """How likely speech is in float32 [512] at 16 kHz, 0..1."""


class EnergyDetector:
    """Speech is what is clearly louder, between 150 and 3500 Hz, than the quietest moment of the last seconds."""

    name = "energy"
    margin, slope = 12.0, 3.0
    """Decibels above the quietest at which it is even odds, and in which they change."""

    least = -52.0
    """Decibels of full scale below which nothing is speech."""

    def __init__(self) -> None:
        self._levels: deque[float] = deque([-60.0] * 20, 120)  # 4 s
        self._smooth: deque[float] = deque(maxlen=4)
        frequencies = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
        self._band = (frequencies >= 150) & (frequencies <= 3500)
        self._shape = np.hanning(WINDOW).astype(np.float32)

    def voiced(self, window: Samples) -> float:
        """See `Detector`."""
        spectrum = np.abs(np.fft.rfft(window * self._shape)[self._band]) ** 2
        level = 10 * np.log10(spectrum.sum() / (0.375 * WINDOW**2 / 2) + 1e-9)
        self._smooth.append(float(level))
        self._levels.append(float(np.mean(self._smooth)))
        over = level - max(min(self._levels) + self.margin, self.least)
        return float(1 / (1 + np.exp(-np.clip(over / self.slope, -20, 20))))


class SileroDetector:
    """The network silero-vad, of the package silero-vad or of faster-whisper, without torch."""

    name = "silero"

    def __init__(self, path: Path) -> None:
        from speechhead.engines.onnx import load_session

        self._session = load_session(path, threads=1)
        taken = {each.name for each in self._session.get_inputs()}
        if taken not in ({"input", "state", "sr"}, {"input", "h", "c"}):
            raise WeightsError(f"{path}: damaged, or another network than silero-vad. Install its package anew.")
        self._single = "state" in taken
        names = ("state",) if self._single else ("h", "c")
        self._state = {name: np.zeros((2, 1, 128) if self._single else (1, 1, 128), np.float32) for name in names}
        self._context = np.zeros(CONTEXT, np.float32)

    def voiced(self, window: Samples) -> float:
        """See `Detector`."""
        given = np.concatenate([self._context, window])[None].astype(np.float32)
        self._context = window[-CONTEXT:]
        rate = {"sr": np.array(SAMPLE_RATE, np.int64)} if self._single else {}
        likely, *state = self._session.run(None, {"input": given, **self._state, **rate})
        self._state = dict(zip(self._state, state))
        return float(np.ravel(likely)[0])


def silero_path() -> Path | None:
    """The network's file, None where no package has it."""
    for package, name in (("silero_vad", "data/silero_vad.onnx"), ("faster_whisper", "assets/silero_vad_v6.onnx")):
        if importlib.util.find_spec(package):
            spec = importlib.util.find_spec(package)
            folder = Path(spec.origin).parent if spec is not None and spec.origin else Path(str(files(package)))
            if (folder / name).is_file():
                return folder / name
    return None


def open_detector() -> Detector:
    """The best that is installed."""
    path = silero_path()
    return SileroDetector(path) if path is not None else EnergyDetector()
