"""Text over a WebSocket as it is written, such as a language model's tokens: spoken sentence by sentence."""

from __future__ import annotations

import asyncio
import contextlib
import time

from fastapi import WebSocket, WebSocketDisconnect

from speechhead.core.controls import parse_emotion
from speechhead.tts.sentences import SentenceCutter, portions
from speechhead.tts.text import Piece
from speechhead_server.core.problems import Refused
from speechhead_server.live.script import Script
from speechhead_server.live.session import Session
from speechhead_server.live.sessions import Sessions
from speechhead_server.stage.events import Message

from .sockets import CalmReading, Reader, Teller, open_socket, order_of

ORDERS = {"text": str, "end": bool, "clear": bool, "ping": bool}

LULL = 0.5
"""Seconds without text after which a sentence with its full stop is whole."""

SILENT = 4.0
"""Seconds after which an utterance of which all was said ends by itself, so that others get their turn."""

LOOK = 0.05
"""Seconds from one look for room to the next."""

CLEARED = 2.0
"""Seconds in which what was interrupted has told how far it was heard."""


async def serve_text(socket: WebSocket, sessions: Sessions, name: str) -> None:
    """Serve one socket until it ends; a session's own end ends it too."""
    async with open_socket(socket, sessions, name, "text") as session:
        sessions.refuse_if_closing()
        voice, emotion = socket.query_params.get("voice"), socket.query_params.get("emotion")
        checked = sessions.check_voice(voice) if voice else session.voice
        mood = parse_emotion(emotion) if emotion else None
        await _TextStream(socket, session, sessions, checked, mood).run()


class _TextStream:
    """One socket: what comes until `end` is one utterance."""

    def __init__(
        self, socket: WebSocket, session: Session, sessions: Sessions, voice: str, emotion: dict[str, float] | None
    ) -> None:
        self._session, self._sessions = session, sessions
        self._voice, self._emotion = voice, emotion
        self._cutter = SentenceCutter()
        self._script: Script | None = None
        self._left_out = False  # what comes belongs to what was interrupted
        self._reader, self._teller, self._pace = Reader(socket), Teller(socket), CalmReading()

    async def run(self) -> None:
        limit = self._sessions.settings.socket_timeout
        self._session.listeners.add(self._listen)
        try:
            self._teller.tell({"type": "ready"})
            came = time.monotonic()
            while not self._session.closed:
                self._teller.check()
                message = await self._reader.next(LULL)
                if message is not None:
                    came = time.monotonic()
                    await self._take(message)
                    continue
                quiet = time.monotonic() - came
                await self._add(self._cutter.settle())
                if quiet > SILENT and self._script is not None and self._said(self._script):
                    self._end()
                if self._session.state != "idle":  # who has written all that there is waits until it was heard
                    came = max(came, time.monotonic() - SILENT)
                elif quiet > limit:
                    raise Refused(408, f"nothing came for {limit:g} s. Send text, or a ping.")
        except WebSocketDisconnect:
            self._teller.drop()
            raise
        finally:
            self._reader.close()
            self._session.listeners.discard(self._listen)
            with contextlib.suppress(Refused):
                if not self._session.closed and not self._left_out:  # what came is said to its end
                    await self._add(self._cutter.end())
            self._end()
            await self._teller.close()

    async def _take(self, message: Message) -> None:
        if message.get("text") is None:
            raise Refused(400, "a binary message is no text. Send JSON; sound goes to WS /sessions/ID/pcm.")
        order = await self._pace.read(order_of, message["text"], ORDERS)
        if order.get("clear"):
            await self._clear()
        if order.get("text"):
            self._session.seen_at = time.monotonic()  # a socket that only pings holds no session
        if order.get("text") and not self._left_out:
            for portion in portions(order["text"]):
                await self._add(await self._pace.read(self._cutter.push, portion))
                self._teller.check()
                await asyncio.sleep(0)  # others get their turn
        if order.get("end"):
            if not self._left_out:
                await self._add(self._cutter.end())
            self._left_out = False
            self._end()

    async def _add(self, pieces: list[Piece]) -> None:
        """Queue sentences, each when there is room for it: until then nothing more is read."""
        for piece in pieces:
            text = piece.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # pairs split in two texts
            try:
                said, note = await self._pace.read(self._sessions.read, text, self._voice)
            except Refused as refused:  # one sentence that can not be said stops no other
                self._teller.tell({"type": "note", "note": str(refused)})
                continue
            if note:
                self._teller.tell({"type": "note", "note": note})
            for part in said:
                await self._place(Piece(part.text, piece.pause))

    async def _place(self, piece: Piece) -> None:
        while not self._left_out and not self._session.closed:
            try:
                self._session.check_text(len(piece.text))
                script = self._script or self._begin()
                sentence = script.add(piece)
            except Refused as refused:
                if refused.retry_after is None:
                    raise
                await asyncio.sleep(LOOK)
                continue
            told = {"utterance": script.name, "sentence": sentence.number, "text": piece.text}
            self._teller.tell({"type": "accepted", **told})
            return

    def _begin(self) -> Script:
        self._script = script = self._session.script(self._voice, self._emotion)
        script.listeners.append(lambda message: self._pass_on(script, message))
        return script

    def _end(self) -> None:
        if self._script is not None:
            self._script.end()
            self._script = None

    @staticmethod
    def _said(script: Script) -> bool:
        return not script.waiting and all(sentence.over for sentence in script.sentences)

    async def _clear(self) -> None:
        """Forget what was not heard; tell how much was."""
        self._cutter = SentenceCutter()
        script, self._script = self._script, None
        self._session.interrupt()
        self._left_out = False
        if script is not None and script.sentences:
            script.end()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(script.said(), CLEARED)
        told = {"characters": script.heard_characters if script else 0, "text": script.heard if script else ""}
        self._teller.tell({"type": "cleared", **told})

    def _pass_on(self, script: Script, message: Message) -> None:
        """What becomes of an utterance of this socket."""
        if message["type"] in ("sentence", "caption", "word", "error"):
            self._teller.tell(message)
        elif message["type"] == "done":
            heard = {"characters": script.heard_characters, "of": sum(len(s.text) for s in script.sentences)}
            told = {"position": round(message["position"], 3), "interrupted": message["interrupted"]}
            self._teller.tell({"type": "finished", "utterance": script.name, **told, **heard})
            if script is self._script:  # by somebody else: the rest of this text is left out
                self._script, self._left_out = None, True
                self._cutter = SentenceCutter()

    def _listen(self, message: Message) -> None:
        if message["type"] == "error" and message.get("utterance") is None:
            self._teller.tell_end(message["error"])
