"""Sound as it leaves: encoded where it is taken, and silence that costs next to nothing."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

pytest.importorskip("aiortc")

import av
from speechhead_server.rtc.encoders import SpeechOpus
from speechhead_server.rtc.tracks import HANGOVER, PAUSE, SOUND_LEAD, AudioTrack
from speechhead_server.stage.clock import FRAME, PACKET, RATE, Clock


def voice(number):
    return (0.3 * np.sin(2 * np.pi * 220 * (np.arange(PACKET) + number * PACKET) / RATE)).astype(np.float32)


class Told:
    """A stage that is silent but for some packets, and knows so a few frames ahead."""

    def __init__(self, loud):
        self.now, self.loud = 0.0, loud
        self.clock = Clock(lambda: self.now)
        self.clock.wait = self._wait

    async def _wait(self, samples):
        self.now = max(self.now, samples / RATE)

    def sound(self, packet):
        number = packet - SOUND_LEAD
        assert number * PACKET <= self.now * RATE + 1, "of a time that has not come"
        return voice(number) if number in self.loud else np.zeros(PACKET, np.float32)

    @property
    def silent_before(self):
        frame = self.clock.frame + 4
        begins = [number for number in self.loud if number * PACKET > self.now * RATE]
        return min([frame, *((number + SOUND_LEAD) // 2 for number in begins)])


def heard(packets, last):
    """What a player plays, packet by packet: silence where nothing came."""
    decoder, out = av.CodecContext.create("opus", "r"), {}
    for packet in packets:
        for frame in decoder.decode(av.Packet(bytes(packet))):
            out[packet.pts // PACKET] = float(np.abs(frame.to_ndarray()).mean())
    return [out.get(number, 0.0) for number in range(last)]


def test_long_silence_leaves_few_packets_and_no_sound_is_lost():
    loud = {*range(10, 40), *range(173, 190), 301}

    async def taken(sparing):
        track = AudioTrack(Told(loud))
        track.coder, track.sparing = SpeechOpus(), sparing
        packets = []
        while not packets or packets[-1].pts < 400 * PACKET:
            packets.append(await track.recv())
        return packets

    spared, whole = (asyncio.run(taken(sparing)) for sparing in (True, False))
    sent, stamps = {p.pts // PACKET for p in spared}, [p.pts for p in spared]
    assert [p.pts for p in whole] == list(range(PACKET, 401 * PACKET, PACKET))
    assert loud <= sent and stamps == sorted(set(stamps)) and len(spared) < 160
    assert max(np.diff(stamps)) == PAUSE * PACKET, "a player hears from us all the time"
    assert all(number + k in sent for number in (39, 189, 301) for k in range(HANGOVER)), "a voice may fade out"
    alike = np.array(heard(spared, 400)) - heard(whole, 400)
    assert np.abs(alike).max() < 0.02 and max(heard(spared, 400)) > 0.1


def test_silence_is_encoded_until_it_stays_the_same():
    coder, other = SpeechOpus(), SpeechOpus()
    calls, encode = [], coder.encode
    coder.encode = lambda frame: calls.append(1) or encode(frame)
    for number in range(200):
        loud = 60 <= number < 90
        samples = (voice(number) * 32767 * loud).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, number * PACKET
        packet = coder.packet(samples, number * PACKET)
        (coded,), at = other.encode(frame)
        assert packet.pts == at == number * FRAME // 2
        assert bytes(packet) == coded or number >= 60, "the same packets as if all had been encoded"
    assert len(calls) < 100
