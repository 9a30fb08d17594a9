"""Live PCM."""

from __future__ import annotations

import numpy as np
import pytest
from support.fakes import speech_like

pytest.importorskip("aiortc")

from speechhead_server.core.problems import Refused
from speechhead_server.rtc.microphone import PcmReader


def test_pcm_in_any_portions_with_anything_in_it():
    sound = speech_like(0.3)
    data = (sound * 32767).astype("<i2").tobytes()
    reader = PcmReader()
    read = np.concatenate([reader.push(data[i : i + 333]) for i in range(0, len(data), 333)])
    assert np.abs(read - sound).max() < 1e-3
    bad = np.array([np.nan, np.inf, -np.inf, 1e30, -5, 0.5], "<f4")
    assert PcmReader("f32le").push(bad.tobytes()).tolist() == [0, 0, 0, 1, -1, 0.5]
    assert np.isfinite(PcmReader("f32le", 48_000).push(np.random.default_rng(0).bytes(40_001))).all()
    for form, rate in (("mp3", 16_000), ("s16le", 5), ("s16le", 10**9)):
        with pytest.raises(Refused):
            PcmReader(form, rate)
