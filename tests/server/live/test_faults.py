"""What goes wrong in a live server's life, and leaves the others undisturbed and nothing behind."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import signal
import sys
import time
import weakref

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")
pytest.importorskip("websockets")

import websockets
from speechhead_server.voice.speaker import Speaker
from support.live import FakeSpeaker, Watcher, make, play, running, session, until


@pytest.mark.parametrize(
    "query, message, code",
    [
        ("?format=mp3", None, 1008),
        ("?rate=x", None, 1008),
        ("", "no json", 1008),
        ("", '{"type": "dance"}', 1008),
        ("", b"x" * 1_100_000, 1009),
        ("", None, 1008),  # connects and says nothing: a slow loris
    ],
)
def test_a_socket_that_breaks_the_rules_is_closed(query, message, code):
    async def scenario(client, server):
        made = await session(client)
        url = f"ws://127.0.0.1:{client.base_url.port}/sessions/{made['id']}/pcm{query}"
        async with websockets.connect(url) as socket:
            if message is not None:
                await socket.recv()
                await socket.send(message)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                while True:
                    last = json.loads(await asyncio.wait_for(socket.recv(), 5))
            assert closed.value.rcvd.code == code
            assert last["type"] == "error" and "\n" not in last["error"]

    play(scenario, socket_timeout=0.5)


def test_a_session_unknown_to_a_socket():
    async def scenario(client, server):
        async with websockets.connect(f"ws://127.0.0.1:{client.base_url.port}/sessions/nobody/pcm") as socket:
            assert "unknown" in json.loads(await socket.recv())["error"]
        with pytest.raises(websockets.WebSocketException):
            origin = {"origin": "https://evil.org"}
            async with websockets.connect(f"ws://127.0.0.1:{client.base_url.port}/sessions/x/pcm", **origin):
                pass

    play(scenario)


@pytest.mark.realtime
def test_a_tenth_of_the_packets_lost(monkeypatch):
    """Pictures and sound go on: retransmission, keyframes on request, and Opus' own correction."""
    from aiortc.rtcdtlstransport import RTCDtlsTransport

    send, loss = RTCDtlsTransport._send_rtp, random.Random(1)

    async def lossy(self, data):
        if loss.random() > 0.1:
            await send(self, data)

    async def scenario(client, server):
        made = await session(client)
        watcher = await Watcher(client, made["whep"]).connect(5, timeout=20)
        monkeypatch.setattr(RTCDtlsTransport, "_send_rtp", lossy)
        count, begin = len(watcher.pictures), time.monotonic()
        await client.post(f"/sessions/{made['id']}/say", json={"text": "one two three four five six seven eight"})
        await until(lambda: watcher.heard("done"), 10)
        await asyncio.sleep(1)
        assert (len(watcher.pictures) - count) / (time.monotonic() - begin) > 12
        stats = (await client.get(f"/sessions/{made['id']}/stats")).json()
        assert stats["viewers"][0]["state"] == "connected"
        monkeypatch.undo()
        await watcher.close()

    play(scenario)


@pytest.mark.realtime
def test_a_viewer_that_vanishes_is_noticed_and_everything_is_freed(monkeypatch):
    monkeypatch.setattr("speechhead_server.rtc.viewer.VANISHED", 1.5)

    async def scenario(client, server):
        made = await session(client)
        watcher = await Watcher(client, made["whep"]).connect(5)
        one = server.sessions.get(made["id"])
        viewer = next(iter(one.viewers.values()))
        kept = [weakref.ref(thing) for thing in (one, one.stage, viewer)]
        thread = one.stage._thread
        for transceiver in watcher.connection.getTransceivers():  # it falls silent without a farewell
            await transceiver.receiver.transport.transport._connection.close()
            break
        await until(lambda: len(server.sessions) == 0, 12)
        assert not thread.is_alive() and viewer.state == "closed"
        await watcher.close()
        del one, viewer
        await asyncio.sleep(0.2)
        gc.collect()
        assert [ref() for ref in kept] == [None] * 3

    play(scenario, idle_timeout=0.5)


VOICE = """
import json, struct, sys, time
def write(head, data=b""):
    text = json.dumps(head).encode()
    sys.stdout.buffer.write(struct.pack("<I", len(text)) + text + data)
    sys.stdout.buffer.flush()
write({"ready": True})
for line in sys.stdin:
    order = json.loads(line)
    if "job" in order:
        for piece in range(order["after"] + 1, 3):
            head = {"job": order["job"], "piece": piece, "text": "x", "words": [["x", 0, 0.5]], "samples": 8000}
            write(head, bytes(32000))
            time.sleep(0.3)
        write({"job": order["job"], "end": True})
"""


@pytest.mark.realtime
def test_the_voice_process_may_die():
    async def scenario(client, server):
        first, second = await session(client), await session(client)
        watcher = await Watcher(client, first["whep"]).connect(5)
        speaker = server.sessions.speaker
        await client.post(f"/sessions/{first['id']}/say", json={"text": "one"})
        await until(lambda: watcher.heard("caption"))
        os.kill(speaker.pid, signal.SIGKILL)
        await until(lambda: watcher.heard("done"), 8)  # said to its end by the next process, and no word twice
        assert not watcher.heard("error") and not watcher.heard("done")[0]["interrupted"]
        assert len(watcher.heard("word")) == 3
        count = len(watcher.pictures)
        for one in (first, second):  # and is there again for everybody
            await client.post(f"/sessions/{one['id']}/say", json={"text": "two"})
        await until(lambda: len(watcher.heard("done")) == 2, 8)
        assert not watcher.heard("done")[1]["interrupted"] and len(watcher.pictures) > count + 10
        await until(lambda: server.sessions.get(second["id"]).state == "idle")
        assert speaker.restarts == 1
        pid = speaker.pid
        await watcher.close()
        await speaker.close()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    play(scenario, speaker=Speaker([sys.executable, "-c", VOICE]))


def test_a_text_that_can_not_be_spoken_is_said_so_and_the_next_one_is():
    async def scenario(client, server):
        made = await session(client)
        watcher = await Watcher(client, made["whep"]).connect(5)
        for text in ("one crash", "two"):
            await client.post(f"/sessions/{made['id']}/say", json={"text": text})
        await until(lambda: len(watcher.heard("done")) == 2)
        assert len(watcher.heard("error")) == 1 and len(watcher.heard("word")) == 1
        await watcher.close()

    play(scenario, speaker=FakeSpeaker(0.05))


def test_the_server_ends_in_good_order():
    async def run():
        server = make()
        async with running(server) as client:
            made = await session(client)
            watcher = await Watcher(client, made["whep"]).connect(5)
            await client.post(f"/sessions/{made['id']}/say", json={"text": "one two three four five six"})
            stage = server.sessions.get(made["id"]).stage
        await until(lambda: watcher.connection.connectionState in ("closed", "failed"))
        assert not stage._thread.is_alive() and len(server.sessions) == 0
        assert "ended" in watcher.heard("error")[0]["error"]
        await watcher.close()

    asyncio.run(run())
