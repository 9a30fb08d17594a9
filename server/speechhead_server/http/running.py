"""The ASGI server as it is run here: it lets nobody hold a place with half a request, and leaves in good order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
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
"""Connections without whole headers that are kept at least, and the part of all open files that they may take."""

BODY, UNREAD, KEEP = 900.0, 30.0, 30
"""Seconds: of a body, whose own limit the guard has; in which a client must have read some of what waits for it; and
for which a connection that asks nothing is kept."""

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
    """Connections without whole headers that are kept; the oldest gives way to a further one."""
    files = getrlimit(RLIMIT_NOFILE)[0] if getrlimit is not None else 1024
    return max(LEAST, min(4096, files // SHARE if files > 0 else 4096))


class Bounded:
    """Connections in one state that holds a place: few of them, and for a while.

    Parameters
    ----------
    part : of `most_waiting` that are kept; the oldest gives way to a further one
    """

    def __init__(self, part: float = 0.5) -> None:
        self._part = part
        self._timers: OrderedDict[Any, tuple[asyncio.TimerHandle, Callable[[], None]]] = OrderedDict()

    def add(self, one: object, seconds: float, end: Callable[[], None]) -> None:
        """A connection comes into the state; `end` is called if it does not leave it in so many seconds."""
        if one in self._timers:
            return

        def ended() -> None:
            self.remove(one)
            end()

        self._timers[one] = asyncio.get_running_loop().call_later(seconds, ended), ended
        while len(self._timers) > self._part * most_waiting():
            next(iter(self._timers.values()))[1]()

    def remove(self, one: object) -> None:
        """It has left the state."""
        if (known := self._timers.pop(one, None)) is not None:
            known[0].cancel()


class TimedProtocol(H11Protocol):
    """HTTP whose headers must come in time, and whose places nobody holds by sending, reading or asking nothing."""

    _headers, _bodies, _idle, _unread = Bounded(1.0), Bounded(), Bounded(), Bounded()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection begins."""
        super().connection_made(transport)
        self._headers.add(self, HEADERS, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """Bytes came; while a request's headers are not whole, its time runs."""
        self._idle.remove(self)
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._bodies.add(self, BODY, self._too_slow)
        else:
            self._bodies.remove(self)
        if state is h11.IDLE and self.conn.trailing_data[0]:
            self._headers.add(self, HEADERS, self._too_slow)
        else:
            self._headers.remove(self)

    def on_response_complete(self) -> None:
        """An answer is sent; the connection may be used again."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self._idle.add(self, 2 * KEEP, self.transport.close)

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        super().pause_writing()
        self._unread.add(self, UNREAD, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read on."""
        self._unread.remove(self)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        for state in (self._headers, self._bodies, self._idle, self._unread):
            state.remove(self)
        super().connection_lost(exc)

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(TOO_SLOW)
            self.transport.close()


class UnhurriedSocket(AutoWebSocketsProtocol):  # type: ignore[misc,valid-type]
    """A WebSocket that leaves the event loop to others, however many frames it sends."""

    _served = _stuck = False
    _unread = Bounded()

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
        if self._stuck:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        """The client does not read: nothing more of it is read until it does, as even a ping is answered."""
        super().pause_writing()
        self._stuck = True
        self._unread.add(self, UNREAD, self.transport.abort)
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It has read on."""
        super().resume_writing()
        self._stuck = False
        self._unread.remove(self)
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._unread.remove(self)
        super().connection_lost(exc)

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
        if not self.transport.is_closing() and not self._stuck and not getattr(self, "read_paused", False):
            self.transport.resume_reading()


HEARD = 0.4
"""Seconds after the last word in which it leaves the viewers' jitter buffers, and in which its end is told."""


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
        self._quiet_since: float | None = None

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
            now = time.monotonic()
            if not self._leaving.drained:
                self._quiet_since = None
            elif self._quiet_since is None:
                self._quiet_since = now
            heard = self._quiet_since is not None and now - self._quiet_since > HEARD
            self.should_exit = heard or now - self._asked_at > self._seconds
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
        timeout_keep_alive=KEEP,
        ws_max_size=2 * 1024 * 1024,
        ws_ping_interval=20,
        ws_ping_timeout=PONG,
        h11_max_incomplete_event_size=64 * 1024,
        server_header=False,
    )
    return PatientServer(config, leaving, seconds)
