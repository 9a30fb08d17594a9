"""Packets as strangers send them: what aiortc would read for ever, or stumble over, is dropped like any broken one."""

from __future__ import annotations

from struct import error as StructError
from struct import unpack_from
from typing import Any

from aioice import stun
from aiortc import RTCSctpTransport, rtcsctptransport

SPAN = 1024
"""Pieces that the gaps of one packet may tell of: more than a data channel of ours has on its way."""

BACKLOG = 1 << 20
"""Bytes beyond its window that a sender may have sent in pieces of messages which it never ends."""

CHUNKS = 64
"""Of one packet at most: it has 1500 bytes."""

STREAMS = 256
"""Numbers of data channels that are taken: browsers count from 0, and a page of ours has two."""

AHEAD = 128
"""Pieces by which one may come before another that is missing; what is further on is sent again."""

PIECES = 256
"""Of one channel that wait for others: the largest message that an answer allows has 55."""

_parse, _parse_stun = rtcsctptransport.parse_packet, stun.parse_message
_take = RTCSctpTransport._receive_data_chunk


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
    if len(chunks) > CHUNKS:
        raise ValueError("more chunks than a packet of ours has")
    told = 0
    for chunk in chunks:
        if isinstance(chunk, rtcsctptransport.InitChunk) and len(chunks) > 1:
            raise ValueError("an INIT that is not alone")
        if isinstance(chunk, rtcsctptransport.SackChunk):
            told += sum(max(0, last - first + 1) for first, last in chunk.gaps)
        if any(stream >= STREAMS for stream in _streams(chunk)):
            raise ValueError("a channel of a number that is not taken")
    if told > SPAN:
        raise ValueError("gaps of more than could be on their way")
    return source, destination, tag, chunks


def _streams(chunk: Any) -> list[int]:
    """Numbers of channels that a chunk brings something for."""
    if isinstance(chunk, rtcsctptransport.DataChunk):
        return [chunk.stream_id]
    return [stream for stream, _ in chunk.streams] if isinstance(chunk, rtcsctptransport.ForwardTsnChunk) else []


async def receive_data_chunk(self: Any, chunk: Any) -> None:
    """A piece of a message: one that can not be put to others soon is dropped, and will be sent again."""
    last, stream = self._last_received_tsn, self._inbound_streams.get(chunk.stream_id)
    if last is None or AHEAD < (chunk.tsn - last) % 2**32 < 2**31:
        return
    if stream is None or len(stream.reassembly) < PIECES:
        await _take(self, chunk)


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
    RTCSctpTransport._receive_data_chunk = receive_data_chunk  # type: ignore[method-assign]
    stun.parse_message = parse_message


def floods(transport: RTCSctpTransport | None) -> bool:
    """Whether a sender fills memory with pieces of messages that it does not end."""
    return transport is not None and getattr(transport, "_advertised_rwnd", 0) < -BACKLOG
