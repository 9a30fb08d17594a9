"""Where a stage is sent besides its viewers: an RTMP or MPEG-TS address, or a virtual camera of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError

from speechhead_server.core.children import child_command
from speechhead_server.core.problems import Refused
from speechhead_server.stage.clock import RATE
from speechhead_server.stage.stage import Stage

from .outlet_process import RECORD
from .targets import MOST, check_target, hidden
from .tracks import AudioTrack, PictureTrack, skew

log = logging.getLogger("speechhead.server")

RETRY = (1.0, 30.0)
"""Seconds until a connection that failed is tried again: at first, and at most; doubled each time."""

STEADY = 10.0
"""Seconds of sending after which a connection counts as good, and the next failure as the first."""

ANSWER = 15.0
"""Seconds in which a receiver must have answered."""

LEAVE = 3.0
"""Seconds that a process is given to send the rest."""

BEHIND = 8
"""Pictures' worth of bytes that wait for the process at most; a slower one loses pictures and gets all of the sound."""


class Outlet:
    """One address that a stage is sent to, for as long as the session lives; it comes back after failures.

    state: connecting, sending or waiting (for the next try); error: why the last try failed; seconds: sent so far.

    Raises
    ------
    Refused (422) for an address that is none, or that this machine can not send to.
    """

    def __init__(self, stage: Stage, target: str, size: int) -> None:
        check_target(target)
        self.name = uuid.uuid4().hex[:12]
        self._stage, self._target, self._size = stage, target, size
        self.state, self.error = "connecting", ""
        self.seconds, self.tries, self.left_out = 0.0, 0, 0
        self._process: asyncio.subprocess.Process | None = None
        self._tracks: tuple[AudioTrack, PictureTrack] | None = None  # while it sends
        self._closed = False
        self._task = asyncio.create_task(self._keep_sending())

    def describe(self) -> dict[str, Any]:
        """As JSON; the path of an address is its secret and stays one."""
        shown: dict[str, Any] = {"id": self.name, "target": hidden(self._target)}
        shown |= {"state": self.state, "error": self.error}
        shown |= {"seconds": round(self.seconds, 1), "fps": round(self.fps, 2)}
        return {**shown, "tries": self.tries, "left_out": self.left_out}

    @property
    def fps(self) -> float:
        """Pictures per second that leave, over the last few seconds."""
        return self._tracks[1].rate if self._tracks else 0.0

    @property
    def skew(self) -> tuple[float | None, float | None]:
        """As `tracks.skew`; nothing while nothing is sent."""
        return skew(*self._tracks) if self._tracks else (None, None)

    async def close(self) -> None:
        """End it; what was encoded is still sent."""
        self._closed = True  # before Python 3.12 `wait_for` loses a cancellation that comes with what it waits for
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _keep_sending(self) -> None:
        pause = RETRY[0]
        while not self._closed:
            before = self.seconds
            self.tries += 1
            self.state = "connecting"
            try:
                await self._send_once()
            except (OSError, MediaStreamError) as error:
                self.error = self.error or type(error).__name__
            finally:
                await self._end_process()
            pause = RETRY[0] if self.seconds - before > STEADY else min(2 * pause, RETRY[1])
            self.state = "waiting"
            if self._closed:
                return
            log.warning("outlet %s: %s; tried again in %.0f s.", hidden(self._target), self.error, pause)
            await asyncio.sleep(pause)

    async def _send_once(self) -> None:
        """Connect, and send until that fails."""
        self._process = process = await asyncio.create_subprocess_exec(
            *child_command("speechhead_server.rtc.outlet_process"),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"target": self._target, "size": self._size}).encode() + b"\n")
        try:
            told = (await asyncio.wait_for(process.stdout.readline(), ANSWER)).decode(errors="replace").strip()
        except asyncio.TimeoutError:  # FFmpeg's own limit does not hold while a receiver keeps silent
            told = f"no answer in {ANSWER:g} s"
        if told != "ready" or self._closed:
            self.error = told[:200] or "no answer"
            return
        self.state, self.error = "sending", ""
        self._tracks = sound, pictures = AudioTrack(self._stage), PictureTrack(self._stage)  # unsent is undrawn
        pumps = [asyncio.create_task(self._pump_sound(sound)), asyncio.create_task(self._pump_pictures(pictures))]
        last = asyncio.create_task(process.stdout.readline())
        try:
            await asyncio.wait([*pumps, last], return_when=asyncio.FIRST_COMPLETED)
            self.error = (await last).decode(errors="replace").strip()[:200] or "the process ended"
        finally:
            for task in (*pumps, last):
                task.cancel()
            await asyncio.gather(*pumps, last, return_exceptions=True)
            self._tracks = None
            sound.stop()
            pictures.stop()

    async def _pump_sound(self, track: AudioTrack) -> None:
        while True:
            frame = await track.recv()
            await self._put(b"s", frame, np.ascontiguousarray(frame.to_ndarray()).tobytes())
            self.seconds += frame.samples / RATE

    async def _pump_pictures(self, track: PictureTrack) -> None:
        while True:
            frame = await track.recv()
            if self._waiting > BEHIND * self._size**2 * 3 // 2:
                self.left_out += 1
                continue
            await self._put(b"p", frame, frame.to_ndarray().tobytes())

    @property
    def _waiting(self) -> int:
        """Bytes that the process has not taken."""
        assert self._process is not None and self._process.stdin is not None
        return self._process.stdin.transport.get_write_buffer_size()

    async def _put(self, kind: bytes, frame: av.AudioFrame | av.VideoFrame, data: bytes) -> None:
        assert self._process is not None and self._process.stdin is not None and frame.pts is not None
        self._process.stdin.write(RECORD.pack(kind, frame.pts, len(data)) + data)

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), LEAVE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Outlets:
    """All addresses that one stage is sent to."""

    def __init__(self, stage: Stage, size: int) -> None:
        self._stage, self._size = stage, size
        self._outlets: dict[str, Outlet] = {}

    def add(self, target: str) -> Outlet:
        """Send it to one more, until that is ended; Refused (422) for an address that is none, (429) for too many."""
        if len(self._outlets) >= MOST:
            raise Refused(429, f"the session is sent to {MOST} addresses already. End one.")
        outlet = Outlet(self._stage, target, self._size)
        self._outlets[outlet.name] = outlet
        return outlet

    async def end(self, name: str) -> None:
        """Send to an address no more; 404 for an id that is unknown."""
        outlet = self._outlets.pop(name, None)
        if outlet is None:
            raise Refused(404, f"outlet {name[:60]!r} is unknown or has ended.")
        await outlet.close()

    def describe(self) -> list[dict[str, Any]]:
        """As JSON."""
        return [outlet.describe() for outlet in self._outlets.values()]

    def __len__(self) -> int:
        return len(self._outlets)

    def __iter__(self) -> Iterator[Outlet]:
        return iter(list(self._outlets.values()))

    async def close(self) -> None:
        """End them all."""
        await asyncio.gather(*(self.end(name) for name in list(self._outlets)))
