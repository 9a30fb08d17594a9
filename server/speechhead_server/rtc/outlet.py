"""Where a stage is sent besides its viewers: an RTMP or MPEG-TS address, or a virtual camera of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError

from speechhead_server.core.children import child_command
from speechhead_server.core.problems import Refused
from speechhead_server.stage.clock import RATE
from speechhead_server.stage.stage import Stage

from .outlet_process import FORMATS, RECORD, format_of
from .tracks import AudioTrack, PictureTrack

log = logging.getLogger("speechhead.server")

RETRY = (1.0, 30.0)
"""Seconds until a connection that failed is tried again: at first, and at most; doubled each time."""

STEADY = 10.0
"""Seconds of sending after which a connection counts as good, and the next failure as the first."""

ANSWER = 15.0
"""Seconds in which a receiver must have answered."""

LEAVE = 3.0
"""Seconds that a process is given to send the rest."""

MOST = 8
"""Addresses that one session is sent to."""

BEHIND = 8
"""Pictures' worth of bytes that wait for the process at most; a slower one loses pictures and gets all of the sound."""


class Outlet:
    """One address that a stage is sent to, for as long as the session lives; it comes back after failures.

    state: connecting, sending or waiting (for the next try); error: why the last try failed; seconds: sent so far.

    Raises
    ------
    Refused (422) for an address that is none.
    """

    def __init__(self, stage: Stage, target: str, size: int) -> None:
        check_target(target)
        self.name = uuid.uuid4().hex[:12]
        self._stage, self._target, self._size = stage, target, size
        self.state, self.error = "connecting", ""
        self.seconds, self.tries, self.left_out = 0.0, 0, 0
        self._process: asyncio.subprocess.Process | None = None
        self._closed = False
        self._task = asyncio.create_task(self._keep_sending())

    def describe(self) -> dict[str, Any]:
        """As JSON; the path of an address is its secret and stays one."""
        shown = {"id": self.name, "target": hidden(self._target), "state": self.state, "error": self.error}
        return {**shown, "seconds": round(self.seconds, 1), "tries": self.tries, "left_out": self.left_out}

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
        sound, pictures = AudioTrack(self._stage), PictureTrack(self._stage)  # what is not sent is not drawn
        pumps = [asyncio.create_task(self._pump_sound(sound)), asyncio.create_task(self._pump_pictures(pictures))]
        last = asyncio.create_task(process.stdout.readline())
        try:
            await asyncio.wait([*pumps, last], return_when=asyncio.FIRST_COMPLETED)
            self.error = (await last).decode(errors="replace").strip()[:200] or "the process ended"
        finally:
            for task in (*pumps, last):
                task.cancel()
            await asyncio.gather(*pumps, last, return_exceptions=True)
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


def check_target(target: str) -> None:
    """Refused (422) for an address that nothing is sent to."""
    try:
        format_of(target)
    except ValueError:
        known = ", ".join(f"{scheme}://" for scheme in FORMATS if scheme != "srt")  # which few builds speak
        raise Refused(422, f"target {hidden(target)!r} is none. Give {known} with a host, or /dev/videoN.") from None


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

    async def close(self) -> None:
        """End them all."""
        await asyncio.gather(*(self.end(name) for name in list(self._outlets)))


def hidden(target: str) -> str:
    """An address without what may be secret in it: user, path and key."""
    if target.startswith("/dev/"):
        return target[:60]
    try:
        parts = urlsplit(target)
    except ValueError:
        return "..."
    host = f"{parts.hostname or '?'}{f':{parts.port}' if _has_port(target) else ''}"
    return f"{parts.scheme}://{host}/..."[:100] if parts.scheme else "..."


def _has_port(target: str) -> bool:
    try:
        return urlsplit(target).port is not None
    except ValueError:
        return False
