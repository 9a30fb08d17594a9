"""Which frames of a clip are speech: by Silero's detector where its package is installed, else by the sound's level."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.engines.onnx import load_session

from .sync import energy_db

SPEECH = 0.5
"""Probability from which Silero's authors take a stretch for speech."""

BELOW_LOUD_DB = 35.0
"""How far under a clip's loud level speech still counts where the level alone decides."""

_CHUNK, _CONTEXT = 512, 64  # samples that the network judges at a time, and those before it that it sees


@cache
def _network() -> ort.InferenceSession | None:
    package = find_spec("silero_vad")  # found, not imported: its own code wants torch
    if package is None or package.origin is None:
        return None
    network = Path(package.origin).parent / "data" / "silero_vad_16k_sequence.onnx"
    return load_session(network, threads=1, names=("input", "h", "c")) if network.is_file() else None


def rule() -> str:
    """What decides on this machine, in words."""
    return "silero-vad" if _network() else f"sound within {BELOW_LOUD_DB:g} dB of the loud level"


def speech_frames(samples: Array, frames: int) -> NDArray[np.bool_]:
    """Video frames [frames] in which somebody speaks, of 16 kHz sound [n]."""
    network = _network()
    if network is None:
        level = energy_db(samples, frames)
        loud = float(np.percentile(level, 95))
        return np.asarray((level > loud - BELOW_LOUD_DB) & (loud > -60), bool)
    probability = _probability(network, samples)
    middle = (np.arange(frames) + 0.5) * SAMPLES_PER_FRAME / _CHUNK - 0.5
    return np.interp(middle, np.arange(len(probability)), probability) >= SPEECH


def _probability(network: ort.InferenceSession, samples: Array) -> Array:
    count = max(1, -(-len(samples) // _CHUNK))
    padded = np.zeros(_CONTEXT + count * _CHUNK, np.float32)
    padded[_CONTEXT : _CONTEXT + len(samples)] = samples
    windows = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + _CHUNK)[::_CHUNK]
    state = np.zeros((1, 1, 128), np.float32)
    found = network.run(None, {"input": np.ascontiguousarray(windows), "h": state, "c": state})[0]
    return np.asarray(found, np.float32).reshape(-1)
