"""Packets as strangers send them: what aiortc would read for ever, or stumble over, is dropped like any broken one."""

from __future__ import annotations

from struct import error as StructError
from struct import unpack_from
from typing import Any

from aioice import stun
from aiortc import RTCSctpTransport, rtcsctptransport

SPAN = 8192
"""Packets that the gaps of one acknowledgement may tell of: far more than a data channel of ours has on its way."""

BACKLOG = 1 << 20
"""Bytes beyond its window that a sender may have sent in pieces of messages which it never ends."""

_parse, _parse_stun = rtcsctptransport.parse_packet, stun.parse_message


def decode_params(body: bytes) -> list[tuple[int, bytes]]:
    """Parameters of a chunk (RFC 9260, 3.2.1); ValueError for one shorter than its head or longer than its chunk."""
    params, at = [], 0
    while at <= len(body) - 4:
        kind, length = unpack_from("!HH", body, at)
        if not 4 <= length <= len(body) - at:
            raise ValueError(f"a parameter of {length} bytes")
        params.append((kind, body[at + 4 : at + length]))
        at += length + -length % 4
    return params


def parse_packet(data: bytes) -> tuple[int, int, int, list[Any]]:
    """A packet of SCTP: ports, tag and chunks; ValueError, which aiortc drops it for, for all that is none."""
    try:
        source, destination, tag, chunks = _parse(data)
    except StructError as error:
        raise ValueError(str(error)) from None
    for chunk in chunks:
        if isinstance(chunk, rtcsctptransport.InitChunk) and len(chunks) > 1:
            raise ValueError("an INIT that is not alone")
        gaps = chunk.gaps if isinstance(chunk, rtcsctptransport.SackChunk) else []
        if sum(max(0, last - first + 1) for first, last in gaps) > SPAN:
            raise ValueError("gaps of more than could be on their way")
    return source, destination, tag, chunks


def parse_message(data: bytes, *key: Any, **options: Any) -> Any:
    """A message of STUN, which anybody may send to a port; ValueError for all that is none."""
    try:
        return _parse_stun(data, *key, **options)
    except (StructError, IndexError) as error:
        raise ValueError(str(error)) from None


def harden() -> None:
    """Let aiortc read packets so."""
    rtcsctptransport.decode_params = decode_params
    rtcsctptransport.parse_packet = parse_packet
    stun.parse_message = parse_message


def floods(transport: RTCSctpTransport | None) -> bool:
    """Whether a sender fills memory with pieces of messages that it does not end."""
    return transport is not None and getattr(transport, "_advertised_rwnd", 0) < -BACKLOG
