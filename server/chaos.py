"""What becomes of healthy sessions while all round them goes wrong: `python -m server.chaos`, one JSON object.

As many sessions as the machine holds, two at most, talk and are watched. Meanwhile the voice process is killed, a
further viewer loses packets and gets others late, other programs take the cores, hostile files and half requests come,
and the server is told to end and started again. Healthy sessions must lose no sentence: each is asked for until it was
heard whole.
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
import tempfile
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

MOST = 2
"""Healthy sessions, where the machine holds so many."""

AFTER = 10.0
"""Seconds after a trouble that count as part of it: rates of pictures are told for the calm as well."""

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

    def __init__(self, size: int, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._options = ["--port", str(self.port), "--size", str(size)]
        self._log = log
        self.url = f"http://127.0.0.1:{self.port}"
        self.capacity = 0
        self.troubled = 0.0  # of time.monotonic(), until when
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "speechhead", "serve", *self._options]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stderr=log, cwd=Path(__file__).parent.parent, env=os.environ)

    async def ready(self) -> None:
        """Wait until it answers."""
        for _ in range(900):
            with contextlib.suppress(OSError):
                await asyncio.to_thread(call, "GET", f"{self.url}/readyz")
                return
            await asyncio.sleep(0.1)
        raise TimeoutError("the server did not start in 90 s")

    async def measure(self) -> None:
        """Ask how many sessions the machine holds; later starts, beside trouble, measure it no more."""
        await self.ready()
        self.capacity = json.loads((await asyncio.to_thread(call, "GET", f"{self.url}/healthz"))[0])["capacity"]
        self._options += ["--max-sessions", str(self.capacity)]

    async def restart(self) -> None:
        """End it in good order, and start it again."""
        self.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self.process.wait, 60)
        self.process = self._start()
        await self.ready()

    @property
    def tracebacks(self) -> int:
        """In its log."""
        return self._log.read_text(encoding="utf-8", errors="replace").count("Traceback")

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
        self.heard = self.asked = self.again = self.reconnected = 0
        self._eye: BenchViewer | None = None
        self._measure: asyncio.Task[None] | None = None
        self.rates: list[tuple[float, bool]] = []  # pictures per second, and whether that was in the calm
        self.session = ""
        self.skews: list[float] = []

    async def talk(self, end: float) -> None:
        """Say sentence after sentence until a moment, and the last one to its end; one that failed is said again."""
        while time.monotonic() < end or (self.asked > self.heard and time.monotonic() < end + PATIENCE):
            try:
                if self._eye is None:
                    await self._come()
                await self._say(TEXTS[self.heard % len(TEXTS)])
            except (OSError, TimeoutError):
                self.reconnected += self.watched
                await self._leave()
                await asyncio.sleep(1)
        await self._leave()

    @property
    def watched(self) -> bool:
        """Whether it runs and is seen."""
        return self._eye is not None

    async def _come(self) -> None:
        url = self._serving.url
        self.session = await open_session(url)
        eye = BenchViewer(url, self.session.removeprefix(url) + "/whep")
        try:
            await eye.connect()
        except BaseException:
            await eye.close()
            raise
        self._eye, self._measure = eye, asyncio.create_task(self._watch(eye, self.session))

    async def _leave(self) -> None:
        """End the session, whose place another may need, as a page does."""
        if self._measure is not None:
            self._measure.cancel()
        if self._eye is not None:
            await self._eye.close()
        self._eye = self._measure = None
        with contextlib.suppress(OSError):
            if self.session:
                await asyncio.to_thread(call, "DELETE", self.session)

    async def _say(self, text: str) -> None:
        """One sentence, heard to its end."""
        assert self._eye is not None
        self.asked = self.heard + 1
        while True:
            said = (await post(f"{self.session}/say", text=text))["utterance"]
            done = await self._done(self._eye, said)
            if done is not None and not done["interrupted"]:
                self.heard += 1
                return
            self.again += 1

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
            count, begun = len(eye.pictures), time.monotonic()
            await asyncio.sleep(WINDOW)
            rate = (len(eye.pictures) - count) / (time.monotonic() - begun)
            self.rates.append((rate, begun > self._serving.troubled))
            with contextlib.suppress(OSError):
                known = await stats(session)
                if known["skew_ms"] is not None:
                    self.skews.append(known["skew_ms"])

    def found(self) -> dict[str, Any]:
        """As JSON."""
        rates, calm = sorted(rate for rate, _ in self.rates), sorted(rate for rate, calm in self.rates if calm)
        lost = self.asked - self.heard
        return {
            "sentences": {"asked": self.asked, "heard": self.heard, "said_again": self.again, "lost": lost},
            "reconnected": self.reconnected,
            "fps_median": round(statistics.median(rates), 2) if rates else None,
            "fps_of_the_worst_tenth": round(rates[len(rates) // 10], 2) if rates else None,
            "fps_median_in_calm": round(statistics.median(calm), 2) if calm else None,
            "skew_ms_most": max(map(abs, self.skews), default=None),
        }


async def poor_viewer(serving: Serving, others: list[Healthy], end: float, refused: Counter[str]) -> int:
    """A viewer whose network loses packets and delays them; pictures it decoded all the same.

    It looks at a session of its own, or, where the machine holds no further one and says so, at another's.
    """
    seen, own = 0, serving.capacity > len(others)
    rng = random.Random(0)
    while time.monotonic() < end:
        with contextlib.suppress(OSError, TimeoutError):
            if not own and not all(other.watched for other in others):  # whose place this must not take
                await asyncio.sleep(1)
                continue
            try:
                session = await open_session(serving.url)
            except urllib.error.HTTPError as error:
                refused[str(error.code)] += 1
                session = others[-1].session
            eye = BenchViewer(serving.url, session.removeprefix(serving.url) + "/whep")
            worsen(eye, rng)
            with contextlib.suppress(TimeoutError):
                await eye.connect()
            for _ in range(30):
                with contextlib.suppress(OSError):
                    if session != others[-1].session:
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


async def hostile_files(serving: Serving, other: Healthy, end: float, answers: Counter[str]) -> None:
    """Send what no honest visitor sends, again and again, into another's session."""
    number = 0
    while time.monotonic() < end:
        kind, data = HOSTILE[number % len(HOSTILE)]
        number += 1
        with contextlib.suppress(OSError, ValueError):
            address = f"{serving.url}/avatars" if kind.startswith("image") else f"{other.session}/audio"
            try:
                await asyncio.to_thread(call, "POST", address, data, kind)
                answers["taken"] += 1
            except urllib.error.HTTPError as error:
                answers[str(error.code)] += 1
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
        serving.troubled = float("inf")
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
        serving.troubled = time.monotonic() + AFTER
        done[turn] += 1
    return done


async def run(serving: Serving, seconds: float) -> dict[str, Any]:
    """All of it at once."""
    await serving.measure()
    end = time.monotonic() + seconds
    healthy = [Healthy(serving) for _ in range(max(1, min(MOST, serving.capacity)))]
    answers: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    sizes: list[float | None] = []

    async def weigh() -> None:
        while True:
            sizes.append(memory(serving.process.pid))
            await asyncio.sleep(2)

    scales = asyncio.create_task(weigh())
    talking = [asyncio.create_task(each.talk(end)) for each in healthy]
    poor = asyncio.create_task(poor_viewer(serving, healthy, end, refused))
    troubled = asyncio.create_task(trouble(serving, seconds, end))
    hostile = asyncio.create_task(hostile_files(serving, healthy[0], end, answers))
    await asyncio.gather(*talking)
    await hostile
    seen, done = await poor, await troubled
    scales.cancel()
    left = json.loads((await asyncio.to_thread(call, "GET", f"{serving.url}/healthz"))[0])
    return {
        "seconds": seconds,
        "capacity": serving.capacity,
        "healthy": [each.found() for each in healthy],
        "poor_viewer_pictures": seen,
        "hostile_answers": dict(answers),
        "sessions_refused": dict(refused),
        "trouble": dict(done),
        "alive": left["status"],
        "tracebacks": serving.tracebacks,
        **growth(sizes),
    }


def main() -> None:
    """Start a server, make trouble, print what became of the healthy; exit 1 if a sentence was lost."""
    parser = argparse.ArgumentParser(description="Healthy sessions beside trouble of all kinds, as JSON.")
    parser.add_argument("--minutes", type=float, default=10, help="of trouble")
    parser.add_argument("--size", type=int, default=256, help="of the pictures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        serving = Serving(arguments.size, Path(folder) / "log")
        try:
            found = asyncio.run(run(serving, 60 * arguments.minutes))
        finally:
            serving.end()
    print(json.dumps(found, indent=1))
    lost = sum(each["sentences"]["lost"] for each in found["healthy"])
    sys.exit(1 if lost or found["tracebacks"] or found["alive"] != "ok" else 0)


if __name__ == "__main__":
    main()
