"""Encoders: key frames on demand, bit rates, time stamps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("aiortc")

import av
from speechhead_server.rtc.encoders import PortraitH264, SpeechOpus, video_bitrate


def frames(count, size=128):
    ramp = np.linspace(0, 255, size, dtype=np.float32)
    for i in range(count):
        planar = np.full((size * 3 // 2, size), 128, np.uint8)
        planar[:size] = np.roll(ramp[None], i, 1).astype(np.uint8) // 2 + 60
        frame = av.VideoFrame.from_ndarray(planar, format="yuv420p")
        frame.pts, frame.time_base = 1920 * i, Fraction(1, 48_000)
        yield frame


def test_h264_makes_keyframes_when_asked_and_follows_the_receiver(monkeypatch):
    from aiortc.codecs.h264 import h264_depayload

    now = [100.0]
    monkeypatch.setattr("speechhead_server.rtc.encoders.time.monotonic", lambda: now[0])
    encoder, decoder = PortraitH264(128), av.CodecContext.create("h264", "r")
    keys, stamps = [], []
    for i, frame in enumerate(frames(30)):
        now[0] += 0.04
        if i == 20:
            encoder.target_bitrate = 100  # is not believed below what a face needs
            assert encoder.target_bitrate == 100
        packets, stamp = encoder.encode(frame, force_keyframe=i == 10)
        assert all(len(packet) <= 1300 for packet in packets)
        stamps.append(stamp)
        shown = decoder.decode(av.Packet(b"".join(map(h264_depayload, packets))))
        keys += [number for number, picture in enumerate(shown, i) if picture.key_frame]
    assert keys == [0, 10] and stamps == [3600 * i for i in range(30)]
    assert video_bitrate(512) > 1_000_000


def test_opus_keeps_the_time_of_its_frames():
    encoder, stamps = SpeechOpus(), []
    for number in (5, 6, 7, 12):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), 960 * number
        packets, stamp = encoder.encode(frame)
        assert len(packets) == 1
        stamps.append(stamp)
    assert stamps == [4800, 5760, 6720, 11520]
