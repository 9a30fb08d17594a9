"""Live PCM over a WebSocket, such as a voice agent's speech, into a session."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque

from fastapi import WebSocket

from speechhead.audio.io import Samples
from speechhead.core.clocks import SAMPLE_RATE
from speechhead_server.core.problems import Refused
from speechhead_server.live.session import Session
from speechhead_server.live.sessions import Sessions
from speechhead_server.rtc.microphone import PcmReader
from speechhead_server.stage.clock import RATE
from speechhead_server.stage.events import Message
from speechhead_server.stage.segment import Segment

from .sockets import CalmReading, Reader, open_socket

LARGEST = 1024 * 1024
"""Bytes of one message at most: 16 s of float32 at 16 kHz."""

FLOAT_BYTES = 4 * (SAMPLE_RATE + RATE) // SAMPLE_RATE
"""Bytes that a sample takes while it waits: float32 at 16 kHz and at 48 kHz."""

AHEAD = 4 * 1024 * 1024
"""Bytes of one socket that wait for room in its session: two minutes of 16-bit sound. The sender waits beyond it."""

LOOK = 0.05
"""Seconds from one look for room to the next."""

PATIENCE = 0.25
"""Seconds from one look whether a socket without messages is still heard to the next."""


async def serve_pcm(socket: WebSocket, sessions: Sessions, name: str) -> None:
    """Serve one socket until it ends; a session's own end ends it too."""
    async with open_socket(socket, sessions, name, "pcm") as session:
        await _Stream(socket, session, reader_of(socket), sessions).run()


def reader_of(socket: WebSocket) -> PcmReader:
    """Of the format and rate that a socket's address names; Refused for one that is not known."""
    rate = socket.query_params.get("rate", "16000")
    if not rate.isascii() or not rate.isdigit() or len(rate) > 6:
        raise Refused(422, f"PCM rate {rate[:20]!r} is not a number. Give it in Hz.")
    return PcmReader(socket.query_params.get("format", "s16le"), int(rate))


class _Stream:
    """One socket: each stretch of sound becomes an utterance.

    Sound may come faster than it is heard, as from a voice service: it waits here until the session has room, and then
    in the sender's own socket, since nothing more is read.
    """

    def __init__(self, socket: WebSocket, session: Session, reader: PcmReader, sessions: Sessions) -> None:
        self._socket, self._session, self._reader = socket, session, reader
        self._sessions, self._settings = sessions, sessions.settings
        self._segment: Segment | None = None
        self._own: set[str] = set()
        self._news: asyncio.Queue[Message | None] = asyncio.Queue()
        self._waiting: deque[Samples | None] = deque()  # None is the end of a segment
        self._bytes = 0
        self._changed = asyncio.Event()
        self._reading, self._pace = Reader(socket), CalmReading()

    async def run(self) -> None:
        self._session.listeners.add(self._listen)
        telling, passing = asyncio.create_task(self._tell()), asyncio.create_task(self._pass_on())
        seconds = self._settings.socket_timeout
        try:
            await self._socket.send_json({"type": "ready"})
            came = time.monotonic()
            while not self._session.closed:
                while self._bytes > AHEAD and not self._session.closed:
                    await asyncio.sleep(LOOK)
                message = await self._reading.next(min(PATIENCE, seconds))
                if message is None:
                    if self._busy:  # who has sent all that there is waits until it was heard
                        came = time.monotonic()
                    elif time.monotonic() - came >= seconds:
                        raise Refused(408, f"nothing came for {seconds:g} s. Send sound, or a ping.")
                    continue
                came = time.monotonic()
                if message.get("bytes") is not None:
                    await self._pace.read(self._sound, message["bytes"])
                elif message.get("text") is not None:
                    await self._pace.read(self._order, message["text"])
        except Refused:
            self._waiting.clear()
            raise
        finally:
            self._reading.close()
            self._waiting.append(None)  # what came is said to its end
            self._changed.set()
            while self._waiting and not self._session.closed and not passing.done():
                await asyncio.sleep(LOOK)  # until what waits has found room
            self._session.listeners.discard(self._listen)
            for task in (telling, passing):
                task.cancel()
            if self._segment is not None:
                self._segment.close()

    @property
    def _busy(self) -> bool:
        """Whether sound of this socket is still to be heard; one that was not ended may be waiting for more."""
        going_on = self._segment
        if going_on is None:
            return bool(self._waiting or self._own)
        return bool(self._waiting or self._own - {going_on.name} or going_on.seconds_waiting > 0)

    def _sound(self, data: bytes) -> None:
        if len(data) > LARGEST:
            raise Refused(413, f"a message of {len(data)} bytes is too large (at most {LARGEST}). Send smaller ones.")
        samples = self._reader.push(data)
        if len(samples):
            self._session.seen_at = time.monotonic()
            self._waiting.append(samples)
            self._bytes += samples.nbytes
            self._changed.set()

    async def _pass_on(self) -> None:
        """Give the session what waits, as it has room."""
        while not self._session.closed:
            if not self._waiting:
                self._changed.clear()
                await self._changed.wait()
                continue
            samples = self._waiting[0]
            if samples is not None and not self._room(samples):
                await asyncio.sleep(LOOK)
                continue
            self._waiting.popleft()
            if samples is None:
                self._end()
                continue
            self._bytes -= samples.nbytes
            try:
                await self._pace.read(self._push, samples)
            except Refused as refused:  # other utterances wait already
                self._waiting.appendleft(samples)
                self._bytes += samples.nbytes
                if refused.retry_after is None:
                    raise
                await asyncio.sleep(LOOK)

    def _room(self, samples: Samples) -> bool:
        """Whether the session has room for more sound."""
        if self._segment is not None and self._segment.seconds_waiting > self._settings.pcm_seconds:
            return False
        try:
            self._sessions.check_room(self._session, len(samples) / SAMPLE_RATE, FLOAT_BYTES * len(samples))
        except Refused:
            return False
        return True

    def _push(self, samples: Samples) -> None:
        if self._segment is None or self._segment.closed:
            self._segment = self._session.stream()
            self._own.add(self._segment.name)
        self._segment.push(samples)

    def _end(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _order(self, text: str) -> None:
        try:
            order = json.loads(text)
            kind = order.get("type")
        except (ValueError, AttributeError, RecursionError):
            raise Refused(400, "a text message is no JSON object. Send sound as binary messages.") from None
        if kind == "clear":
            self._waiting.clear()
            self._bytes = 0
            self._session.interrupt()
            self._segment = None
        elif kind == "end":
            self._waiting.append(None)
            self._changed.set()
        elif kind != "ping":
            raise Refused(400, f"message type {str(kind)[:30]!r} is unknown. Use clear, end or ping.")

    def _listen(self, message: Message) -> None:
        name = message.get("utterance")
        if message["type"] == "error" and name is None:
            self._news.put_nowait({"type": "error", "error": message["error"]})
            self._news.put_nowait(None)
        if name not in self._own:
            return
        if message["type"] == "state" and message["state"] == "speaking":
            self._news.put_nowait({"type": "started"})
        elif message["type"] == "done":
            self._own.discard(name)
            if message["interrupted"] and self._segment is not None and self._segment.name == name:  # not by `clear`
                self._segment = None
                while self._waiting and self._waiting.popleft() is not None:
                    pass
                self._bytes = sum(samples.nbytes for samples in self._waiting if samples is not None)
            finished = {"position": round(message["position"], 3), "interrupted": message["interrupted"]}
            self._news.put_nowait({"type": "finished", **finished})

    async def _tell(self) -> None:
        with contextlib.suppress(Exception):
            while (message := await self._news.get()) is not None:
                await self._socket.send_json(message)
            await self._socket.close(1001)
