"""Live PCM."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest
from support.fakes import speech_like

pytest.importorskip("aiortc")

import av
from aiortc.mediastreams import MediaStreamError
from speechhead_server.core.problems import Refused
from speechhead_server.rtc.microphone import Microphone, PcmReader


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


def test_a_codec_that_changes_in_the_middle_leaves_no_sound_waiting():
    frames = [(48_000, "stereo"), (8_000, "mono"), (8_000, "mono"), (48_000, "stereo"), (48_000, "stereo")]

    class Track:
        async def recv(self):
            if not frames:
                raise MediaStreamError
            rate, layout = frames.pop(0)
            shape = 1, rate // 50 * (2 if layout == "stereo" else 1)
            frame = av.AudioFrame.from_ndarray(np.full(shape, 8000, np.int16), "s16", layout)
            frame.sample_rate = rate
            return frame

    async def scenario():
        microphone = Microphone(Track(), SimpleNamespace(attach=lambda segment: None))
        await microphone._task
        return microphone.segment.pushed

    pushed = asyncio.run(scenario())
    assert not frames and pushed > 2 * 250
