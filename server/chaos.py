"""What becomes of healthy sessions while all round them goes wrong: `python -m server.chaos`, one JSON object.

Two sessions talk and are watched. Meanwhile the voice process is killed, a third viewer loses packets and gets others
late, other programs take the cores, hostile files and half requests come, and the server is told to end and started
again. Healthy sessions must lose no sentence: each is asked for until it was heard whole.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
from collections import Counter
from pathlib import Path
from typing import Any

from server.bench import TEXTS, BenchViewer, growth, memory, open_session, post, stats, until
from server.calls import call

LOSS, JITTER = 0.3, 0.2
"""Of the poor viewer's network: share of packets that never come, and seconds by which others come late at most."""

WINDOW = 5.0
"""Seconds over which a rate of pictures is taken."""

PATIENCE = 30.0
"""Seconds in which a sentence must be heard whole, before it counts as lost."""

HOSTILE = (
    ("image/png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n{} loop\n"),
    (
        "image/png",
        b"\x89PNG\r\n\x1a\n" + 40 * b"\x00\x00\x00\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0",
    ),
    ("image/jpeg", bytes(range(256)) * 200),
    ("audio/flac", b"fLaC\x80\x00\x00\x22" + bytes(34) + b"\xff\xf8" * 4000),
    ("audio/wav", b"RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00\x01\x00\xff\xff" + bytes(2000)),
    ("application/octet-stream", b""),
)
"""What a stranger sends: its content type and its bytes."""


class Serving:
    """A server in a process of its own, which can be ended and started again at the same port."""

    def __init__(self, size: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._options = ["--port", str(self.port), "--size", str(size), "--max-sessions", "5"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "speechhead", "serve", *self._options]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parent.parent, env=os.environ)

    async def ready(self) -> None:
        """Wait until it answers."""
        for _ in range(600):
            with contextlib.suppress(OSError):
                await asyncio.to_thread(call, "GET", f"{self.url}/readyz")
                return
            await asyncio.sleep(0.1)
        raise TimeoutError("the server did not start in 60 s")

    async def restart(self) -> None:
        """End it in good order, and start it again."""
        self.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self.process.wait, 60)
        self.process = self._start()
        await self.ready()

    def voice(self) -> int | None:
        """The voice process, where the system tells of children."""
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            for child in children:
                if b"voice_process" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        return None

    def end(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(40)
        self.process.kill()


class Healthy:
    """A session that talks all the time and is watched; what came of its sentences and pictures."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self.heard = self.asked = self.again = self.lost = self.reconnected = 0
        self.rates: list[float] = []
        self.skews: list[float] = []

    async def talk(self, end: float) -> None:
        """Say sentence after sentence until a moment; one that failed is said again."""
        eye: BenchViewer | None = None
        session, url = "", self._serving.url
        measure = asyncio.create_task(asyncio.sleep(0))
        number = 0
        while time.monotonic() < end:
            try:
                if eye is None:
                    session = await open_session(url)
                    eye = BenchViewer(url, session.removeprefix(url) + "/whep")
                    await eye.connect()
                    measure = asyncio.create_task(self._watch(eye, session))
                await self._say(eye, session, TEXTS[number % len(TEXTS)])
                number += 1
            except (OSError, TimeoutError, ConnectionError):
                if eye is not None:
                    measure.cancel()
                    await eye.close()
                    eye = None
                    self.again += 1
                    self.reconnected += 1
                await asyncio.sleep(1)
        if eye is not None:
            measure.cancel()
            await eye.close()

    async def _say(self, eye: BenchViewer, session: str, text: str) -> None:
        """One sentence, heard to its end."""
        self.asked += 1
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            said = (await post(f"{session}/say", text=text))["utterance"]
            done = await self._done(eye, said)
            if done is not None and not done["interrupted"]:
                self.heard += 1
                return
            self.again += 1
        self.lost += 1

    async def _done(self, eye: BenchViewer, name: str) -> dict[str, Any] | None:
        """The end of an utterance, or None where it failed."""

        def told() -> list[dict[str, Any]]:
            return [m for _, m in eye.messages if m.get("utterance") == name and m["type"] in ("done", "error")]

        await until(lambda: bool(told()), PATIENCE)
        last = told()[-1]
        eye.messages.clear()
        return last if last["type"] == "done" else None

    async def _watch(self, eye: BenchViewer, session: str) -> None:
        while True:
            count = len(eye.pictures)
            await asyncio.sleep(WINDOW)
            self.rates.append((len(eye.pictures) - count) / WINDOW)
            with contextlib.suppress(OSError):
                known = await stats(session)
                if known["skew_ms"] is not None:
                    self.skews.append(known["skew_ms"])

    def found(self) -> dict[str, Any]:
        """As JSON."""
        rates = sorted(self.rates)
        return {
            "sentences": {"asked": self.asked, "heard": self.heard, "said_again": self.again, "lost": self.lost},
            "reconnected": self.reconnected,
            "fps_median": round(statistics.median(rates), 2) if rates else None,
            "fps_of_the_worst_tenth": round(rates[len(rates) // 10], 2) if rates else None,
            "skew_ms_most": max(map(abs, self.skews), default=None),
        }


async def poor_viewer(serving: Serving, end: float) -> int:
    """A viewer whose network loses packets and delays them; pictures it decoded all the same."""
    seen = 0
    rng = random.Random(0)
    while time.monotonic() < end:
        with contextlib.suppress(OSError, TimeoutError):
            session = await open_session(serving.url)
            eye = BenchViewer(serving.url, session.removeprefix(serving.url) + "/whep")
            worsen(eye, rng)
            with contextlib.suppress(TimeoutError):
                await eye.connect()
            for _ in range(30):
                with contextlib.suppress(OSError):
                    await post(f"{session}/say", text=TEXTS[0])
                await asyncio.sleep(1)
                if time.monotonic() > end:
                    break
            seen += len(eye.pictures)
            await eye.close()
        await asyncio.sleep(0.5)
    return seen


def worsen(eye: BenchViewer, rng: random.Random) -> None:
    """Let the packets of media come late, or never."""
    on_their_way: set[asyncio.Future[None]] = set()
    for receiver in eye.connection.getReceivers():
        handle = receiver._handle_rtp_packet

        async def late(packet: Any, *more: Any, handle: Any = handle, **options: Any) -> None:
            await asyncio.sleep(rng.random() * JITTER)
            await handle(packet, *more, **options)

        async def parted(packet: Any, *more: Any, late: Any = late, **options: Any) -> None:
            if rng.random() >= LOSS:
                on_their_way.add(task := asyncio.ensure_future(late(packet, *more, **options)))
                task.add_done_callback(on_their_way.discard)

        receiver._handle_rtp_packet = parted


async def hostile_files(serving: Serving, end: float, answers: Counter[str]) -> None:
    """Send what no honest visitor sends, again and again."""
    number, session = 0, ""
    while time.monotonic() < end:
        kind, data = HOSTILE[number % len(HOSTILE)]
        number += 1
        with contextlib.suppress(OSError):
            session = session or await open_session(serving.url)
            address = f"{serving.url}/avatars" if kind.startswith("image") else f"{session}/audio"
            try:
                await asyncio.to_thread(call, "POST", address, data, kind)
                answers["taken"] += 1
            except urllib.error.HTTPError as error:
                answers[str(error.code)] += 1
                session = "" if error.code == 404 else session
        with contextlib.suppress(OSError):  # and half a request that is never finished
            half = socket.create_connection(("127.0.0.1", serving.port), 1)
            half.sendall(b"POST /sessions HTTP/1.1\r\nHost: x")
            asyncio.get_running_loop().call_later(20, half.close)
        await asyncio.sleep(1.5)


async def trouble(serving: Serving, seconds: float, end: float) -> Counter[str]:
    """Kill, burn and restart, in turns over the whole time."""
    done: Counter[str] = Counter()
    turns = ("kill", "burn", "kill", "restart")
    pause = max(8.0, seconds / 12)
    number = 0
    while time.monotonic() + pause < end:
        await asyncio.sleep(pause)
        turn = turns[number % len(turns)]
        number += 1
        if turn == "kill" and (voice := serving.voice()) is not None:
            os.kill(voice, signal.SIGKILL)
        elif turn == "burn":
            burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 2)]
            await asyncio.sleep(pause / 2)
            for burner in burners:
                burner.kill()
                burner.wait()
        elif turn == "restart":
            await serving.restart()
        done[turn] += 1
    return done


async def run(serving: Serving, seconds: float) -> dict[str, Any]:
    """All of it at once."""
    await serving.ready()
    end = time.monotonic() + seconds
    healthy = [Healthy(serving) for _ in range(2)]
    answers: Counter[str] = Counter()
    sizes: list[float | None] = []

    async def weigh() -> None:
        while True:
            sizes.append(memory(serving.process.pid))
            await asyncio.sleep(2)

    scales = asyncio.create_task(weigh())
    poor = asyncio.create_task(poor_viewer(serving, end))
    troubled = asyncio.create_task(trouble(serving, seconds, end))
    hostile = asyncio.create_task(hostile_files(serving, end, answers))
    await asyncio.gather(*(each.talk(end) for each in healthy))
    await hostile
    seen, done = await poor, await troubled
    scales.cancel()
    left = json.loads((await asyncio.to_thread(call, "GET", f"{serving.url}/healthz"))[0])
    return {
        "seconds": seconds,
        "healthy": [each.found() for each in healthy],
        "poor_viewer_pictures": seen,
        "hostile_answers": dict(answers),
        "trouble": dict(done),
        "alive": left["status"],
        **growth(sizes),
    }


def main() -> None:
    """Start a server, make trouble, print what became of the healthy; exit 1 if a sentence was lost."""
    parser = argparse.ArgumentParser(description="Healthy sessions beside trouble of all kinds, as JSON.")
    parser.add_argument("--minutes", type=float, default=10, help="of trouble")
    parser.add_argument("--size", type=int, default=256, help="of the pictures")
    arguments = parser.parse_args()
    serving = Serving(arguments.size)
    try:
        found = asyncio.run(run(serving, 60 * arguments.minutes))
    finally:
        serving.end()
    print(json.dumps(found, indent=1))
    lost = sum(each["sentences"]["lost"] for each in found["healthy"])
    sys.exit(1 if lost or found["alive"] != "ok" else 0)


if __name__ == "__main__":
    main()
