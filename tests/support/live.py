"""A server and its viewers in one event loop, with stand-ins for what is slow."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import numpy as np
from support.fakes import FakeGenerator, FakeSpeech, speech_like

from speechhead.core.errors import ServerError

SIZE = 128


class FakeSpeaker:
    """Says every word as a quarter second of noise, at once; the word `crash` fails."""

    restarts = 0

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay

    async def start(self):
        pass

    async def close(self):
        pass

    def warm(self, voice):
        pass

    async def speak(self, text, voice, whole=False):
        from speechhead_server.voice.speaker import Spoken

        for sentence in text.split(". "):
            await asyncio.sleep(self.delay)
            words = sentence.split()
            if "crash" in words:
                raise ServerError("the voice process ended in the middle of speech. Say it again.")
            times = [(word, 0.25 * i, 0.25 * (i + 1)) for i, word in enumerate(words)]
            yield Spoken(speech_like(0.25 * len(words)), sentence, times)


def make(settings=None, generator=FakeGenerator, speech=None, speaker=None, **options):
    """A server of fakes; options are settings."""
    from speechhead_server.core.config import ServerSettings
    from speechhead_server.http.app import Server

    options = {"size": SIZE, "max_sessions": 4, "port": 0, **options}
    return Server(settings or ServerSettings(**options), generator, speech or FakeSpeech(), speaker or FakeSpeaker())


def one_line(answer, status):
    assert answer.status_code == status, answer.text
    message = answer.json()["error"]
    assert message and "\n" not in message and "Traceback" not in message
    return message


@contextlib.asynccontextmanager
async def running(server):
    """The server on a free port, with an HTTP client for it."""
    import httpx
    import uvicorn

    config = uvicorn.Config(server.app, "127.0.0.1", 0, loop="asyncio", log_config=None, ws_max_size=2**21)
    host = uvicorn.Server(config)
    host.install_signal_handlers = lambda: None
    host.capture_signals = contextlib.nullcontext
    task = asyncio.create_task(host.serve())
    while not host.started:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
    port = host.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client
    finally:
        host.should_exit = True
        await task


class Watcher:
    """A viewer that counts what it gets."""

    def __init__(self, client, whep, microphone=None, headers=None, codecs=None) -> None:
        from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver

        self.client, self.whep, self.headers = client, whep, headers or {}
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self.connection.createDataChannel("speechhead")
        self.messages: list[tuple[float, dict]] = []
        self.pictures: list[tuple[float, int, np.ndarray]] = []  # arrival, pts at 90 kHz, mouth region
        self.loudness: list[tuple[float, int, float]] = []  # arrival, pts at 48 kHz, mean amplitude
        self.keep = True
        self.location = None
        self.tasks = []
        self.channel.on("message", lambda text: self.messages.append((time.monotonic(), json.loads(text))))
        self.connection.on("track", self._track)
        audio = self.connection.addTransceiver(microphone or "audio", "sendrecv" if microphone else "recvonly")
        video = self.connection.addTransceiver("video", "recvonly")
        if codecs:
            known = RTCRtpReceiver.getCapabilities("video").codecs
            video.setCodecPreferences([c for c in known if c.mimeType in codecs])
        assert audio

    def _track(self, track):
        self.tasks.append(asyncio.ensure_future(self._read(track)))

    async def _read(self, track):
        from aiortc.mediastreams import MediaStreamError

        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    grey = frame.to_ndarray(format="gray")
                    self.pictures.append((time.monotonic(), frame.pts, grey if self.keep else grey[:1, :1]))
                else:
                    self.loudness.append((time.monotonic(), frame.pts, float(np.abs(frame.to_ndarray()).mean())))

    async def connect(self, pictures=1, timeout=10):
        from aiortc import RTCSessionDescription

        await self.connection.setLocalDescription(await self.connection.createOffer())
        headers = {"Content-Type": "application/sdp", **self.headers}
        answer = await self.client.post(self.whep, content=self.connection.localDescription.sdp, headers=headers)
        assert answer.status_code == 201, answer.text
        self.location = answer.headers["location"]
        self.session = answer.headers["session"]
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        await until(lambda: len(self.pictures) >= pictures, timeout)
        return self

    def heard(self, kind):
        """Messages of a kind."""
        return [message for _, message in self.messages if message["type"] == kind]

    async def close(self):
        await self.connection.close()
        for task in self.tasks:
            task.cancel()


class SocketClient:
    """A client of a WebSocket of a session, with all that it was told; it begins when something was."""

    def __init__(self, client, made, kind, query=""):
        self.url = f"{str(client.base_url).replace('http', 'ws')}/sessions/{made['id']}/{kind}{query}"
        self.told = []

    async def __aenter__(self):
        import websockets

        self.socket = await websockets.connect(self.url)
        self.task = asyncio.create_task(self._read())
        await until(lambda: self.told)
        return self

    async def __aexit__(self, *_):
        await self.socket.close()
        self.task.cancel()

    async def _read(self):
        async for text in self.socket:
            self.told.append(json.loads(text))

    async def send(self, **order):
        await self.socket.send(json.dumps(order))

    def of(self, kind):
        return [message for message in self.told if message["type"] == kind]


async def until(true, timeout=5.0, every=0.01):
    """Wait for something to become true."""
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "timed out"
        await asyncio.sleep(every)


async def session(client, **body):
    """A new session."""
    answer = await client.post("/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def play(scenario, **options):
    """Run a scenario against a server of fakes."""

    async def run():
        server = make(**options)
        async with running(server) as client:
            await scenario(client, server)

    asyncio.run(run())
