"""The ASGI server as it is run here: it lets nobody hold a place with half a request, and leaves in good order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from types import FrameType
from typing import Any, Protocol

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

try:
    from resource import RLIMIT_NOFILE, getrlimit
except ImportError:  # no such limit is known on Windows
    getrlimit = None  # type: ignore[assignment]

log = logging.getLogger("speechhead.server")

HEADERS = 10.0
"""Seconds in which the headers of a request must have come, from a connection's or a request's first byte on."""

LEAST, SHARE = 16, 4
"""Connections without a whole request that are kept at least, and the part of all open files that they may take."""

GRACE = 5
"""Seconds that open requests are given at the end."""

PONG = 300
"""Seconds in which a WebSocket must answer a ping: the answer waits behind the sound that a fast sender has queued."""

SLICE = 8 * 1024
"""Bytes of a WebSocket that are looked at at a time: frames may be of two bytes, and others wait meanwhile."""

LEFT = 5.0
"""Seconds after which a WebSocket that is done with is cut off, though its client has not read all."""

HANDSHAKE = 2.0
"""Seconds in which a WebSocket's handshake must have been understood: libraries may drop one without an answer."""

LONG, REST = 0.002, 3
"""Seconds of computing for a slice from which a WebSocket must wait, and for how many times as long."""

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def most_waiting() -> int:
    """Connections without a whole request that are kept; the oldest gives way to a further one."""
    files = getrlimit(RLIMIT_NOFILE)[0] if getrlimit is not None else 1024
    return max(LEAST, min(4096, files // SHARE if files > 0 else 4096))


class TimedProtocol(H11Protocol):
    """HTTP whose headers must come in time."""

    _waiting: OrderedDict[TimedProtocol, asyncio.TimerHandle] = OrderedDict()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection begins."""
        super().connection_made(transport)
        self._wait()
        while len(self._waiting) > most_waiting():
            next(iter(self._waiting))._too_slow()

    def data_received(self, data: bytes) -> None:
        """Bytes came; while a request's headers are not whole, its time runs."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            if self not in self._waiting:
                self._wait()
        else:
            self._done()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._done()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting[self] = asyncio.get_running_loop().call_later(HEADERS, self._too_slow)

    def _done(self) -> None:
        if (timer := self._waiting.pop(self, None)) is not None:
            timer.cancel()

    def _too_slow(self) -> None:
        self._done()
        if not self.transport.is_closing():
            self.transport.write(TOO_SLOW)
            self.transport.close()


class UnhurriedSocket(AutoWebSocketsProtocol):  # type: ignore[misc,valid-type]
    """A WebSocket that leaves the event loop to others, however many frames it sends."""

    _served = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection begins."""
        transport.max_size = SLICE  # type: ignore[attr-defined]  # of asyncio's own loop, see `served`
        asyncio.get_running_loop().call_later(HANDSHAKE, self._unless_served)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes came; those that take long to look at are followed by a pause."""
        begun = time.thread_time()
        super().data_received(data)
        spent = time.thread_time() - begun
        if spent > LONG and not self.transport.is_closing():
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(REST * spent, self._go_on)

    async def run_asgi(self) -> None:
        """Serve it, and let it hold nothing afterwards."""
        self._served = True
        try:
            await super().run_asgi()
        finally:
            asyncio.get_running_loop().call_later(LEFT, self.transport.abort)

    def _unless_served(self) -> None:
        if not self._served:
            self.transport.abort()

    def _go_on(self) -> None:
        if not self.transport.is_closing() and not getattr(self, "read_paused", False):
            self.transport.resume_reading()


class Leaving(Protocol):
    """What is told that the end has come."""

    def drain(self) -> None:
        """Take nothing new."""

    @property
    def drained(self) -> bool:
        """Whether all that was taken is done."""


class PatientServer(uvicorn.Server):
    """Finishes what is being said before it ends; a second signal ends it at once.

    Parameters
    ----------
    leaving : told of the first signal
    seconds : that are waited at most
    """

    def __init__(self, config: uvicorn.Config, leaving: Leaving, seconds: float) -> None:
        super().__init__(config)
        self._leaving, self._seconds = leaving, seconds
        self._asked_at: float | None = None
        self._draining = False

    @property
    def failed(self) -> bool:
        """Whether it ended before it began, and nobody had asked for that."""
        return not self.started and self._asked_at is None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        if self._asked_at is None:
            self._captured_signals.append(sig)
            self._asked_at = time.monotonic()
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether it is time to end."""
        if self._asked_at is not None and not self.should_exit:
            if not self._draining:
                self._draining = True
                self._leaving.drain()
            self.should_exit = self._leaving.drained or time.monotonic() - self._asked_at > self._seconds
        return bool(await super().on_tick(counter))


def served(app: Any, host: str, port: int, leaving: Leaving, seconds: float) -> PatientServer:
    """The server of an application, its connections bounded in time and number."""
    config = uvicorn.Config(
        app,
        host,
        port,
        loop="asyncio",  # whose sockets can be bound to a range of ports
        http=TimedProtocol,
        ws=UnhurriedSocket,
        lifespan="on",
        log_config=None,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=30,
        ws_max_size=2 * 1024 * 1024,
        ws_ping_interval=20,
        ws_ping_timeout=PONG,
        h11_max_incomplete_event_size=64 * 1024,
        server_header=False,
    )
    return PatientServer(config, leaving, seconds)
