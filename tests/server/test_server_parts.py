"""The server's small parts: settings, sound segments, live PCM, pieces of text, encoders, SDP."""

from __future__ import annotations

import asyncio
import struct
from fractions import Fraction

import numpy as np
import pytest
from support.fakes import speech_like

pytest.importorskip("aiortc")

import av
from speechhead_server.core.config import ServerSettings, from_environment
from speechhead_server.core.problems import Refused
from speechhead_server.http.serve import listen
from speechhead_server.rtc.encoders import PortraitH264, SpeechOpus, video_bitrate
from speechhead_server.rtc.microphone import PcmReader
from speechhead_server.rtc.ports import use_ports
from speechhead_server.rtc.viewer import announce, check_offer
from speechhead_server.stage.portrait import fills_picture, on_stage, preview, to_i420
from speechhead_server.stage.segment import LIVE_START, Segment
from speechhead_server.voice.words import FIRST, pieces, word_times

from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import ServerError
from speechhead.tts.speech import SILENCE, Phoneme

# Settings


def test_settings_come_from_options_then_the_environment():
    environment = {"SPEECHHEAD_PORT": "9000", "SPEECHHEAD_TOKEN": "x", "SPEECHHEAD_UDP_PORTS": "50000-50010"}
    environment |= {"SPEECHHEAD_ORIGINS": "https://a.org, https://b.org"}
    settings = from_environment({"port": 1234, "host": None, "stun": ["stun:s:1"]}, environment)
    assert (settings.port, settings.token, settings.udp_ports) == (1234, "x", (50000, 50010))
    assert settings.origins == ("https://a.org", "https://b.org") and settings.stun == ("stun:s:1",)
    assert from_environment({}, {}) == ServerSettings()


@pytest.mark.parametrize(
    "options",
    [
        {"port": 70000},
        {"size": 333},
        {"stun": "example.org"},
        {"turn": "turn:x:1"},
        {"udp_ports": "9-3"},
        {"udp_ports": "many"},
        {"public_ip": "here"},
        {"rate": "0"},
        {"max_sessions": 0},
    ],
)
def test_settings_that_can_not_work_are_refused_in_one_line(options):
    with pytest.raises(ValueError) as error:
        from_environment(options, {})
    assert "\n" not in str(error.value) and str(error.value)[-1] == "."


def test_turn_is_given_to_both_ends():
    settings = ServerSettings(stun=("stun:s:1",), turn=("turn:t:2",), turn_user="u", turn_password="p")
    assert settings.ice_servers == [{"urls": ["stun:s:1"]}, {"urls": ["turn:t:2"], "username": "u", "credential": "p"}]


def test_an_address_that_is_taken_is_one_clear_line():
    taken = listen("127.0.0.1", 0)
    with pytest.raises(ServerError, match="can not listen"):
        listen("127.0.0.1", taken.getsockname()[1])
    taken.close()


# Sound


def test_a_segment_keeps_both_sounds_together():
    segment, sound = Segment("a"), speech_like(1.0)
    for i in range(0, len(sound), 777):
        segment.push(sound[i : i + 777])
    segment.close()
    blocks = []
    while (taken := segment.take(len(blocks))) is not None:
        blocks.append(taken)
    assert len(blocks) == 25 and segment.exhausted
    assert (np.concatenate([heard for heard, _, _ in blocks]) == sound).all()
    shown = np.concatenate([shown for _, shown, _ in blocks])
    assert np.corrcoef(shown[::3], sound)[0, 1] > 0.9
    assert segment.position(9) == pytest.approx(0.4)


def test_cues_come_with_the_block_of_their_time():
    segment = Segment("a")
    segment.push(speech_like(0.2), cues=[(0.0, {"n": 0}), (0.05, {"n": 1})])
    segment.push(speech_like(0.2), cues=[(0.1, {"n": 2})])
    segment.close()
    found = [cue for frame in range(100, 110) for cue in segment.take(frame)[2]]
    assert [event["n"] for _, event in found] == [0, 1, 2]
    assert [at for at, _ in found] == [100 * 1920, 100 * 1920 + 2400, 100 * 1920 + 14400]


def test_live_sound_waits_until_there_is_enough_and_a_microphone_keeps_no_backlog():
    pcm, microphone = Segment("a", "pcm"), Segment("b", "microphone")
    pcm.push(np.zeros(640 * (LIVE_START - 1), np.float32))
    assert not pcm.ready
    pcm.close()
    assert pcm.ready
    for _ in range(100):
        microphone.push(np.zeros(640, np.float32), np.zeros(1920, np.float32))
    assert LIVE_START <= microphone.waiting <= 2 * LIVE_START


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


# Words


def test_the_first_piece_is_short_and_nothing_is_lost():
    text = "Good morning, everyone, and welcome to this short talk about the history of computers. It is long."
    cut = list(pieces(text))
    assert len(cut[0].text) <= FIRST and cut[0].text == "Good morning, everyone,"
    assert " ".join(piece.text for piece in cut) == text
    for text in ("Hi.", "x" * 500, "I was asked today whether machines could ever really think about it.", "a b " * 90):
        cut = list(pieces(text))
        assert "".join("".join(p.text for p in cut).split()) == "".join(text.split())
        assert all(piece.text.strip() for piece in cut)


def test_words_are_timed_by_the_engine_or_by_their_letters():
    sounds = [Phoneme("h", 0.1, 0.2, 0), Phoneme("i", 0.2, 0.3, 0), Phoneme("y", 0.4, 0.5, 1), Phoneme(SILENCE, 0.5, 1)]
    assert word_times("Hi you.", sounds, 1.0) == [("Hi", 0.1, 0.3), ("you.", 0.4, 0.5)]
    for phonemes in ([], sounds):
        timed = word_times("one two three", phonemes, 1.0)
        assert [word for word, _, _ in timed] == ["one", "two", "three"]
        assert all(a <= b for _, a, b in timed) and timed[0][2] <= timed[1][1]
    assert word_times("...", [], 1.0) == []


# Pictures


def test_a_portrait_on_stage_is_a_square_of_the_video(portrait):
    avatar = Avatar.from_image(portrait)
    for size in (256, 384):
        staged = on_stage(avatar, size)
        assert staged.picture.shape == staged.crop.shape == (size, size, 3)
        assert to_i420(staged.picture).shape == (size * 3 // 2, size)
        if not fills_picture(staged):
            assert staged.paste(staged.crop).shape == (size, size, 3)
        difference = np.abs(staged.paste(staged.crop).astype(int) - staged.picture)
        assert difference.mean() < 3
    assert preview(avatar)[:2] == b"\xff\xd8"


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


# Connections


def test_media_ports_stay_in_their_range():
    first = 42_310

    async def bind():
        use_ports(asyncio.get_running_loop(), first, first + 2)
        made = []
        for _ in range(3):
            made.append(
                await asyncio.get_running_loop().create_datagram_endpoint(
                    asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
                )
            )
        ports = sorted(transport.get_extra_info("sockname")[1] for transport, _ in made)
        with pytest.raises(OSError, match="taken"):
            await asyncio.get_running_loop().create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
            )
        for transport, _ in made:
            transport.close()
        return ports

    assert asyncio.run(bind()) == [first, first + 1, first + 2]


def test_a_public_address_is_announced_before_the_own_one():
    line = "a=candidate:abc 1 udp 2130706431 172.17.0.2 50001 typ host"
    sdp = announce(f"v=0\r\nm=audio 9 X 1\r\n{line}\r\nm=video 9 X 1\r\n{line}\r\n", "203.0.113.7")
    assert sdp.count("203.0.113.7 50001") == 2 and sdp.count("172.17.0.2") == 2
    assert sdp.index("203.0.113.7") < sdp.index("172.17.0.2")
    assert announce("v=0\r\n", "") == "v=0\r\n"


BAD_OFFERS = ["", "hello", "v=0", "v=0\r\nm=audio 9 X 1\r\n", "v=0\r\nm=image 9 X 1\r\n", "v=0" * 40_000]


@pytest.mark.parametrize("offer", BAD_OFFERS)
def test_what_is_no_offer_is_refused(offer):
    with pytest.raises(Refused):
        check_offer(offer)


def test_the_voice_process_speaks_its_protocol(monkeypatch):
    """Heads and sounds as `Speaker` reads them, from a voice of our own."""
    import io

    from speechhead_server.voice import voice_process

    from speechhead.tts import Speech

    class Voice:
        name = "test"

        def speak(self, text):
            yield Speech(speech_like(0.1), [], text)

    out = io.BytesIO()
    turns = voice_process.Turns(out)
    head, samples = next(voice_process.speak(Voice(), "Hello there."))
    turns.write(dict(head), samples)
    data = out.getvalue()
    (size,) = struct.unpack("<I", data[:4])
    assert b'"Hello there."' in data[4 : 4 + size] and len(data) == 4 + size + 4 * 1600


@pytest.mark.parametrize("milliseconds, size", [(2, 512), (8, 384), (40, 256)])
def test_the_server_chooses_the_largest_size_it_can_draw(milliseconds, size, portrait, monkeypatch):
    import time

    from speechhead_server.live.studio import Studio
    from support.fakes import FakeGenerator, FakeSpeech

    class Timed(FakeGenerator):
        def render(self, source, normalised, pose):
            time.sleep(milliseconds * (self.size / 256) ** 2 / 1000)
            return source

    studio = Studio(ServerSettings(workers=1), Timed, FakeSpeech())
    assert studio.choose_size(Avatar.from_image(portrait)) == size
    assert studio.capacity >= 1
    studio.close()
