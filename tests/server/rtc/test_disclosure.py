"""A stream says that it is synthetic, and is decoded as before."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

pytest.importorskip("aiortc")

from speechhead_server.rtc.disclosure import NOTICE, UNIT, notice_unit, titled, with_notice
from speechhead_server.rtc.encoders import PortraitH264

from speechhead.media.writer import COMMENT


def units(seed, count):
    """NAL units as the encoder hands them to RTP."""
    encoder, rng = PortraitH264(128), np.random.default_rng(seed)
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (192, 128), np.uint8), format="yuv420p")
        frame.pts, frame.time_base = 1920 * number, Fraction(1, 48_000)
        yield list(encoder._encode_frame(frame, number == 3))


def test_every_keyframe_says_it_and_no_other_picture_does():
    told = [[unit for unit in picture if unit == UNIT] for picture in units(0, 5)]
    assert [len(each) for each in told] == [1, 0, 0, 1, 0]
    assert COMMENT.encode() in UNIT and UNIT[0] & 0x1F == 6


def test_a_decoder_reads_the_notice_and_the_same_pictures():
    stream = list(units(0, 5))
    decoder, plain = av.CodecContext.create("h264", "r"), av.CodecContext.create("h264", "r")
    seen, bare, notices = [], [], []
    for picture in stream:
        for codec, kept, out in ((decoder, picture, seen), (plain, [u for u in picture if u != UNIT], bare)):
            data = b"".join(b"\0\0\0\1" + unit for unit in kept)
            for packet in codec.parse(data):
                out += codec.decode(packet)
    for codec, out in ((decoder, seen), (plain, bare)):
        for packet in codec.parse(b""):
            out += codec.decode(packet)
        out += codec.decode(None)
    for frame in seen:
        notices += [bytes(side) for side in frame.side_data if side.type.name == "SEI_UNREGISTERED"]
    assert len(seen) == len(bare) == 5
    assert all(np.array_equal(a.to_ndarray(), b.to_ndarray()) for a, b in zip(seen, bare))
    assert [notice for notice in notices if notice[:16] == NOTICE] == [NOTICE + COMMENT.encode()] * 2


def test_the_unit_never_looks_like_a_start_code(monkeypatch):
    monkeypatch.setattr("speechhead_server.rtc.disclosure.NOTICE", bytes(15) + b"\1")
    unit = notice_unit("a")
    assert b"\0\0\0" not in unit and b"\0\0\1" not in unit and unit.count(b"\0\0\3") == 7
    for text in ("", "x" * 201):
        with pytest.raises(ValueError):
            notice_unit(text)


def test_it_lies_before_the_picture_and_behind_its_parameters():
    assert [unit[0] for unit in with_notice([b"\x67", b"\x68", b"\x65", b"\x65"])] == [0x67, 0x68, 6, 0x65, 0x65]


def test_the_description_is_named_by_it():
    sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    assert titled(sdp) == sdp.replace("s=-", f"s={COMMENT}")
