"""How well the live server does on this machine: `python -m server.bench`, one JSON object on stdout.

It starts `speechhead serve` in a process of its own and looks at it through WebRTC on loopback, as a browser would.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from server.bench_viewers import viewers
from server.calls import call

TEXTS = (
    "Hello there, it is good to see you.",
    "I was asked today whether machines could ever really think.",
    "Good morning, everyone, and welcome to this short talk about the history of computers.",
    "Maybe we should begin with the people who built the first of them, before we come to the machines.",
)

STILL = {"head": "retained", "blink_rate": 0, "look_away": 0, "idle": False}
"""Controls with which nothing but the mouth moves, so that its motion can be measured in the picture."""

LOUD = 300
"""Mean amplitude of a packet (of 32768) that is speech."""

MOUTH = (0.60, 0.82, 0.36, 0.64)
"""Top, bottom, left and right of the mouth's surroundings in the picture, parts of its side."""


class Sent:
    """When a track's packets reach this end, before the receiver's jitter buffer holds the sound back (by 80 ms)."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._first: int | None = None
        self._offset: float | None = None

    def watch(self, receiver: Any) -> None:
        """Note the packets of a receiver."""
        handle = receiver._handle_rtp_packet

        async def noted(packet: Any, *more: Any, **options: Any) -> None:
            if self._first is None:
                self._first = packet.timestamp
            media = ((packet.timestamp - self._first) % 2**32) / self._rate
            offset = time.monotonic() - media
            self._offset = offset if self._offset is None else self._offset + 0.01 * (offset - self._offset)
            await handle(packet, *more, **options)

        receiver._handle_rtp_packet = noted

    def at(self, pts: int, now: float) -> float:
        """The usual arrival of what is stamped `pts`, whose first packet has 0."""
        return now if self._offset is None else pts / self._rate + self._offset


class BenchViewer:
    """A viewer that keeps when each picture and packet came, how open the mouth looks, and how loud it is."""

    def __init__(self, url: str, whep: str) -> None:
        self.url, self.whep = url, whep
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self.connection.createDataChannel("speechhead")
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.pictures: list[tuple[float, float]] = []  # arrival, difference of the mouth from the first picture
        self.packets: list[tuple[float, float]] = []  # arrival, loudness
        self.side = 0
        self.location = ""
        self._first: np.ndarray | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.channel.on("message", lambda text: self.messages.append((time.monotonic(), json.loads(text))))
        self.sent: dict[str, Sent] = {"audio": Sent(48_000), "video": Sent(90_000)}
        self.connection.on("track", self._track)
        self.connection.addTransceiver("audio", "recvonly")
        self.connection.addTransceiver("video", "recvonly")

    async def connect(self) -> BenchViewer:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sdp = self.connection.localDescription.sdp
        answer, headers = await asyncio.to_thread(call, "POST", self.url + self.whep, sdp.encode(), "application/sdp")
        self.location = headers["location"]
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.decode(), "answer"))
        await until(lambda: bool(self.pictures), 20)
        return self

    def _track(self, track: MediaStreamTrack) -> None:
        for receiver in self.connection.getReceivers():
            if receiver.track is track:
                self.sent[track.kind].watch(receiver)
        self._tasks.append(asyncio.ensure_future(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                now = time.monotonic()
                if track.kind == "audio":
                    at = self.sent["audio"].at(frame.pts, now)
                    self.packets.append((at, float(np.abs(frame.to_ndarray().astype(np.int32)).mean())))
                    continue
                self.side = frame.width
                plane = frame.planes[0]  # luminance, of which only the mouth is looked at
                grey = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                top, bottom, left, right = (round(part * self.side) for part in MOUTH)
                mouth = grey[top:bottom, left:right].astype(np.int16)
                if self._first is None:
                    self._first = mouth
                self.pictures.append((self.sent["video"].at(frame.pts, now), float(np.abs(mouth - self._first).mean())))

    def rest_again(self) -> None:
        """Take the next picture for the mouth at rest."""
        self._first = None

    async def close(self) -> None:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(call, "DELETE", self.url + self.location)
        await self.connection.close()
        for task in self._tasks:
            task.cancel()


async def post(url: str, **body: Any) -> Any:
    """One JSON request."""
    data, _ = await asyncio.to_thread(call, "POST", url, json.dumps(body).encode())
    return json.loads(data or b"{}")


async def stats(session: str) -> Any:
    """What the server knows of a session."""
    data, _ = await asyncio.to_thread(call, "GET", f"{session}/stats")
    return json.loads(data)


async def until(true: Callable[[], bool], seconds: float) -> None:
    """Wait for something to become true; TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("the server did not do it in time")
        await asyncio.sleep(0.005)


async def open_session(url: str, **body: Any) -> str:
    """A session's address."""
    made = await post(f"{url}/sessions", **body)
    return f"{url}/sessions/{made['id']}"


async def speak(session: str, eye: BenchViewer, text: str) -> float:
    """Say a text and wait for its first sound; seconds it took."""
    eye.packets.clear()
    asked = time.monotonic()
    await post(f"{session}/say", text=text)
    await until(lambda: any(level > LOUD for _, level in eye.packets), 20)
    return next(at for at, level in eye.packets if level > LOUD) - asked


async def punctuality(url: str, seconds: float, pid: int) -> dict[str, Any]:
    """Pictures per second, skew and its trend, and the server's memory, while it talks and idles."""
    session = await open_session(url)
    eye = await BenchViewer(url, session.removeprefix(url) + "/whep").connect()
    await asyncio.sleep(2)
    begin, count, skews, number, sizes = time.monotonic(), len(eye.pictures), [], 0, []
    while (now := time.monotonic() - begin) < seconds:
        known = await stats(session)
        sizes.append(memory(pid))
        if known["skew_ms"] is not None:
            skews.append((now, known["skew_ms"]))
        if known["state"] == "idle":
            await post(f"{session}/say", text=TEXTS[number % len(TEXTS)])
            number += 1
        await asyncio.sleep(1)
    took = time.monotonic() - begin
    arrivals = np.array([at for at, _ in eye.pictures[count:]])
    known = await stats(session)
    await eye.close()
    call("DELETE", session)
    trend = float(np.polyfit([at for at, _ in skews], [ms for _, ms in skews], 1)[0] * 60) if len(skews) > 20 else None
    return {
        "seconds": round(took, 1),
        "size": eye.side,
        "fps": round(len(arrivals) / took, 2),
        "longest_gap_ms": round(1e3 * float(np.diff(arrivals).max())) if len(arrivals) > 1 else None,
        "left_out": known["late"],
        "draw_ms": known["draw_ms"],
        "skew_ms_mean": round(statistics.mean(s for _, s in skews), 1) if skews else None,
        "skew_ms_most": max((abs(s) for _, s in skews), default=None),
        "skew_ms_per_minute": None if trend is None else round(trend, 2),
        "utterances": number,
        **growth(sizes),
    }


async def crowd(url: str, seconds: float, pid: int, count: int) -> dict[str, Any]:
    """What each of several viewers gets who watch sessions of their own at the same time."""
    found = await asyncio.gather(*(punctuality(url, seconds, pid) for _ in range(count)))
    rates = sorted(one["fps"] for one in found)
    return {
        "sessions": count,
        "fps_least": rates[0],
        "fps_median": round(statistics.median(rates), 2),
        "left_out": sum(one["left_out"] for one in found),
        "draw_ms": round(statistics.median(one["draw_ms"] for one in found), 2),
        "longest_gap_ms": max(one["longest_gap_ms"] or 0 for one in found),
    }


async def lip_sync(url: str, seconds: float) -> dict[str, Any]:
    """Lag of the mouth, as the picture shows it, after the sound, as they arrive."""
    session = await open_session(url, controls=STILL)
    eye = await BenchViewer(url, session.removeprefix(url) + "/whep").connect()
    await asyncio.sleep(1.5)
    eye.rest_again()
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        await post(f"{session}/say", text=" ".join(TEXTS))
        await until(lambda: any(m["type"] == "done" for _, m in eye.messages), 60)
        eye.messages.clear()
    pictures, packets = np.array(eye.pictures), np.array(eye.packets)
    await eye.close()
    call("DELETE", session)
    grid = np.arange(begin, begin + seconds, 0.01)
    mouth = np.interp(grid, pictures[:, 0], pictures[:, 1])
    sound = np.interp(grid, packets[:, 0], packets[:, 1])
    kernel = np.hanning(15) / np.hanning(15).sum()
    mouth, sound = np.convolve(mouth, kernel, "same"), np.convolve(sound, kernel, "same")
    lags = np.arange(-30, 31)
    found = [float(np.corrcoef(mouth[50 + lag : len(mouth) - 50 + lag], sound[50:-50])[0, 1]) for lag in lags]
    return {"lag_ms": int(lags[int(np.argmax(found))] * 10), "correlation": round(max(found), 2)}


async def latency(url: str, says: int) -> dict[str, Any]:
    """From `say` to the first spoken frame, and from interrupt to silence and rest."""
    session = await open_session(url, controls=STILL)
    eye = await BenchViewer(url, session.removeprefix(url) + "/whep").connect()
    await asyncio.sleep(1.5)
    eye.rest_again()
    first, heard, silent, rest, asked_rest = [], [], [], [], []
    for number in range(says):
        heard.append(1e3 * await speak(session, eye, TEXTS[number % len(TEXTS)]))
        first.append((await stats(session))["first_frame_ms"])
        await asyncio.sleep(1.0 + 0.13 * (number % 5))
        asked = time.monotonic()
        stopped = await post(f"{session}/interrupt")
        await asyncio.sleep(0.8)
        if stopped["interrupted"]:
            loud = [at for at, level in eye.packets if level > LOUD]
            silent.append(1e3 * max(0.0, loud[-1] + 0.02 - asked))
            still = statistics.median([value for at, value in eye.pictures if at > asked + 0.5] or [0.0])
            moving = [at for at, value in eye.pictures if asked < at < asked + 0.6 and value > still + 1.0]
            rest.append(1e3 * ((moving[-1] + 0.04 - asked) if moving else 0.0))
            asked_rest.append((await stats(session))["interrupt_ms"])
        await asyncio.sleep(0.5)
    await eye.close()
    call("DELETE", session)

    def shown(values: list[float]) -> dict[str, float] | None:
        values = [value for value in values if value is not None]
        return {"median": round(statistics.median(values)), "most": round(max(values))} if values else None

    return {
        "says": says,
        "first_frame_ms": shown(first),
        "first_sound_arrives_ms": shown(heard),
        "interrupt_to_silence_ms": shown(silent),
        "interrupt_to_rest_ms": shown(asked_rest),
        "interrupt_to_rest_seen_ms": shown(rest),
    }


async def cycles(url: str, count: int, pid: int) -> dict[str, Any]:
    """Memory over sessions that come and go; the first tenth warms up."""
    history = []
    for number in range(count + max(5, count // 10)):
        session = await open_session(url)
        eye = await BenchViewer(url, session.removeprefix(url) + "/whep").connect()
        await post(f"{session}/say", text="Hello.")
        await eye.close()
        call("DELETE", session)
        if number >= max(5, count // 10) - 1:
            history.append(memory(pid))
    return {"cycles": count, **growth(history)}


def growth(history: list[float | None]) -> dict[str, Any]:
    """From the first tenth of sizes in MB to the last one."""
    known = [size for size in history if size]
    if not known:
        return {"growth_percent": None}
    tenth = max(1, len(known) // 10)
    before, after = statistics.median(known[:tenth]), statistics.median(known[-tenth:])
    percent = round(100 * (after / before - 1), 2)
    return {"mb_before": round(before), "mb_after": round(after), "growth_percent": percent}


def memory(pid: int) -> float | None:
    """Resident megabytes of a process, where the system tells."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) / 1024 if found else None
    return None


async def run(arguments: argparse.Namespace, url: str, pid: int) -> dict[str, Any]:
    """All measurements that were asked for; one that fails says why, and what others found is kept."""
    found: dict[str, Any] = {"health": json.loads(call("GET", f"{url}/healthz")[0]), "mb_at_start": memory(pid)}
    if arguments.viewers:
        sizes = [(mode, count) for mode in arguments.mode for count in sorted(arguments.viewers)]
        found["viewers"] = [await viewers(url, pid, count, mode, arguments.seconds) for mode, count in sizes]
        return found
    wanted: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {}
    if arguments.sessions:
        wanted["sessions"] = lambda: crowds(url, arguments.seconds, pid, sorted(arguments.sessions))
    elif arguments.seconds:
        wanted["punctuality"] = lambda: punctuality(url, arguments.seconds, pid)
    if arguments.sync:
        wanted["lip_sync"] = lambda: lip_sync(url, arguments.sync)
    if arguments.says:
        wanted["latency"] = lambda: latency(url, arguments.says)
    if arguments.cycles:
        wanted["memory"] = lambda: cycles(url, arguments.cycles, pid)
    for name, measured in wanted.items():
        try:
            found[name] = await measured()
        except (OSError, TimeoutError, asyncio.TimeoutError) as error:
            found[name] = {"failed": str(error) or type(error).__name__}
    found["mb_at_end"] = memory(pid)
    return found


async def crowds(url: str, seconds: float, pid: int, counts: list[int]) -> list[dict[str, Any]]:
    """`crowd` for each number of sessions."""
    return [await crowd(url, seconds, pid, count) for count in counts]


def main() -> None:
    """Start a server, measure it, print what was found."""
    parser = argparse.ArgumentParser(description="Measure the live server on this machine, as JSON.")
    parser.add_argument("--seconds", type=float, default=300, help="of watching for frame rate and skew")
    parser.add_argument("--sync", type=float, default=30, help="seconds of speech for the lag of the lips")
    parser.add_argument("--says", type=int, default=20, help="texts for the latencies of say and interrupt")
    parser.add_argument("--cycles", type=int, default=200, help="connections for the growth of memory")
    parser.add_argument("--size", type=int, help="of the picture; else as the server chooses")
    parser.add_argument("--sessions", type=int, nargs="+", default=[], help="watched at the same time, instead of one")
    parser.add_argument(
        "--viewers", type=int, nargs="+", default=[], help="simulated, with sessions of their own: cost to the server"
    )
    modes = ("video", "motion", "sound")
    parser.add_argument("--mode", nargs="+", choices=modes, default=modes, help="of the simulated viewers")
    parser.add_argument("--generator", help="of the server; else its default")
    parser.add_argument("--device", help="of the server's networks; else as it chooses")
    arguments = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "speechhead", "serve", "--port", str(port)]
    most = max([*arguments.sessions, *arguments.viewers], default=None)
    for name, value in {**vars(arguments), "max-sessions": most and most + 1}.items():
        if name in ("size", "generator", "device", "max-sessions") and value:
            command += [f"--{name}", str(value)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parent.parent, env=os.environ)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                call("GET", f"{url}/healthz")
                break
            if server.poll() is not None:
                sys.exit("the server did not start; its reason is above.")
            time.sleep(0.1)
        print(json.dumps(asyncio.run(run(arguments, url, server.pid)), indent=1))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


if __name__ == "__main__":
    main()
