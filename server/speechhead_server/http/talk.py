"""A conversation over a WebSocket: what the visitor writes, says and hears."""

from __future__ import annotations

import asyncio
import time

from fastapi import WebSocket, WebSocketDisconnect

from speechhead.core.clocks import SAMPLE_RATE
from speechhead_server.core.allowance import Allowance
from speechhead_server.core.problems import Refused
from speechhead_server.live.session import Session
from speechhead_server.live.sessions import Sessions
from speechhead_server.stage.events import Message
from speechhead_server.talk.conversation import Conversation
from speechhead_server.talk.partners import Partners

from .pcm import LARGEST, reader_of
from .sockets import CalmReading, Reader, Teller, open_socket, order_of

ORDERS = {"text": str, "listen": bool, "hold": bool, "clear": bool, "forget": bool, "ping": bool}

LONGEST = 4000
"""Characters that a visitor writes at once."""

FASTER, EARLY = 2.0, 10.0
"""Seconds of sound per second, and at once, that are heard."""

WRITTEN, WRITTEN_AT_ONCE = 0.5, 6
"""Messages per second, and at once, that are answered: each of them is a request to whoever answers."""

LOOK = 1.0
"""Seconds from one look whether the session has ended to the next."""


class Conversations:
    """Those of one server, one for each session that somebody talks with."""

    def __init__(self, sessions: Sessions, partners: Partners | None) -> None:
        self._sessions, self._partners = sessions, partners
        self._running: dict[str, Conversation] = {}

    @property
    def config(self) -> dict[str, bool] | None:
        """What a page needs to know; None where no conversation was asked for."""
        return None if self._partners is None else {"listens": self._partners.listens}

    def enter(self, session: Session) -> Conversation:
        """The session's conversation: as long as the session lasts, its microphone as long as somebody is there."""
        if self._partners is None:
            raise Refused(409, "this server holds no conversations. Start it with --llm URL, or --llm echo.")
        for name in [name for name, running in self._running.items() if running.session.closed]:
            del self._running[name]
        if session.name not in self._running:
            self._running[session.name] = Conversation(session, self._sessions, self._partners)
        return self._running[session.name]

    def start(self) -> None:
        """Open what takes a while."""
        if self._partners is not None:
            self._partners.start()

    async def close(self) -> None:
        """End all."""
        for conversation in self._running.values():
            conversation.close()
        if self._partners is not None:
            await self._partners.close()


async def serve_talk(socket: WebSocket, sessions: Sessions, conversations: Conversations, name: str) -> None:
    """Serve one socket until it ends; a session's own end ends it too."""
    async with open_socket(socket, sessions, name, "talk") as session:
        sessions.refuse_if_closing()
        await _TalkStream(socket, conversations.enter(session), sessions.settings.socket_timeout).run()


class _TalkStream:
    """One socket of a conversation."""

    def __init__(self, socket: WebSocket, conversation: Conversation, timeout: float) -> None:
        self._talk, self._timeout = conversation, timeout
        self._session = conversation.session
        self._pcm = reader_of(socket)
        self._reader, self._teller, self._pace = Reader(socket), Teller(socket), CalmReading()
        self._seconds = Allowance(FASTER, EARLY)
        self._written = Allowance(WRITTEN, WRITTEN_AT_ONCE)

    async def run(self) -> None:
        self._talk.listeners.add(self._teller.tell)
        self._session.listeners.add(self._listen)
        try:
            about = {"listens": self._talk.partners.listens, "detector": self._talk.ears.detector.name}
            self._teller.tell({"type": "ready", **about})
            came = time.monotonic()
            while not self._session.closed:
                self._teller.check()
                message = await self._reader.next(LOOK)
                if message is not None:
                    came = time.monotonic()
                    await self._take(message)
                elif time.monotonic() - came > self._timeout:
                    raise Refused(408, f"nothing came for {self._timeout:g} s. Send a ping.")
        except WebSocketDisconnect:
            self._teller.drop()
            raise
        finally:
            self._reader.close()
            self._session.listeners.discard(self._listen)
            self._talk.listeners.discard(self._teller.tell)
            if not self._talk.listeners:  # nobody is there any more
                self._talk.stop()
                self._talk.ears.close()
                self._session.ears = None
            await self._teller.close()

    async def _hear(self, data: bytes) -> None:
        """Sound of the visitor; what comes faster than anybody speaks waits in the sender's socket."""
        if len(data) > LARGEST:
            raise Refused(413, f"a message of {len(data)} bytes is too large (at most {LARGEST}). Send smaller ones.")
        samples = await self._pace.read(self._pcm.push, data)
        for begin in range(0, len(samples), SAMPLE_RATE):
            second = samples[begin : begin + SAMPLE_RATE]
            await self._pace.read(self._talk.hear, second)
            await asyncio.sleep(self._seconds.spend(len(second) / SAMPLE_RATE))

    async def _take(self, message: Message) -> None:
        if message.get("text") is None:
            await self._hear(message["bytes"])
            return
        order = await self._pace.read(order_of, message["text"], ORDERS)
        text = order.get("text", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
        if len(text) > LONGEST:
            raise Refused(413, f"the text has {len(text)} characters, at most {LONGEST} are taken at once. Split it.")
        try:
            if order.get("forget"):
                self._talk.forget()
            if order.get("clear"):
                self._talk.stop()
            if "listen" in order:
                self._talk.listen(order["listen"])
            if "hold" in order:
                self._talk.hold(order["hold"])
        except Refused as refused:  # it is not possible here, and harms nothing
            self._teller.tell({"type": "error", "error": str(refused)})
        if text and not self._written.take():
            error = "messages come faster than they can be answered. Wait for an answer."
            self._teller.tell({"type": "error", "error": error})
        elif text:
            self._session.seen_at = time.monotonic()  # a socket that only pings holds no session
            self._talk.write(text)

    def _listen(self, message: Message) -> None:
        if message["type"] == "error" and message.get("utterance") is None:
            self._teller.tell_end(message["error"])
        elif message["type"] in ("caption", "word"):
            self._teller.tell(message)
