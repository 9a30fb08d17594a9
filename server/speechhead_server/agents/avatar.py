"""An avatar for a voice agent: its speech goes in as PCM, synchronised pictures and sound come out, live."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.audio.io import Samples
from speechhead.avatar.portrait import Avatar
from speechhead.avatar.square import on_stage
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError, ServerError
from speechhead.generators.open import open_generator
from speechhead.render.stream import Renderer
from speechhead_server.stage.clock import FRAME, PACKET, RATE, Clock
from speechhead_server.stage.drawing import Drawing, Planar
from speechhead_server.stage.stage import Stage

from .speech import Utterance

LEAD = 3
"""Packets (60 ms) that sound is given out before its pictures: players that are fed at the pace of time stutter with an
empty buffer, and this is what they hold."""

MADE_AHEAD = 20.0
"""Seconds of speech that wait at most; `hear` waits then, and memory stays small."""

BEHIND = 5
"""Packets (100 ms) behind the clock after which what its reader did not fetch is left out."""

PATIENCE = 0.02
"""Seconds between two looks, where somebody waits for the avatar."""

RATES = (8_000, 192_000)


@dataclass(frozen=True)
class Finished:
    """An utterance has ended.

    position: seconds of it that were heard. interrupted: it was cut off, by `interrupt` unless it has failed.
    """

    utterance: str
    position: float
    interrupted: bool
    failed: bool = False


@dataclass(frozen=True)
class Moment:
    """20 ms of the avatar.

    seconds: on the media clock. picture: planar 4:2:0 uint8 [3 S / 2, S], every second moment, None where it is not
    ready. sound: float32 [n] at 48 kHz of the utterance `said`, mostly 960 samples, None in silence; it belongs to the
    picture of 60 ms later and is to be played from a buffer. started: it is the utterance's first. finished: what has
    ended, once it was heard.
    """

    seconds: float
    picture: Planar | None = None
    sound: Samples | None = None
    said: str | None = None
    started: bool = False
    finished: list[Finished] = field(default_factory=list)


class LiveAvatar:
    """A portrait that is alive and says what it hears; made and used within one event loop.

    Sound goes in with `hear` and `end` in any portions and faster than it is said; `moments` is read by whoever sends
    it on, and is the pace of everything: what is said before somebody reads waits for the reader. `interrupt` forgets
    all that was not heard; the mouth is at rest within 200 ms.

    Parameters
    ----------
    renderer : of a portrait that is prepared for the stage, see `open`
    workers : frames drawn at a time; the cores if None
    """

    def __init__(self, renderer: Renderer, workers: int | None = None) -> None:
        self.size = renderer.avatar.size
        self.generation = 0  # counts interrupts: what belongs to an older one is dropped wherever it is
        self.on_started: Callable[[str], None] | None = None
        self.on_finished: Callable[[Finished], None] | None = None
        self._drawing = Drawing(workers)
        self._happened: deque[tuple[int, dict[str, Any]]] = deque()
        self._stage = Stage(renderer, self._drawing, Clock(), lambda at, event: self._happened.append((at, event)))
        self._open: Utterance | None = None  # still being heard
        self._waiting: deque[Utterance] = deque()  # for a reader of `moments`
        self._said: deque[Utterance] = deque()  # given to the stage
        self._started: set[str] = set()
        self._read = False
        self._closed = False

    @classmethod
    def open(
        cls,
        portrait: str | Path | None = None,
        size: int = 512,
        controls: Controls | None = None,
        generator: str = "compact",
        engine: str = "auto",
        device: str = "auto",
    ) -> LiveAvatar:
        """An avatar from a shipped name, a saved `.avatar` or a picture, at `size` pixels; takes a second or two.

        `generator`, `engine` and `device` are those of `open_generator`.

        Raises
        ------
        ImageError, FaceError for a picture that is no portrait; WeightsError if weights are missing; DeviceError where
        the generator can not run.
        """
        saved = portrait is not None and Avatar.is_saved(portrait)
        staged = on_stage(Avatar.open(portrait, None if saved else size), size)
        return cls(Renderer(staged, controls, open_generator(generator, size, engine, device)))

    # What the agent calls.

    async def hear(self, samples: Samples, rate: int) -> None:
        """Say float32 [n] at `rate` Hz after what is being said; waits while more than 20 s of speech are ahead.

        Raises
        ------
        AudioError for a rate that is no rate of speech; ServerError after `close`.
        """
        if not RATES[0] <= rate <= RATES[1]:
            raise AudioError(f"sample rate {rate} Hz is not usable. Give {RATES[0]} to {RATES[1]}.")
        generation = self.generation
        while self.seconds_waiting > MADE_AHEAD and not self._closed:
            await asyncio.sleep(PATIENCE)
        if self._closed:
            raise ServerError("the avatar is closed. Open another one.")
        if generation != self.generation:
            return
        if self._open is None or self._open.closed:  # closed by the stage where it has failed
            self._open = Utterance()
            self._waiting.append(self._open)
        clean = np.clip(np.nan_to_num(np.asarray(samples, np.float32).reshape(-1), nan=0, posinf=0, neginf=0), -1, 1)
        self._open.hear(clean.astype(np.float32), rate)

    def end(self) -> str | None:
        """The utterance is complete; returns its id, None if there is none."""
        ended, self._open = self._open, None
        if ended is None:
            return None
        ended.end()
        return ended.name

    def interrupt(self) -> bool:
        """Stop all that is said and waits, at once; whether there was anything."""
        self.generation += 1
        self._open = None
        waiting = list(self._waiting)
        self._waiting.clear()
        for utterance in waiting:
            utterance.cancel()
            self._happened.append((0, _done(utterance.name)))
        stopped = self._stage.interrupt()
        self._said.clear()
        return stopped or bool(waiting)

    def control(self, controls: Controls) -> None:
        """Change emotion, gaze, head pose and the like from the next frame on."""
        self._stage.control(controls)

    @property
    def seconds_waiting(self) -> float:
        """Speech that was heard and is not said yet."""
        return sum(utterance.seconds_waiting for utterance in (*self._waiting, *self._said))

    @property
    def busy(self) -> bool:
        """Whether anything is being said or waits."""
        return bool(self._waiting or self._said or self._happened)

    @property
    def watched(self) -> bool:
        """Whether somebody reads `moments`."""
        return self._read

    @property
    def interrupt_ms(self) -> float | None:
        """From the last interrupt to the mouth at rest."""
        return self._stage.interrupt_ms

    async def said(self) -> None:
        """Wait until everything that has ended was said; needs a reader of `moments`."""
        while self.busy and not self._closed:
            await asyncio.sleep(PATIENCE)

    # What is sent on.

    async def moments(self) -> AsyncIterator[Moment]:
        """The avatar in steps of 20 ms, each when it is due; for one reader at a time.

        Raises
        ------
        ServerError if it is being read already.
        """
        if self._read:
            raise ServerError("this avatar is being read already. Open one for each reader.")
        clock, pictures = self._stage.clock, self._stage.pictures
        self._read = True
        pictures.watched += 1
        packet, shown, seen = clock.samples // PACKET, -1, -1
        try:
            yield Moment(clock.seconds, pictures.last)  # somebody who comes sees something at once
            while not self._closed:
                packet += 1
                if clock.samples // PACKET - packet > BEHIND:
                    packet = clock.samples // PACKET + 1
                    for utterance in self._said:
                        utterance.release(packet + LEAD - 1)
                while self._waiting:
                    self._said.append(self._waiting.popleft())
                    self._stage.enqueue(self._said[-1])
                await clock.wait(packet * PACKET)
                frame = packet // (FRAME // PACKET)
                picture = pictures.get(frame) if frame != shown else None  # looked for twice in its time
                if picture is not None:
                    shown = seen = frame
                elif frame != shown and packet % (FRAME // PACKET):
                    if (belated := pictures.belated(frame, seen)) is not None:
                        seen, picture = belated
                    else:
                        pictures.late += 1
                yield self._moment(packet, picture)
        finally:
            pictures.watched -= 1
            self._read = False

    def _moment(self, packet: int, picture: Planar | None) -> Moment:
        sound, said = None, None
        for utterance in self._said:
            samples = utterance.release(packet + LEAD)
            if len(samples):
                sound, said = samples, utterance.name
                break
        started = said is not None and said not in self._started
        if said is not None and started:
            self._started.add(said)
            if self.on_started is not None:
                self.on_started(said)
        return Moment(packet * PACKET / RATE, picture, sound, said, started, self._ended(packet * PACKET))

    def _ended(self, now: int) -> list[Finished]:
        """What has ended by sample `now`, and was heard."""
        ended, later = [], []
        while self._happened:
            at, event = self._happened.popleft()
            if at > now:
                later.append((at, event))
            elif event["type"] == "done":
                ended.append(self._finish(event["utterance"], event["position"], event["interrupted"]))
        self._happened.extendleft(reversed(later))
        return ended

    def _finish(self, name: str, position: float, cut: bool) -> Finished:
        mine = next((utterance for utterance in self._said if utterance.name == name), None)  # None if interrupted
        if mine is not None:
            self._said.remove(mine)
            position = position if cut else mine.released / RATE
        self._started.discard(name)
        finished = Finished(name, position, cut, failed=cut and mine is not None)
        if self.on_finished is not None:
            self.on_finished(finished)
        return finished

    async def close(self) -> None:
        """End it and free everything; `moments` ends too."""
        if self._closed:
            return
        self._closed = True
        self.interrupt()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._stage.stop)
        with contextlib.suppress(RuntimeError):
            await loop.run_in_executor(None, self._drawing.close)


def to_rgb(picture: Planar) -> NDArray[np.uint8]:
    """Planar 4:2:0 [3 S / 2, S] to RGB [S, S, 3]."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_I420), np.uint8)


def _done(name: str) -> dict[str, Any]:
    return {"type": "done", "utterance": name, "interrupted": True, "position": 0.0}
