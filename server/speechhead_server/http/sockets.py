"""What all WebSockets of a session have in common: how many there are, orders in JSON, and how one ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from fastapi import WebSocket, WebSocketDisconnect

from speechhead.core.errors import SpeechheadError
from speechhead_server.core.allowance import Allowance
from speechhead_server.core.problems import Refused, one_line
from speechhead_server.live.session import Session
from speechhead_server.live.sessions import Sessions
from speechhead_server.stage.events import Message

T = TypeVar("T")

log = logging.getLogger("speechhead.server")

SOCKETS = 8
"""Of one session at a time."""

UNREAD = 2000
"""Messages that wait for a client that does not read them, beyond which its socket is closed."""

SHARE, RESERVE = 0.25, 0.25
"""Seconds of computing per second, and at once, that reading the messages of one socket may take."""

FAREWELL = 2.0
"""Seconds in which a client takes the line that says why its socket ends: one that reads nothing holds no place."""


@contextlib.asynccontextmanager
async def open_socket(socket: WebSocket, sessions: Sessions, name: str, kind: str) -> AsyncIterator[Session]:
    """A socket's session while the socket is served; it is told in one line why it ends."""
    await socket.accept()
    try:
        session = sessions.get(name)
        if len(session.listeners) >= SOCKETS:
            raise Refused(429, f"session {name} has {SOCKETS} sockets already. Close one.")
        yield session
    except SpeechheadError as refused:
        await _refuse(socket, refused)
    except WebSocketDisconnect:
        return
    except Exception as error:
        log.exception("%s: socket failed", kind)
        await _refuse(socket, error, 1011)


async def _refuse(socket: WebSocket, error: Exception, code: int = 1008) -> None:
    text = one_line(error) if code == 1008 else "the server failed at this; its log says why."
    if isinstance(error, Refused) and error.status == 413:
        code = 1009

    async def told() -> None:
        await socket.send_json({"type": "error", "error": text})
        await socket.close(code)

    with contextlib.suppress(Exception):
        await asyncio.wait_for(told(), FAREWELL)


def order_of(text: str, known: dict[str, type]) -> dict[str, Any]:
    """A message as {name: value}.

    Parameters
    ----------
    known : names that it may have, and of which type each is

    Raises
    ------
    Refused (400) for anything else.
    """
    try:
        order = json.loads(text)
    except (ValueError, RecursionError):
        order = None
    wanted = ", ".join(known)
    if not isinstance(order, dict) or not order:
        raise Refused(400, f"the message is no JSON object. Send one with one of {wanted}.")
    for name, value in order.items():
        if name not in known:
            raise Refused(400, f"{str(name)[:30]!r} is unknown. Use {wanted}.")
        if not isinstance(value, known[name]):
            raise Refused(400, f"{name} is not usable. Give {'a text' if known[name] is str else 'true or false'}.")
    return order


class CalmReading:
    """Reads messages of one socket, with pauses where that takes long: others wait for the same loop."""

    def __init__(self) -> None:
        self._share = Allowance(SHARE, RESERVE)

    async def read(self, work: Callable[..., T], *given: Any) -> T:
        """What a function makes of a message."""
        begun = time.thread_time()
        try:
            return work(*given)
        finally:
            if (pause := self._share.spend(time.thread_time() - begun)) > 0:
                await asyncio.sleep(pause)


class Reader:
    """Messages of a socket, one after the other; to look for one and to find none loses nothing."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._coming: asyncio.Task[Any] | None = None

    async def next(self, seconds: float) -> Any:
        """The next message, None if none comes in so many seconds; WebSocketDisconnect at the end."""
        if self._coming is None:
            self._coming = asyncio.create_task(self._socket.receive())
        await asyncio.wait([self._coming], timeout=max(0.0, seconds))
        if not self._coming.done():
            return None
        coming, self._coming = self._coming, None
        message = coming.result()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        return message

    def close(self) -> None:
        """Wait no more."""
        if self._coming is not None:
            self._coming.cancel()


class Teller:
    """Sends what happens in its order; a client that does not read it loses its socket."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._news: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._run())
        self._last = self._dropped = False

    def tell(self, message: Message) -> None:
        """Send this in its turn."""
        if not self._dropped:
            self._news.put_nowait(message)

    def drop(self) -> None:
        """Send nothing more: the client has gone."""
        self._dropped = True
        self._task.cancel()

    def tell_end(self, error: str) -> None:
        """Send a last line, and close."""
        self.tell({"type": "error", "error": error})
        self._last = True
        self._news.put_nowait(None)

    def check(self) -> None:
        """Refused (429) for a client that does not read what it is sent."""
        if self._news.qsize() > UNREAD:
            raise Refused(429, f"{UNREAD} messages wait and are not read. Read what is sent.")

    async def _run(self) -> None:
        with contextlib.suppress(Exception):
            while (message := await self._news.get()) is not None:
                await self._socket.send_text(json.dumps(message))
            if self._last:
                await self._socket.close(1001)

    async def close(self) -> None:
        """Send what waits for a moment longer, then no more."""
        self._news.put_nowait(None)
        await asyncio.wait([self._task], timeout=0.5)
        self._task.cancel()
