"""A viewer on loopback: pictures and sound in time, speech, interrupt, microphone, live PCM."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")
pytest.importorskip("websockets")

import av
import websockets
from aiortc import MediaStreamTrack
from support.fakes import speech_like
from support.live import Watcher, play, running, session, until


def lips(watcher):
    """(media seconds, mean brightness of the lower half of the face) of every picture."""
    return np.array([(pts / 90_000, grey[64:104, 40:88].mean()) for _, pts, grey in watcher.pictures])


@pytest.mark.realtime
def test_pictures_and_sound_arrive_in_time_and_belong_together():
    async def scenario(client, server):
        made = await session(client)
        watcher = await Watcher(client, made["whep"]).connect(20)
        assert watcher.session == made["id"] and watcher.pictures[0][2].shape == (128, 128)
        count, begin = len(watcher.pictures), time.monotonic()
        await asyncio.sleep(1.5)
        assert (len(watcher.pictures) - count) / (time.monotonic() - begin) > 20
        await client.post(f"/sessions/{made['id']}/say", json={"text": "one two three four. five six"})
        await until(lambda: watcher.heard("done"), 8)
        stats = (await client.get(f"/sessions/{made['id']}/stats")).json()
        assert abs(stats["skew_ms"]) < 45 and stats["first_frame_ms"] < 700
        assert stats["viewers"][0]["codec"] == "H264" and stats["viewers"][0]["state"] == "connected"
        kinds = [message["type"] for _, message in watcher.messages]
        assert kinds[0] == "hello" and watcher.heard("hello")[0]["state"] == "idle"
        assert kinds.count("caption") == 2 and kinds.count("word") == 6
        states = [message["state"] for message in watcher.heard("state")]
        await until(lambda: watcher.heard("state")[-1]["state"] == "idle")
        assert states[:2] == ["thinking", "speaking"]
        words = watcher.heard("word")
        assert [word["word"] for word in words] == ["one", "two", "three", "four", "five", "six"]
        assert all(0.2 < word["end"] - word["start"] < 0.3 for word in words)
        loud = [arrived for arrived, _, level in watcher.loudness if level > 300]
        said_at = next(at for at, message in watcher.messages if message["type"] == "caption")
        assert abs(loud[0] - said_at) < 0.25
        watcher.channel.send(json.dumps({"type": "ping", "t": 5}))
        await until(lambda: watcher.heard("pong"))
        assert watcher.heard("pong")[0]["t"] == 5
        sources = server.sessions.get(made["id"]).stage._motion._sources
        for pose in ({"yaw": 200, "pitch": 0, "roll": 0}, {"yaw": "x"}, {"yaw": 12, "pitch": 3, "roll": 0}):
            watcher.channel.send("[" * 4000)  # which no parser of JSON likes
            await asyncio.sleep(0.02)
            watcher.channel.send(json.dumps({"type": "pose", **pose}))
            await asyncio.sleep(0.02)
        await until(lambda: list(getattr(sources._sources[-1].head, "aim", ())) == [12, 3, 0])
        await watcher.close()

    play(scenario)


@pytest.mark.realtime
def test_an_interrupt_is_heard_at_once():
    async def scenario(client, server):
        made = await session(client)
        watcher = await Watcher(client, made["whep"]).connect(10)
        await client.post(f"/sessions/{made['id']}/say", json={"text": "one two three four five six seven eight nine"})
        await until(lambda: len(watcher.heard("word")) > 2)
        watcher.channel.send(json.dumps({"type": "interrupt"}))
        await until(lambda: watcher.heard("done"))
        at = time.monotonic()
        await asyncio.sleep(0.8)
        assert watcher.heard("done")[0]["interrupted"] and watcher.heard("done")[0]["position"] < 1.6
        assert all(level < 50 for arrived, _, level in watcher.loudness if arrived > at + 0.3)
        assert len(watcher.heard("word")) < 7
        stats = (await client.get(f"/sessions/{made['id']}/stats")).json()
        assert stats["interrupt_ms"] <= 205 and stats["state"] == "idle"
        await watcher.close()

    play(scenario)


def test_whep_alone_makes_a_session_that_ends_with_its_viewer():
    async def scenario(client, server):
        watcher = await Watcher(client, "/whep?avatar=eileen_collins", codecs=["video/VP8"]).connect(5)
        stats = (await client.get(f"/sessions/{watcher.session}/stats")).json()
        assert stats["viewers"][0]["codec"] == "VP8"
        assert (await client.patch(watcher.location)).status_code == 415
        assert (await client.delete(watcher.location)).status_code == 200
        assert (await client.get(f"/sessions/{watcher.session}")).status_code == 404
        await watcher.close()

    play(scenario)


def test_two_sessions_keep_their_own_faces():
    async def scenario(client, server):
        made = [await session(client, avatar=name) for name in ("grace_hopper", "eileen_collins")]
        watchers = [await Watcher(client, one["whep"]).connect(15) for one in made]
        second = await Watcher(client, made[0]["whep"]).connect(5)  # who comes late sees at once
        await client.post(f"/sessions/{made[0]['id']}/say", json={"text": "one two three four"})
        await until(lambda: watchers[0].heard("done") and second.heard("done"))
        assert not watchers[1].heard("state") and not [1 for _, _, level in watchers[1].loudness if level > 50]
        portraits = []
        for one in made:
            staged = server.sessions.get(one["id"]).stage.renderer.avatar.picture
            portraits.append(staged.mean(axis=2))
        for watcher, own, other in ((watchers[0], 0, 1), (watchers[1], 1, 0), (second, 0, 1)):
            for _, _, grey in watcher.pictures[::5]:
                near, far = (np.abs(grey - portraits[k]).mean() for k in (own, other))
                assert near < 0.5 * far
        for watcher in (*watchers, second):
            await watcher.close()

    play(scenario)


class Microphone(MediaStreamTrack):
    """Speech-like sound in real time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.sound = (speech_like(20.0, 48_000) * 32767).astype(np.int16)
        self.number, self.begin = 0, time.monotonic()

    async def recv(self):
        await asyncio.sleep(max(0.0, self.begin + self.number * 0.02 - time.monotonic()))
        block = self.sound[self.number * 960 : self.number * 960 + 960]
        frame = av.AudioFrame.from_ndarray(block[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self.number * 960, Fraction(1, 48_000)
        self.number += 1
        return frame


def test_a_microphone_moves_the_mouth():
    async def scenario(client, server):
        made = await session(client, controls={"blink_rate": 0, "look_away": 0, "head": "retained"})
        watcher = await Watcher(client, made["whep"], microphone=Microphone()).connect(5)
        await until(lambda: [m for m in watcher.heard("state") if m["state"] == "listening"], 8)
        count = len(watcher.pictures)
        await asyncio.sleep(2)
        moved = lips(watcher)[count:, 1]
        assert moved.std() > 0.1
        assert [1 for _, _, level in watcher.loudness[-50:] if level > 300]  # it comes back in time with the lips
        assert (await client.get(f"/sessions/{made['id']}/stats")).json()["microphone"]
        await watcher.close()

    play(scenario)


def test_live_pcm_is_spoken_and_told_of():
    async def scenario(client, server):
        made = await session(client)
        url = f"ws://127.0.0.1:{client.base_url.port}/sessions/{made['id']}/pcm"
        async with websockets.connect(url) as socket:
            assert json.loads(await socket.recv()) == {"type": "ready"}
            data = (speech_like(0.8) * 32767).astype("<i2").tobytes()
            for i in range(0, len(data), 999):
                await socket.send(data[i : i + 999])
            await socket.send(json.dumps({"type": "end"}))
            assert json.loads(await socket.recv()) == {"type": "started"}
            finished = json.loads(await socket.recv())
            assert finished == {"type": "finished", "position": 0.8, "interrupted": False}
            await socket.send(data * 5)
            assert json.loads(await socket.recv()) == {"type": "started"}
            await socket.send(json.dumps({"type": "clear"}))
            finished = json.loads(await socket.recv())
            assert finished["interrupted"] and finished["position"] < 2
        async with websockets.connect(f"{url}?format=f32le&rate=48000") as socket:
            await socket.recv()
            await socket.send(np.full(48_000, np.nan, "<f4").tobytes())
            assert json.loads(await socket.recv()) == {"type": "started"}
        assert server.sessions.get(made["id"]).stage._thread.is_alive()

    play(scenario)


def test_sound_faster_than_it_is_heard_waits_and_nothing_is_lost():
    async def scenario(client, server):
        made = await session(client)
        url = f"ws://127.0.0.1:{client.base_url.port}/sessions/{made['id']}/pcm"
        async with websockets.connect(url) as socket:
            await socket.recv()
            for _ in range(6):
                await socket.send((speech_like(0.5) * 32767).astype("<i2").tobytes())
            await socket.send(json.dumps({"type": "end"}))
            assert json.loads(await socket.recv()) == {"type": "started"}
            assert server.sessions.get(made["id"]).stage.waiting()[0] < 1.2
            finished = json.loads(await asyncio.wait_for(socket.recv(), 8))
            assert finished == {"type": "finished", "position": 3.0, "interrupted": False}
            assert "nothing came for 0.8 s" in await asyncio.wait_for(socket.recv(), 8)  # from when it was heard

    play(scenario, pcm_seconds=0.3, socket_timeout=0.8)


def test_sockets_that_only_ping_hold_no_place():
    pings = {"pcm": {"type": "ping"}, "text": {"ping": True}, "talk": {"ping": True}}

    async def scenario(client, server):
        made = await session(client)
        url = f"ws://127.0.0.1:{client.base_url.port}/sessions/{made['id']}/"
        async with contextlib.AsyncExitStack() as stack:
            sockets = {kind: await stack.enter_async_context(websockets.connect(url + kind)) for kind in pings}
            frames = 0.0
            for _ in range(20):
                if not len(server.sessions):
                    break
                for kind, socket in sockets.items():
                    await socket.send(json.dumps(pings[kind]))
                await asyncio.sleep(0.2)
                told = float((await client.get("/metrics")).text.partition("\nspeechhead_frames_total ")[2].split()[0])
                assert told >= frames  # a counter
                frames = told
            assert not len(server.sessions)

    play(scenario, idle_timeout=0.5, llm="echo")


@pytest.mark.realtime
def test_the_shipped_networks_and_voice_speak(monkeypatch):
    """Four times slower than life, so that a busy machine draws all pictures in time."""
    from speechhead_server.core.config import ServerSettings
    from speechhead_server.http.app import Server
    from speechhead_server.stage.clock import Clock

    from speechhead.tts import voices

    if not any(voice.available and voice.engine == "piper" for voice in voices()):
        pytest.skip("no Piper voice on this machine")

    monkeypatch.setattr("speechhead_server.live.session.Clock", lambda: Clock(lambda: time.monotonic() / 4))

    async def run():
        server = Server(ServerSettings(size=256, max_sessions=2))
        async with running(server) as client:
            made = await session(client, controls={"head": "retained", "blink_rate": 0, "look_away": 0, "idle": False})
            watcher = await Watcher(client, made["whep"]).connect(20, timeout=40)

            rest = watcher.pictures[-1][2][165:210, 95:165].astype(int)

            def mouth(pictures):
                return np.array([np.abs(grey[165:210, 95:165] - rest).mean() for _, _, grey in pictures])

            still = mouth(watcher.pictures[-8:-1])
            before = len(watcher.pictures)
            await client.post(f"/sessions/{made['id']}/say", json={"text": "Hello there, my friend."})
            await until(lambda: watcher.heard("done"), 40)
            words = [message["word"] for message in watcher.heard("word")]
            assert " ".join(words) == "Hello there, my friend."
            spoken = mouth(watcher.pictures[before:])
            assert spoken.max() > 2 and spoken.max() > 4 * still.max(), (spoken, still)
            assert max(level for _, _, level in watcher.loudness) > 1000
            stats = (await client.get(f"/sessions/{made['id']}/stats")).json()
            assert abs(stats["skew_ms"]) < 45
            await watcher.close()

    asyncio.run(run())
