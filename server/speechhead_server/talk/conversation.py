"""A conversation of a visitor with the avatar of one session: turns, answers, and who may interrupt whom."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np

from speechhead.audio.io import Samples
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import ServerError
from speechhead.tts.markup import known_only, stretches
from speechhead.tts.sentences import SentenceCutter, portions
from speechhead.tts.text import Piece
from speechhead_server.core.problems import Refused
from speechhead_server.live.script import Script
from speechhead_server.live.session import Session
from speechhead_server.live.sessions import Sessions
from speechhead_server.stage.events import Message

from .ears import Ears, Heard
from .echo import EchoGuard, own_words
from .partners import Partners
from .wire import ServiceError

log = logging.getLogger("speechhead.server")

LOOK = 0.1
"""Seconds from one look for room to the next."""


class Conversation:
    """Turns of one visitor, or of several who look at one avatar. All methods are for the event loop."""

    def __init__(self, session: Session, sessions: Sessions, partners: Partners) -> None:
        self.session, self._sessions, self.partners = session, sessions, partners
        self.listeners: set[Callable[[Message], None]] = set()
        self._history = partners.history()
        self._guard = EchoGuard(session.stage)
        self.ears = Ears(partners.detector(), self._guard.own)
        self.state = "idle"
        self._turn: asyncio.Task[None] | None = None
        self._script: Script | None = None
        self._sound: Samples | None = None  # of a turn that was not written down yet
        self._ended_at = self._written_at = 0.0
        self._over_us = False  # the visitor began while the avatar spoke
        self._last = ""  # what the avatar said last
        session.listeners.add(self._shown)

    # What the visitor does.

    def hear(self, samples: Samples) -> None:
        """Sound of the visitor's microphone, float32 [n] at 16 kHz."""
        self.session.seen_at = time.monotonic()
        self._heard(self.ears.push(samples))

    def listen(self, on: bool) -> None:
        """Open the microphone for turns that begin and end by themselves, or close it."""
        self._check_ears()
        if on:
            self.ears.open = True
        else:
            self.ears.close()
        self._take_microphone()
        self._tell_state()

    def hold(self, on: bool) -> None:
        """A key is pressed while the visitor speaks."""
        self._check_ears()
        self._take_microphone()
        self._heard(self.ears.hold() if on else self.ears.release())

    def write(self, text: str) -> None:
        """The visitor writes instead of speaking."""
        self._ended_at = self._written_at = time.monotonic()
        self._interrupt()
        self._begin(self._answer(text))

    def stop(self) -> None:
        """Stop what the avatar does."""
        self._interrupt()
        self._set("idle")

    def forget(self) -> None:
        """Begin anew."""
        self.stop()
        self._history.forget()
        self._tell({"type": "forgotten"})

    def _check_ears(self) -> None:
        if not self.partners.listens:
            raise Refused(409, "this server writes down no speech. Write, or start it with --asr.")

    def _take_microphone(self) -> None:
        """The session's microphone comes here from now on, and no more drives the face; until nobody is here."""
        self.session.ears = self.hear

    # Turns.

    def _heard(self, events: list[Heard]) -> None:
        for event in events:
            if event.samples is None:
                self._over_us = self._script is not None and self.session.state == "speaking"
                self._interrupt(keep=True)
                self._set("hearing")
            elif len(event.samples) or self._sound is not None:
                self._ended_at = time.monotonic() - event.silence
                before = self._sound if self._sound is not None else np.zeros(0, np.float32)
                self._sound = np.concatenate([before, event.samples])[-30 * SAMPLE_RATE :]
                self._begin(self._listen(self._sound))
            else:
                self._set("idle")

    def _begin(self, turn: Coroutine[Any, Any, None]) -> None:
        self._turn = asyncio.create_task(self._guarded(turn))

    def _interrupt(self, keep: bool = False) -> None:
        """End the turn that runs, and what the avatar says of it.

        Parameters
        ----------
        keep : sound that is being written down belongs to what comes
        """
        if not keep:
            self._sound = None
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self._script is not None:
            self.session.interrupt()
            self._finish(self._script)

    async def _guarded(self, turn: Coroutine[Any, Any, None]) -> None:
        """A turn that fails is told in one line, and harms nothing else."""
        try:
            await turn
        except ServiceError as error:
            self._fail(error)
        except ServerError as error:
            self._tell({"type": "error", "error": str(error)})
        except Exception:
            log.exception("session %s: conversation failed", self.session.name)
            self._tell({"type": "error", "error": "the server failed at this; its log says why."})
        finally:
            if self._turn is asyncio.current_task():
                self._turn = self._sound = None
                if self._script is not None:
                    self._finish(self._script)
                self._set("idle")

    def _fail(self, error: ServiceError) -> None:
        log.warning("session %s: conversation: %s", self.session.name, error.kind)
        self._tell({"type": "error", "error": str(error)})

    async def _listen(self, sound: Samples) -> None:
        """Write down what was said, and answer it."""
        self._set("writing")
        assert self.partners.transcriber is not None
        text = await self.partners.transcriber.transcribe(sound)
        self._written_at = time.monotonic()
        self._sound = None
        if self._over_us and own_words(text, self._last):
            self._guard.learn()
            return
        if any(map(str.isalnum, text)):
            await self._answer(text)

    async def _answer(self, text: str) -> None:
        """Say what the partner answers, sentence by sentence while it comes."""
        self._tell({"type": "user", "text": text})
        self._history.add("user", text)
        self._set("thinking")
        self._script = script = self.session.script(None)
        cutter, size = SentenceCutter(), 0
        answer = self.partners.chat.answer(self._history.messages)
        try:
            async with contextlib.aclosing(answer):
                async for came in answer:
                    for portion in portions(came[: max(0, self.partners.characters - size)]):
                        await self._add(script, cutter.push(portion))
                        await asyncio.sleep(0)  # others get their turn
                    size += len(came)
                    if size > self.partners.characters:
                        break
            await self._add(script, cutter.end())
        except ServiceError as error:  # what came before is said
            self._fail(error)
        finally:
            script.end()
        await self._said(script)

    async def _said(self, script: Script) -> None:
        if script.sentences:
            await script.said()

    async def _add(self, script: Script, pieces: list[Piece]) -> None:
        """Queue sentences, each when there is room for it; what can not be said is left out."""
        for piece in pieces:
            try:
                said, _ = self._sessions.read(known_only(piece.text), script.voice)
            except Refused:
                continue
            for part in said:
                while True:
                    try:
                        self.session.check_text(len(part.text))
                        sentence = script.add(Piece(part.text, piece.pause))
                        break
                    except Refused as refused:
                        if refused.retry_after is None:
                            raise
                        await asyncio.sleep(LOOK)
                self._tell({"type": "answer", "sentence": sentence.number, "text": shown(part.text)})

    def _finish(self, script: Script) -> None:
        """Remember what was heard of an answer."""
        if self._script is not script:
            return
        self._script = None
        script.end()
        cut = script.done is None or script.done["interrupted"]
        heard = script.heard
        self._last = f"{self._last} {shown(heard)}"[-2000:]
        whole = heard == " ".join(sentence.text for sentence in script.sentences)
        self._history.add("assistant", heard if whole or not heard else f"{heard} ...")
        if script.sentences:
            self._tell({"type": "heard", "text": shown(heard), "interrupted": bool(cut and not whole)})

    # What is told.

    def _shown(self, message: Message) -> None:
        """Something of the session is shown now."""
        script = self._script
        if script is None or message.get("state") != "speaking" or message["utterance"] != script.name:
            return
        now = time.monotonic()
        figures = {"first_frame_ms": now - self._ended_at, "answer_ms": now - self._written_at}
        self._tell({"type": "timing", **{name: round(1e3 * value) for name, value in figures.items()}})
        self._set("speaking")

    def _set(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._tell_state()

    def _tell_state(self) -> None:
        self._tell({"type": "state", "state": self.state, "listening": self.ears.open})

    def _tell(self, message: Message) -> None:
        for listener in list(self.listeners):
            listener(message)

    def close(self) -> None:
        """End it, and what the avatar says of it."""
        self._interrupt()
        self.ears.close()
        self.session.ears = None
        self.session.listeners.discard(self._shown)


def shown(text: str) -> str:
    """A text as it is read: without the tags that a voice follows."""
    return " ".join(" ".join(stretch.text for stretch in stretches(text)).split())
