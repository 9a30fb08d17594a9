"""Uploads to arrays, in processes that can be killed: no foreign file meets a decoder inside the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from fastapi import Request

from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.disk import LEAST, free_bytes
from speechhead.media.image import Picture
from speechhead_server.core.children import child_command
from speechhead_server.core.config import ENVIRONMENT
from speechhead_server.core.problems import GONE, Refused, no_room, one_line
from speechhead_server.core.scratch import UPLOAD
from speechhead_server.stage.clock import RATE
from speechhead_server.stage.segment import Pcm

from .decode_process import NO_DISK

T = TypeVar("T")

CHILDREN = 2
"""Uploads that are decoded at a time."""

WAITING = 4
"""Uploads that wait for their turn, their bytes in memory."""

SECONDS = 60.0
"""For which one is decoded at most."""

PIECE = 10
"""Seconds of sound in one array, which is freed when it was heard."""


@dataclass(frozen=True)
class Sound:
    """A recording in pieces of ten seconds: int16 at 16 kHz for the face, and at 48 kHz for the ear."""

    pieces: list[tuple[Pcm, Pcm]]

    @property
    def seconds(self) -> float:
        """How long it is heard."""
        return sum(len(audio) for _, audio in self.pieces) / RATE

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return sum(speech.nbytes + audio.nbytes for speech, audio in self.pieces)


class UploadDecoder:
    """Decodes uploads, few at a time, each in a process of its own that goes with the call that wants it.

    Parameters
    ----------
    command : of the process, see `decode_process`
    seconds : after which it is killed
    """

    def __init__(self, command: list[str] | None = None, seconds: float = SECONDS) -> None:
        self._command = command or child_command("speechhead_server.uploads.decode_process")
        self._seconds = seconds
        self._free = asyncio.Semaphore(CHILDREN)
        self._jobs = 0
        self._running: set[asyncio.subprocess.Process] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Of the processes that run."""
        return [process.pid for process in self._running]

    async def sound(self, data: bytes, longest: float) -> Sound:
        """A recording's bytes, `longest` seconds at most.

        Raises
        ------
        Refused: 422 for what is no sound, is too long or costs too much, 503 where too many uploads wait.
        """
        async with self._decoded("sound", data, longest) as folder:
            return await asyncio.to_thread(_read_sound, folder)

    async def picture(self, data: bytes, most: int) -> tuple[Picture, tuple[str, ...]]:
        """A picture's bytes, `most` pixels at most: uint8 [H, W, 3], and notes. Raises as `sound`."""
        async with self._decoded("picture", data, most) as folder:
            notes = tuple((folder / "notes").read_text(encoding="utf-8").splitlines())
            return await asyncio.to_thread(np.load, folder / "picture.npy"), notes

    def check_room(self) -> None:
        """Refuse an upload that would find no place, before it is read."""
        if self._closed:
            raise Refused(503, "the server is shutting down.", 30)
        if self._jobs >= CHILDREN + WAITING:
            raise Refused(503, f"{self._jobs} uploads are being decoded already. Try again in a few seconds.", 5)

    @contextlib.asynccontextmanager
    async def _decoded(self, kind: str, data: bytes, most: float) -> AsyncIterator[Path]:
        """A folder with what the process made of the bytes."""
        self.check_room()
        self._jobs += 1
        try:
            with tempfile.TemporaryDirectory(prefix=UPLOAD, ignore_cleanup_errors=True) as name:
                async with self._free:
                    await self._run(kind, Path(name), data, most)
                yield Path(name)
        finally:
            self._jobs -= 1

    async def _run(self, kind: str, folder: Path, data: bytes, most: float) -> None:
        process = await asyncio.create_subprocess_exec(
            *(*self._command, kind, str(folder), f"{most:g}"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        self._running.add(process)
        try:
            await asyncio.wait_for(process.communicate(data), self._seconds)
        except asyncio.TimeoutError:
            raise Refused(422, f"the {kind} took more than {self._seconds:g} s to decode. Convert it first.") from None
        finally:
            self._running.discard(process)
            await _end(process)
        if process.returncode == 2 and (folder / "error").is_file():
            with (folder / "error").open(encoding="utf-8", errors="replace") as file:
                raise Refused(422, one_line(ValueError(file.read(1000))))
        if process.returncode == NO_DISK or (process.returncode and free_bytes(folder) < LEAST):
            raise no_room(folder)
        if process.returncode != 0:
            raise Refused(422, f"the {kind} can not be decoded, or takes too much computing. Convert it first.")

    def close(self) -> None:
        """Kill what runs, and take no more."""
        self._closed = True
        for process in self._running:
            _kill(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _kill(process)
        await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process with all that it may have started."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _environment() -> dict[str, str]:
    """This process' environment without the server's settings: a decoder has no use for its token."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT)}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**kept, **threads}


def _read_sound(folder: Path) -> Sound:
    def pieces(rate: int) -> list[Pcm]:
        found = []
        with (folder / f"{rate}.pcm").open("rb") as file:
            while len(piece := np.fromfile(file, np.int16, PIECE * rate)):
                found.append(piece)
        return found

    speech, audio = pieces(SAMPLE_RATE), pieces(RATE)
    return Sound(list(zip_longest(speech, audio, fillvalue=np.zeros(0, np.int16))))


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do something for a request whose body was read, until its client hangs up."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Refused(408, GONE)
        return task.result()
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
