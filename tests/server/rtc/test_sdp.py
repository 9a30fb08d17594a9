"""Offers and answers."""

from __future__ import annotations

import pytest

pytest.importorskip("aiortc")

from speechhead_server.core.problems import Refused
from speechhead_server.rtc.sdp import BASELINE, announce, check_offer, lenient, read_fragment


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


@pytest.mark.parametrize(
    ("media", "said"), [("", "asks for no media. Offer"), ("m=image 9\r\nm=text 9\r\n", "asks for image, text. Offer")]
)
def test_the_media_of_an_offer_are_said_in_words(media, said):
    with pytest.raises(Refused, match=said):
        check_offer(f"v=0\r\n{media}")


def video(*lines: str) -> str:
    return "\r\n".join(["v=0", "m=audio 9 X 111", "a=rtpmap:111 opus/48000/2", "m=video 9 X 96 97", *lines, ""])


def test_h264_of_another_profile_is_read_as_the_one_that_is_sent():
    high = video("a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1;profile-level-id=640c1f")
    assert lenient(high) == video("a=rtpmap:96 H264/90000", f"a=fmtp:96 {BASELINE}")
    bare = video("a=rtpmap:96 H264/90000")
    assert lenient(bare) == video("a=rtpmap:96 H264/90000", f"a=fmtp:96 {BASELINE}")
    for fine in (
        video("a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f"),
        video("a=rtpmap:96 H264/90000", "a=rtpmap:97 VP8/90000"),
        video("a=rtpmap:96 VP8/90000"),
    ):
        assert lenient(fine) == fine


def test_a_fragment_is_read_by_media():
    text = "a=ice-ufrag:u\r\na=ice-pwd:p\r\nm=audio 9 X 0\r\na=mid:0\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\n"
    fragment = read_fragment(
        text + "m=video 9 X 0\r\na=candidate:2 1 udp 1 10.0.0.1 6 typ host\r\na=end-of-candidates\r\n"
    )
    assert (fragment.ufrag, fragment.password, fragment.complete) == ("u", "p", True)
    assert [medium for medium, _ in fragment.candidates] == ["0", 1]
    for wrong in ("", "hello", "a=candidate:1\r\n" * 100, "x" * 70_000):
        with pytest.raises(Refused):
            read_fragment(wrong)
