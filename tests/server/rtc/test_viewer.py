"""Offers and answers."""

from __future__ import annotations

import pytest

pytest.importorskip("aiortc")

from speechhead_server.core.problems import Refused
from speechhead_server.rtc.viewer import announce, check_offer


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
