"""Live PCM over a WebSocket, such as a voice agent's speech, into a session."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging

from fastapi import WebSocket, WebSocketDisconnect

from speechhead.core.clocks import SAMPLE_RATE
from speechhead_server.core.problems import Refused, one_line
from speechhead_server.live.session import Session
from speechhead_server.live.sessions import Sessions
from speechhead_server.rtc.microphone import PcmReader
from speechhead_server.stage.clock import RATE
from speechhead_server.stage.events import Message
from speechhead_server.stage.segment import Segment

log = logging.getLogger("speechhead.server")

LARGEST = 1024 * 1024
"""Bytes of one message at most: 16 s of float32 at 16 kHz."""

FLOAT_BYTES = 4 * (SAMPLE_RATE + RATE) // SAMPLE_RATE
"""Bytes that a sample takes while it waits: float32 at 16 kHz and at 48 kHz."""

SOCKETS = 8
"""Of one session at a time."""


async def serve_pcm(socket: WebSocket, sessions: Sessions, name: str) -> None:
    """Serve one socket until it ends; a session's own end ends it too."""
    await socket.accept()
    try:
        session = sessions.get(name)
        if len(session.listeners) >= SOCKETS:
            raise Refused(429, f"session {name} has {SOCKETS} sockets already. Close one.")
        rate = socket.query_params.get("rate", "16000")
        if not rate.isascii() or not rate.isdigit() or len(rate) > 6:
            raise Refused(422, f"PCM rate {rate[:20]!r} is not a number. Give it in Hz.")
        reader = PcmReader(socket.query_params.get("format", "s16le"), int(rate))
        await _Stream(socket, session, reader, sessions).run()
    except Refused as refused:
        await _refuse(socket, refused)
    except WebSocketDisconnect:
        return
    except Exception as error:
        log.exception("pcm: socket failed")
        await _refuse(socket, error, 1011)


async def _refuse(socket: WebSocket, error: Exception, code: int = 1008) -> None:
    text = one_line(error) if code == 1008 else "the server failed at this; its log says why."
    if isinstance(error, Refused) and error.status == 413:
        code = 1009
    with contextlib.suppress(Exception):
        await socket.send_json({"type": "error", "error": text})
        await socket.close(code)


class _Stream:
    """One socket: each stretch of sound becomes an utterance."""

    def __init__(self, socket: WebSocket, session: Session, reader: PcmReader, sessions: Sessions) -> None:
        self._socket, self._session, self._reader = socket, session, reader
        self._sessions, self._settings = sessions, sessions.settings
        self._segment: Segment | None = None
        self._own: set[str] = set()
        self._news: asyncio.Queue[Message | None] = asyncio.Queue()

    async def run(self) -> None:
        self._session.listeners.add(self._listen)
        teller = asyncio.create_task(self._tell())
        try:
            await self._socket.send_json({"type": "ready"})
            while True:
                try:
                    message = await asyncio.wait_for(self._socket.receive(), self._settings.socket_timeout)
                except asyncio.TimeoutError:
                    seconds = self._settings.socket_timeout
                    raise Refused(408, f"nothing came for {seconds:g} s. Send sound, or a ping.") from None
                if message["type"] == "websocket.disconnect" or self._session.closed:
                    return
                if message.get("bytes") is not None:
                    self._sound(message["bytes"])
                elif message.get("text") is not None:
                    self._order(message["text"])
        finally:
            self._session.listeners.discard(self._listen)
            teller.cancel()
            if self._segment is not None:
                self._segment.close()  # what came is said to its end

    def _sound(self, data: bytes) -> None:
        if len(data) > LARGEST:
            raise Refused(413, f"a message of {len(data)} bytes is too large (at most {LARGEST}). Send smaller ones.")
        samples = self._reader.push(data)
        if not len(samples):
            return
        if self._segment is None or self._segment.closed:
            self._segment = self._session.stream()
            self._own.add(self._segment.name)
        if self._segment.seconds_waiting > self._settings.pcm_seconds:
            raise Refused(429, f"more than {self._settings.pcm_seconds:g} s of sound wait. Send it as it is heard.")
        self._sessions.check_room(self._session, len(samples) / SAMPLE_RATE, FLOAT_BYTES * len(samples))
        self._segment.push(samples)

    def _order(self, text: str) -> None:
        try:
            order = json.loads(text)
            kind = order.get("type")
        except (ValueError, AttributeError):
            raise Refused(400, "a text message is no JSON object. Send sound as binary messages.") from None
        if kind == "clear":
            self._session.interrupt()
            self._segment = None
        elif kind == "end" and self._segment is not None:
            self._segment.close()
            self._segment = None
        elif kind not in ("ping", "end"):
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
            finished = {"position": round(message["position"], 3), "interrupted": message["interrupted"]}
            self._news.put_nowait({"type": "finished", **finished})

    async def _tell(self) -> None:
        with contextlib.suppress(Exception):
            while (message := await self._news.get()) is not None:
                await self._socket.send_json(message)
            await self._socket.close(1001)
