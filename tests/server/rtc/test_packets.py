"""Packets that a viewer makes by hand end nothing and take no time."""

from __future__ import annotations

import struct
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("aiortc")

from aioice import stun
from aiortc import rtcsctptransport
from google_crc32c import value as crc32c
from speechhead_server.rtc import viewer
from speechhead_server.rtc.packets import BACKLOG, SPAN, floods


def packet(*chunks: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack("!BBH", kind, 0, 4 + len(data)) + data + bytes(-len(data) % 4) for kind, data in chunks)
    head = struct.pack("!HHL", 5000, 5000, 7)
    return head + struct.pack("<L", crc32c(head + bytes(4) + body)) + body


INIT = struct.pack("!LLHHL", 1, 1 << 20, 10, 10, 1)
GAPS = struct.pack("!LLHH", 1, 1, 20, 0) + 20 * struct.pack("!HH", 0, 65535)
HOSTILE = {
    "a parameter of no length is read for ever": packet((4, bytes(4))),
    "one that is longer than its chunk": packet((9, struct.pack("!HH", 1, 65535) + b"x")),
    "in an INIT": packet((1, INIT + struct.pack("!HH", 1, 3))),
    "an INIT among others": packet((1, INIT), (11, b"")),
    "a chunk of data without its head": packet((0, b"abcd")),
    "an INIT without its fields": packet((1, b"abcd")),
    "gaps that are not there": packet((3, struct.pack("!LLHH", 1, 1, 9, 0))),
    "gaps of all that can be counted": packet(
        (3, struct.pack("!LLHH", 1, 1, 20, 0) + 20 * struct.pack("!HH", 0, 65535))
    ),
}


@pytest.mark.parametrize("why", HOSTILE)
def test_a_packet_that_is_none_is_dropped_at_once(why):
    assert viewer.harden  # it is this that reads packets
    begin = time.thread_time()
    with pytest.raises(ValueError):
        rtcsctptransport.parse_packet(HOSTILE[why])
    assert time.thread_time() - begin < 0.05


def test_what_browsers_send_is_read_as_before():
    sack = struct.pack("!LLHH", 1, 1, 1, 1) + struct.pack("!HH", 2, SPAN) + struct.pack("!L", 5)
    beat = struct.pack("!HH", 1, 7) + b"abc" + b"\0" + struct.pack("!HH", 2, 4)
    _, _, tag, (first, second) = rtcsctptransport.parse_packet(packet((3, sack), (4, beat)))
    assert tag == 7 and first.gaps == [(2, SPAN)] and first.duplicates == [5]
    assert second.params == [(1, b"abc"), (2, b"")]
    (init,) = rtcsctptransport.parse_packet(packet((1, INIT + struct.pack("!HH", 49152, 4))))[3]
    assert init.params == [(49152, b"")] and init.outbound_streams == 10


def test_a_stun_message_with_half_an_attribute_is_none():
    half = struct.pack("!HH", 0x0024, 1) + b"x\0\0\0"  # PRIORITY, of one byte
    message = struct.pack("!HHL", 1, len(half), 0x2112A442) + bytes(12) + half
    with pytest.raises(ValueError):
        stun.parse_message(message)
    whole = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    whole.attributes["PRIORITY"] = 7
    assert stun.parse_message(bytes(whole)).attributes["PRIORITY"] == 7


def test_messages_that_never_end_are_noticed():
    assert not floods(None) and not floods(SimpleNamespace(_advertised_rwnd=-BACKLOG))
    assert floods(SimpleNamespace(_advertised_rwnd=-BACKLOG - 1))
