"""Text to sound in a process of its own, which is started anew when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import struct
import sys
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speechhead.errors import ServerError

from .problems import VoiceError
from .segment import Samples

log = logging.getLogger("speechhead.server")

SILENT = 30.0
"""Seconds without a piece after which the process is taken for hung and is killed."""

STABLE = 3.0
"""Seconds that a process must have lived to be started anew without being asked for."""


@dataclass(frozen=True)
class Spoken:
    """A piece of speech: float32 [n] at 16 kHz, its text, and (word, start, end) in seconds of it."""

    samples: Samples
    text: str
    words: list[tuple[str, float, float]]


class Speaker:
    """Speaks texts, several at a time.

    Parameters
    ----------
    command : of the process, see `voice_process`
    warm : voices to open at start, so that the first text is not slower than the others
    """

    def __init__(self, command: list[str] | None = None, warm: tuple[str, ...] = ()) -> None:
        self._command = command or [sys.executable, "-m", "server.voice_process"]
        self._warm = set(warm)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._jobs: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._starting = asyncio.Lock()
        self._closed = False
        self._started = 0.0
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the process if it does not run."""
        async with self._starting:
            if self.pid is not None or self._closed:
                return
            if self._process is not None:
                self.restarts += 1
            self._started = time.monotonic()
            root = str(Path(__file__).parent.parent)
            paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
            self._reader = asyncio.create_task(self._read(self._process))
            for voice in self._warm:
                self._order({"voice": voice})

    def warm(self, voice: str) -> None:
        """Open a voice that will be needed soon."""
        if voice not in self._warm:
            self._warm.add(voice)
            self._order({"voice": voice})

    async def speak(self, text: str, voice: str) -> AsyncIterator[Spoken]:
        """Pieces of a text as they are made.

        Raises
        ------
        ServerError, in one line, if the text can not be spoken or the process dies.
        """
        await self.start()
        job = uuid.uuid4().hex
        pieces = self._jobs[job] = asyncio.Queue()
        self._order({"job": job, "text": text, "voice": voice})
        try:
            while True:
                try:
                    head = await asyncio.wait_for(pieces.get(), SILENT)
                except asyncio.TimeoutError:
                    self._kill()
                    raise ServerError(f"the voice gave nothing for {SILENT:g} s. Try another voice.") from None
                if "error" in head:
                    raise VoiceError(head["error"], head.get("kind", "failed"))
                if "end" in head:
                    return
                yield Spoken(head["sound"], head["text"], [(w, float(s), float(e)) for w, s, e in head["words"]])
        finally:
            if self._jobs.pop(job, None) is not None:
                self._order({"cancel": job})

    def _order(self, order: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            if self.pid is not None:
                assert self._process is not None and self._process.stdin is not None
                self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand the records of one process to their jobs until it ends."""
        assert process.stdout is not None
        try:
            while True:
                (size,) = struct.unpack("<I", await process.stdout.readexactly(4))
                head = json.loads(await process.stdout.readexactly(size))
                if "samples" in head:
                    head["sound"] = np.frombuffer(await process.stdout.readexactly(4 * head["samples"]), "<f4")
                if (pieces := self._jobs.get(head.get("job", ""))) is not None:
                    pieces.put_nowait(head)
        except asyncio.IncompleteReadError:
            pass
        finally:
            if not self._closed:
                code = await process.wait()
                log.error("the voice process ended with code %s; it is started anew.", code)
                for pieces in self._jobs.values():
                    pieces.put_nowait({"error": "the voice process ended in the middle of speech. Say it again."})
                if time.monotonic() - self._started > STABLE:  # one that dies at once is tried again when it is needed
                    with contextlib.suppress(OSError):
                        await self.start()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """End the process."""
        self._closed = True
        self._kill()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._process is not None:
            await self._process.wait()
