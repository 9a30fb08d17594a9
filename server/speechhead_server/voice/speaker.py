"""Text to sound in a process of its own, which is started anew when it dies, and goes on where it was."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from speechhead.audio.io import Samples
from speechhead.core.errors import ServerError
from speechhead_server.core.children import child_command
from speechhead_server.core.problems import VoiceError

from .own_time import OwnTime

log = logging.getLogger("speechhead.server")

PATIENCE = 30.0
"""Seconds of its own in which a voice makes at least one piece; else it is taken for hung and is killed.

Time in which the machine gave it no core does not count, see `own_time`: killing a late voice makes it later."""

CHECK = 1.0
"""Seconds from one look at the process to the next."""

STABLE = 3.0
"""Seconds that a process must have lived to be started anew without being asked for."""

DEATHS = 2
"""Ends of the process during an utterance's turn after which it is not tried again: it may be what ends it."""

ENDED = "the voice process ended in the middle of speech. Say it again, or use another voice."


@dataclass(frozen=True)
class Spoken:
    """A piece of speech: float32 [n] at 16 kHz, its text, (word, start, end) in seconds of it, and what it asks for.

    emotion: intensities by name; None where the text names none.
    """

    samples: Samples
    text: str
    words: list[tuple[str, float, float]]
    emotion: dict[str, float] | None = None


@dataclass
class SpeakingJob:
    """A text on its way to sound.

    whole: it is given in sentences; after: number of the last piece that came, -1 for none; deaths: of the process
    during its turns.
    """

    name: str
    text: str
    voice: str
    life: Life
    whole: bool = False
    pieces: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    after: int = -1
    deaths: int = 0


@dataclass
class Life:
    """One run of the process, from its start to its end.

    turns: what it works at, with the seconds of its own that it spent since its last piece; idle: the same seconds
    while jobs wait and it works at none; hung: turns that took too long; killed: whether it was for giving nothing.
    """

    process: asyncio.subprocess.Process
    began: float
    turns: dict[str, float] = field(default_factory=dict)
    idle: float = 0.0
    hung: set[str] = field(default_factory=set)
    killed: bool = False


class Speaker:
    """Speaks texts, several at a time.

    A process that hangs or crashes takes no utterance with it but the one that is to blame: the others go on in a new
    one, after the last piece that came.

    Parameters
    ----------
    command : of the process, see `voice_process`
    warm : voices to open at start, so that the first text is not slower than the others
    """

    def __init__(self, command: list[str] | None = None, warm: tuple[str, ...] = ()) -> None:
        self._command = command or child_command("speechhead_server.voice.voice_process")
        self._warm = set(warm)
        self._life: Life | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._jobs: dict[str, SpeakingJob] = {}
        self._suspects: deque[SpeakingJob] = deque()  # of a crash; the first is tried again, the others wait for it
        self._starting = asyncio.Lock()
        self._closed = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        life = self._life
        return life.process.pid if life is not None and life.process.returncode is None else None

    async def start(self) -> Life:
        """Start the process if it does not run.

        Raises
        ------
        ServerError if it can not be started.
        """
        async with self._starting:
            if self._closed:
                raise ServerError("the server is shutting down. Say it again when it is back.")
            if self.pid is not None:
                assert self._life is not None
                return self._life
            if self._life is not None:
                self.restarts += 1
            self._life = life = Life(await self._spawn(), time.monotonic())
            for work in (self._read(life), self._watch(life)):
                task = asyncio.create_task(work)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            for voice in self._warm:
                self._order(life, {"voice": voice})
            return life

    async def _spawn(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        try:
            return await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ServerError(f"the voice process does not start ({reason}). Free memory, or restart.") from error

    def warm(self, voice: str) -> None:
        """Open a voice that will be needed soon."""
        if voice not in self._warm:
            self._warm.add(voice)
            if self._life is not None:
                self._order(self._life, {"voice": voice})

    async def speak(self, text: str, voice: str, whole: bool = False) -> AsyncIterator[Spoken]:
        """Pieces of a text as they are made: a few words first, or sentences, where `whole` says that it has time.

        Raises
        ------
        ServerError, in one line, if the text can not be spoken, or ends or hangs the process.
        """
        life = await self.start()
        job = SpeakingJob(uuid.uuid4().hex, text, voice, life, whole)
        self._jobs[job.name] = job
        self._begin(job, life)
        try:
            while True:
                head = await job.pieces.get()
                if "error" in head:
                    raise VoiceError(head["error"], head.get("kind", "failed"))
                if "end" in head:
                    return
                words = [(w, float(s), float(e)) for w, s, e in head["words"]]
                yield Spoken(head["sound"], head["text"], words, head.get("emotion"))
        finally:
            if self._jobs.pop(job.name, None) is not None:
                self._order(job.life, {"cancel": job.name})
            self._acquit(job)

    def _begin(self, job: SpeakingJob, life: Life) -> None:
        """Order a job from a process, from its first missing piece on."""
        job.life = life
        order = {"job": job.name, "text": job.text, "voice": job.voice, "after": job.after, "whole": job.whole}
        self._order(life, order)

    @staticmethod
    def _order(life: Life, order: dict[str, Any]) -> None:
        if life.process.returncode is None:
            assert life.process.stdin is not None
            with contextlib.suppress(ConnectionError, RuntimeError):
                life.process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _read(self, life: Life) -> None:
        """Take the records of one process until it ends."""
        stream = life.process.stdout
        assert stream is not None
        try:
            while True:
                (size,) = struct.unpack("<I", await stream.readexactly(4))
                head = json.loads(await stream.readexactly(size))
                if "samples" in head:
                    head["sound"] = np.frombuffer(await stream.readexactly(4 * head["samples"]), "<f4")
                self._take(life, head)
        except asyncio.IncompleteReadError:
            pass
        except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
            log.error("the voice process wrote what is no record (%s).", type(error).__name__)
        finally:
            if not self._closed:
                self._kill(life)  # it may live on without an end to write to
                code = await life.process.wait()
                log.error("the voice process ended with code %s; it is started anew.", code)
                await self._resume(life)

    def _take(self, life: Life, head: dict[str, Any]) -> None:
        """One record: a turn that begins or ends, or a piece for its job."""
        life.idle, name = 0.0, head.get("job", "")
        if "turn" in head:
            if head["turn"]:
                life.turns[name] = 0.0
            else:
                life.turns.pop(name, None)
        elif (job := self._jobs.get(name)) is not None:
            job.after = head.get("piece", job.after)
            job.pieces.put_nowait(head)
            self._acquit(job)

    async def _watch(self, life: Life) -> None:
        """Kill a process that works at something, or should, and for too long gives nothing."""
        clock = OwnTime(life.process.pid, 2 * CHECK)
        while life.process.returncode is None:
            await asyncio.sleep(CHECK)
            own = clock.advance()
            for turn in life.turns:
                life.turns[turn] += own
            waits = any(job.life is life and job not in self._held for job in self._jobs.values())
            life.idle = life.idle + own if waits and not life.turns else 0.0
            life.hung = {turn for turn, spent in life.turns.items() if spent > PATIENCE}
            life.killed = bool(life.hung) or life.idle > PATIENCE
            if life.killed:
                log.error("the voice gave nothing in %g s of its own time and is killed.", PATIENCE)
                self._kill(life)
                return

    # After its end.

    async def _resume(self, life: Life) -> None:
        """Go on in a new process with the jobs of one that ended."""
        opening = {turn.removeprefix("open ") for turn in life.turns if turn not in self._jobs} & self._warm
        self._warm -= opening  # a voice that may have ended it is opened when a text needs it
        left = [job for job in self._jobs.values() if job.life is life]
        blamed = [job for job in left if job.name in life.turns] or ([] if opening else left)
        if life.hung:
            blamed = [job for job in blamed if job.name in life.hung]
        for job in blamed:
            job.deaths = DEATHS if len(life.hung) == 1 else job.deaths + 1
        message = f"the voice gave nothing in {PATIENCE:g} s. Try another voice." if life.killed else ENDED
        self._fail([job for job in blamed if job.deaths >= DEATHS], message)
        left = [job for job in left if job.name in self._jobs]
        if not left and time.monotonic() - life.began < STABLE:  # tried again when it is needed
            return
        self._suspects.extend(job for job in blamed if job in left and job not in self._suspects)
        try:
            new = await self.start()
        except ServerError as error:
            self._fail(left, str(error))
            return
        for job in left:
            job.life = new
            if job not in self._held:
                self._begin(job, new)

    @property
    def _held(self) -> list[SpeakingJob]:
        """Suspects that wait, so that one which ends the process again is known by it."""
        return list(self._suspects)[1:]

    def _acquit(self, job: SpeakingJob) -> None:
        """A suspect that gave a piece, or has ended, lets the next one be tried."""
        if job not in self._suspects:
            return
        first = self._suspects[0] is job
        self._suspects.remove(job)
        if first and self._suspects:
            following = self._suspects[0]
            self._begin(following, following.life)

    def _fail(self, jobs: Iterable[SpeakingJob], message: str) -> None:
        for job in jobs:
            del self._jobs[job.name]
            job.pieces.put_nowait({"error": message})
            self._acquit(job)

    @staticmethod
    def _kill(life: Life) -> None:
        with contextlib.suppress(ProcessLookupError):
            life.process.kill()

    async def close(self) -> None:
        """End the process."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail(list(self._jobs.values()), ENDED)
        if self._life is not None:
            self._kill(self._life)
            await self._life.process.wait()
