"""What comes to a media port, however much of it: each viewer may take its share of the event loop, and no more waits.

A port is open to everybody who finds it. Of packets that are no STUN, only those of the viewer's own addresses are
taken; a viewer that sends more than any player does is read with pauses, and the system drops what comes meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import time
from types import SimpleNamespace
from typing import Any

from aioice import ice
from aiortc import RTCRtpSender, rtcdtlstransport, rtcrtpreceiver

from speechhead_server.core.allowance import Allowance

from .sdp import CANDIDATES

log = logging.getLogger("speechhead.server")

PACKETS, BURST = 2000, 1000
"""Packets of one port per second, and at once: five times those of a player with a microphone in packets of 2.5 ms."""

PAUSE = 0.1
"""Seconds for which a port with more of them is not read."""

LARGEST = 2048
"""Bytes of a packet at most; players send up to 1500."""

WAITING = 256
"""Packets of a viewer that wait to be looked at."""

SHARE, RESERVE = 0.1, 0.2
"""Seconds of computing per second, and at once, that a viewer's packets may take."""

SOURCES = 16
"""Streams of sound (SSRC) that a viewer may send: a microphone is one."""

RESENT = 300
"""Packets per second, and at once, that are sent anew: of a stream of 130 they are all, twice."""

FRAMES, FRAMES_AT_ONCE = 120, 60
"""Packets of sound per second, and at once, that are decoded; usual ones hold 10 to 20 ms."""

FIRST_OF_STUN, DTLS, NEW_DTLS = 4, (20, 64), 32
"""First bytes (RFC 7983): below which a packet is STUN, of DTLS, and of DTLS 1.3's own records."""

_own: dict[str, Any] = {}
"""What aioice and aiortc do with a packet that is taken, by the name of the function."""


def datagram_received(self: Any, data: bytes, addr: tuple[Any, ...]) -> None:
    """A packet at one of the ports."""
    state = vars(self)
    allowed: Allowance = state.setdefault("_allowed", Allowance(PACKETS, BURST))
    if not allowed.take():
        _rest(self.transport)
        return
    if not 0 < len(data) <= LARGEST or (data[0] >= FIRST_OF_STUN and not _known(self, addr)):
        return
    _own["datagram_received"](self, data, addr)


def _known(protocol: Any, addr: tuple[Any, ...]) -> bool:
    """Whether an address is one of the viewer's, by its word or by a check that it signed."""
    source = addr[0], addr[1]
    if vars(protocol).get("_source") == source:
        return True
    known = any((c._network_host, c.port) == source for c in protocol.receiver._remote_candidates)
    if known:
        protocol._source = source
    return known


def _rest(transport: Any) -> None:
    """Read a port no more for a moment, where the loop can do that."""
    loop, handle = asyncio.get_running_loop(), getattr(transport, "_sock_fd", None)
    stop, begin = getattr(loop, "_remove_reader", None), getattr(loop, "_add_reader", None)
    if handle is None or stop is None or begin is None or transport.is_closing():
        return

    def go_on() -> None:
        if not transport.is_closing():
            begin(handle, transport._read_ready)

    if stop(handle):
        loop.call_later(PAUSE, go_on)


def data_received(self: Any, data: bytes, component: int) -> None:
    """A packet that is no STUN; one of too many is dropped."""
    for part in records(data):
        if self._queue.qsize() < WAITING:
            _own["data_received"](self, part, component)


def records(data: bytes) -> list[bytes]:
    """The records of a packet of DTLS, each by itself: of several aiortc reads the first and keeps the others."""
    parts: list[bytes] = []
    while data and DTLS[0] <= data[0] < DTLS[1]:
        kind = data[0]
        if kind < NEW_DTLS:  # type, version, epoch, number, length (RFC 6347)
            head, told = 13, data[11:13]
        else:  # flags: of a long number, of a length (RFC 9147, 4)
            head = 2 + (kind >> 3 & 1) + 2 * (kind >> 2 & 1)
            told = data[head - 2 : head] if kind >> 2 & 1 else b""
        size = head + int.from_bytes(told, "big") if told else len(data)
        parts.append(data[:size])
        data = data[size:]
    return parts or [data]


async def recvfrom(self: Any) -> tuple[bytes, int]:
    """The next packet, after a pause where looking at those before took long.

    From one call to the next nothing waits but for the packet, so that the thread's time between them is its.
    """
    state = vars(self)
    begun = state.pop("_begun", None)
    if begun is not None:
        share: Allowance = state.setdefault("_share", Allowance(SHARE, RESERVE))
        if (pause := share.spend(time.thread_time() - begun)) > 0:
            await asyncio.sleep(pause)
    came: tuple[bytes, int] = await _own["recvfrom"](self)
    state["_begun"] = time.thread_time()
    return came


def check_incoming(self: Any, message: Any, addr: tuple[str, int], protocol: Any) -> None:
    """A check that the viewer signed; from one address more than it may have it is passed over."""
    known = any((c._network_host, c.port) == (addr[0], addr[1]) for c in self._remote_candidates)
    if known or len(self._remote_candidates) < CANDIDATES:
        _own["check_incoming"](self, message, addr, protocol)


def add_remote_candidate(self: Any, candidate: Any, host: str) -> None:
    """An address that the viewer names; one of too many is passed over."""
    if len(self._remote_candidates) < CANDIDATES:
        _own["_add_remote_candidate"](self, candidate, host)


def route_rtp(self: Any, packet: Any) -> Any:
    """Who hears a packet of sound: nobody, of more streams than a viewer has."""
    heard: set[int] = vars(self).setdefault("_heard", set())
    if packet.ssrc not in heard and len(heard) >= SOURCES:
        return None
    receiver = _own["route_rtp"](self, packet)
    if receiver is not None:
        heard.add(packet.ssrc)
    return receiver


async def retransmit(self: Any, number: int) -> None:
    """Send a packet anew, unless more of them are asked for than can be lost."""
    if vars(self).setdefault("_resent", Allowance(RESENT, RESENT)).take():
        await _own["_retransmit"](self, number)


class FrameQueue(queue.Queue):  # type: ignore[type-arg]
    """Packets of sound on their way to a decoder: what is more than sound in its time is left out."""

    def __init__(self) -> None:
        super().__init__()
        self._allowed = Allowance(FRAMES, FRAMES_AT_ONCE)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Append one; None, the end, always comes through."""
        if item is None or (self.qsize() < FRAMES and self._allowed.take()):
            super().put(item, block, timeout)


BOUNDS: tuple[tuple[type, str, Any], ...] = (
    (ice.StunProtocol, "datagram_received", datagram_received),
    (ice.Connection, "data_received", data_received),
    (ice.Connection, "recvfrom", recvfrom),
    (ice.Connection, "check_incoming", check_incoming),
    (ice.Connection, "_add_remote_candidate", add_remote_candidate),
    (rtcdtlstransport.RtpRouter, "route_rtp", route_rtp),
    (RTCRtpSender, "_retransmit", retransmit),
)
"""Whose function gives way to which of ours."""


def bound() -> None:
    """Let aioice and aiortc take packets so."""
    for owner, name, ours in BOUNDS:
        if not hasattr(owner, name):
            log.warning("%s.%s is not there: this aiortc is not bounded. Install the one that pyproject names.",
                        owner.__name__, name)  # fmt: skip
        elif name not in _own:
            _own[name] = getattr(owner, name)
            setattr(owner, name, ours)
    vars(rtcrtpreceiver)["queue"] = SimpleNamespace(Queue=FrameQueue)
