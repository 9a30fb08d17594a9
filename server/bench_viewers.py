"""What sessions cost the server that their viewers draw, beside those that it draws: clients that draw nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from server.calls import call
from speechhead.core.clocks import FPS
from speechhead.motion.wire import MotionPacket, motion_basis, unpack

MODES = ("video", "motion", "sound")

TEXT = "Good morning. I was asked today whether machines could ever really think, and I said maybe they do."

ROUND = 18.0
"""Seconds from one text of a client to its next one, so that it speaks for some 30 % of the time."""


def core_seconds(pid: int) -> float:
    """CPU time of a process and of all that it started, as far as they live; Linux only."""
    total, ticks = 0.0, os.sysconf("SC_CLK_TCK")
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / ticks
            for task in Path(f"/proc/{process}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return total


class CountingViewer:
    """A session of its own and a connection to it, of which every byte is counted and nothing is decoded."""

    def __init__(self, url: str, mode: str) -> None:
        self.url, self.mode = url, mode
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self.connection.createDataChannel("speechhead")
        self.motion = self.connection.createDataChannel("motion", ordered=False, maxRetransmits=0)
        self.counts = {"audio": 0, "video": 0, "motion": 0}  # bytes, without the headers below RTP and SCTP
        self.frames: set[int] = set()
        self.late: list[float] = []  # seconds by which packets came after the first of them, by their own clock
        self.motion.on("message", self._moved)
        self.channel.on("message", self._told)
        self.modes: list[str] = []
        self._least: float | None = None
        for kind in ("audio", "video") if mode == "video" else ("audio",):
            self.connection.addTransceiver(kind, "recvonly")
        for receiver in self.connection.getReceivers():
            receiver._handle_rtp_packet = self._counted(receiver)  # type: ignore[method-assign]

    async def open(self) -> None:
        """Make the session and connect."""
        drawn = "server" if self.mode == "video" else "viewer"
        body = json.dumps({"drawn": drawn}).encode()
        made, _ = await asyncio.to_thread(call, "POST", f"{self.url}/sessions", body)
        self.session = f"{self.url}/sessions/{json.loads(made)['id']}"
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sdp = self.connection.localDescription.sdp.encode()
        answer, _ = await asyncio.to_thread(call, "POST", f"{self.session}/whep", sdp, "application/sdp")
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.decode(), "answer"))
        while not self.modes:
            await asyncio.sleep(0.02)
        self.channel.send(json.dumps({"type": "view", "mode": self.mode}))

    async def speak(self, after: float) -> None:
        """Say a text again and again."""
        await asyncio.sleep(after)
        while True:
            body = json.dumps({"text": TEXT}).encode()
            with contextlib.suppress(OSError):
                await asyncio.to_thread(call, "POST", f"{self.session}/say", body)
            await asyncio.sleep(ROUND)

    async def close(self) -> None:
        """End the session."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(call, "DELETE", self.session)
        await self.connection.close()

    def _counted(self, receiver: Any) -> Any:
        async def counted(packet: Any, *more: Any, **options: Any) -> None:
            self.counts[receiver.track.kind] += len(packet.payload) + 12

        return counted

    def _told(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] in ("hello", "view"):
            self.modes.append(message["mode"])

    def _moved(self, data: bytes) -> None:
        self.counts["motion"] += len(data) + 28
        packet: MotionPacket = unpack(motion_basis(), data)
        self.frames.update(range(packet.first, packet.first + len(packet.frames)))
        came = time.monotonic() - packet.first / FPS + packet.lead
        self._least = came if self._least is None else min(came, self._least)
        self.late.append(came - self._least)


async def viewers(url: str, pid: int, count: int, mode: str, seconds: float) -> dict[str, Any]:
    """What so many viewers of a mode cost the server, each with a session of its own that speaks 30 % of the time."""
    made = [CountingViewer(url, mode) for _ in range(count)]
    for viewer in made:
        await viewer.open()
    talk = [asyncio.create_task(viewer.speak(ROUND * number / count)) for number, viewer in enumerate(made)]
    await asyncio.sleep(3)
    before, begin = core_seconds(pid), time.monotonic()
    counted = [(dict(viewer.counts), len(viewer.frames)) for viewer in made]
    await asyncio.sleep(seconds)
    took, used = time.monotonic() - begin, core_seconds(pid) - before
    grown = [{k: v.counts[k] - old[k] for k in old} for v, (old, _) in zip(made, counted)]
    frames = [(len(v.frames) - old) / took for v, (_, old) in zip(made, counted)]
    late = sorted(each for viewer in made for each in viewer.late)
    for task in talk:
        task.cancel()
    await asyncio.gather(*(viewer.close() for viewer in made))
    found: dict[str, Any] = {"viewers": count, "mode": mode, "got": sorted({viewer.modes[-1] for viewer in made})}
    found |= {"cores": round(used / took, 3), "cores_per_session": round(used / took / count, 4)}
    kinds = {kind: sum(each[kind] for each in grown) for kind in ("audio", "video", "motion")}
    found |= {f"{kind}_kbit_s": round(8 * total / took / count / 1000, 1) for kind, total in kinds.items()}
    if mode == "motion":
        found |= {"frames_per_second": round(min(frames), 2), "late_ms_95": round(1e3 * late[int(0.95 * len(late))], 1)}
    return found
