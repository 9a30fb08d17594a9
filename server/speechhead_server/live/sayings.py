"""Texts of a session on their way to sound: in their order, sentence by sentence, not far ahead of what is heard."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable

import numpy as np

from speechhead.core.clocks import SAMPLE_RATE, SAMPLES_PER_FRAME
from speechhead.core.errors import SpeechheadError
from speechhead_server.core.problems import Refused
from speechhead_server.stage.events import Message
from speechhead_server.stage.stage import Stage
from speechhead_server.voice.speaker import Speaker

from .script import Script, Sentence, cues

log = logging.getLogger("speechhead.server")

SPEED = 14.0
"""Characters of a text that are said in a second."""

SOON = 1.0
"""Seconds of speech that wait below which the next sentence is made in small pieces, so that it comes in time."""

REST = 2 * SAMPLES_PER_FRAME
"""Samples of silence after a sentence: only whole blocks are heard, and a resampler holds back a little."""

MADE_AHEAD = 20.0
"""Seconds of speech that are made before they are said; the voice waits then, and memory stays small."""

Failed = Callable[[Message, BaseException], None]


class Sayings:
    """The scripts of one session. All methods are for the event loop.

    Parameters
    ----------
    failed : called with utterance and sentence of what could not be said, and why
    """

    def __init__(self, stage: Stage, speaker: Speaker, failed: Failed) -> None:
        self._stage, self._speaker, self._failed = stage, speaker, failed
        self._scripts: dict[str, Script] = {}  # those that are not over
        self._unsaid: deque[Script] = deque()
        self._more = asyncio.Event()
        self._making: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._run())

    def check_room(self, count: int, most: int) -> None:
        """Refuse so many characters where there is no room beside those that wait; `most` of both may."""
        minutes = f"about {most / SPEED / 60:.0f} minutes of speech"
        if count > most:
            remedy = "Split it, send it over WS /sessions/ID/text, or have SPEECHHEAD_TEXT_LIMIT raised"
            held = f"{most} may wait in a session, {minutes}"
            raise Refused(422, f"the text has {count} characters, and {held}. {remedy}.")
        waiting = sum(script.waiting for script in self._scripts.values())
        if waiting + count > most:
            raise Refused(429, f"{waiting} characters wait already, and {most} may, {minutes}. Interrupt, or wait.", 5)

    def begin(self, script: Script) -> None:
        """Say this in its turn."""
        self._scripts[script.name] = script
        self._unsaid.append(script)
        self._more.set()

    def tell(self, message: Message) -> None:
        """Let the script that a message is about know of it."""
        name = message.get("utterance") or ""
        script = self._scripts.pop(name, None) if message["type"] == "done" else self._scripts.get(name)
        if script is not None:
            script.tell(message)

    def interrupt(self) -> None:
        """Say none of what waits."""
        self._unsaid.clear()
        if self._making is not None:
            self._making.cancel()

    def close(self) -> None:
        """End with the session."""
        self._task.cancel()
        self.interrupt()

    async def _run(self) -> None:
        """Texts to sound, so that utterances come in their order."""
        while True:
            while not self._unsaid:
                self._more.clear()
                await self._more.wait()
            script = self._unsaid.popleft()
            if script.segment.cancelled:
                continue
            self._making = asyncio.create_task(self._perform(script))
            await asyncio.wait([self._making])
            self._making = None

    async def _perform(self, script: Script) -> None:
        """Say a script's sentences as they come."""
        segment, pause = script.segment, 0.0
        try:
            while (sentence := await script.following()) is not None and not segment.cancelled:
                await self._speak(script, sentence, pause)
                pause = sentence.pause
        finally:
            segment.failed |= not segment.pushed and not segment.cancelled
            segment.close()

    async def _speak(self, script: Script, sentence: Sentence, pause: float) -> None:
        segment, about = script.segment, {"utterance": script.name, "sentence": sentence.number}
        late = self._stage.waiting(segment)[0] < SOON
        pieces = self._speaker.speak(sentence.text, script.voice, *(() if late else (True,)))
        begun: list[tuple[float, Message]] = [(0.0, {"type": "sentence", **about, "state": "begun"})]
        try:
            async for piece in pieces:
                if begun and segment.seconds_waiting:
                    segment.push(np.zeros(max(0, round(pause * SAMPLE_RATE) - REST), np.float32))
                sentence.spoken += len(piece.words)
                segment.push(piece.samples, cues=[*begun, *cues(about, piece)])
                begun = []
                while self._stage.waiting(segment)[0] > MADE_AHEAD and not segment.cancelled:
                    await asyncio.sleep(0.1)
                if segment.cancelled:
                    break
            else:
                sentence.made = True
                if not begun and not script.complete:  # told with the last sample, which a silence moves on
                    ended = {"type": "sentence", **about, "state": "ended"}
                    segment.push(np.zeros(REST, np.float32), cues=[(-1 / SAMPLE_RATE, ended)])
        except Exception as error:
            segment.failed |= script.alone
            if not isinstance(error, SpeechheadError):
                log.exception("speech failed")
            self._failed(about, error)
        finally:
            with contextlib.suppress(RuntimeError):
                await pieces.aclose()  # type: ignore[attr-defined]
