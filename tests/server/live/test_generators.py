"""Sessions of several generators, on cores and devices, and what happens where one of them has no room."""

from __future__ import annotations

import asyncio
import time

import pytest
from support.fakes import FakeDevice, FakeSpeech
from support.live import FakeSpeaker, Watcher, one_line, play, running, session, until

pytest.importorskip("aiortc")
pytest.importorskip("httpx")

from speechhead_server.core.config import ServerSettings, from_environment
from speechhead_server.core.problems import Refused
from speechhead_server.http import serve
from speechhead_server.http.app import Server
from speechhead_server.live import palette
from speechhead_server.live.palette import CORES, GeneratorPalette, Offered
from speechhead_server.live.studio import Studio

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.square import on_stage
from speechhead.core import weights
from speechhead.core.errors import DeviceError, DeviceMemoryError, ServerError, WeightsError


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path / "home"))
    return tmp_path / "home"


def device(**about):
    """Makes fake devices, and keeps those that it made."""

    class Made(FakeDevice):
        all: list[FakeDevice] = []

        def __init__(self, size=128, *more):
            super().__init__(size, *more)
            vars(self).update(about)
            self.all.append(self)

    return Made


def test_a_stream_takes_its_part_of_every_device():
    cores = Offered("compact", CORES, False, 512, [256, 512], {512: 100.0})
    assert cores.load(512, 2) == {CORES: pytest.approx(25 * 1.35 / 100 + 25 * 0.025 / 2)}  # drawn, and all beside it
    assert [cores.capacity(512, count) for count in (1, 2, 4)] == [1, 1, 2]
    assert cores.load(256, 2)[CORES] < cores.load(512, 2)[CORES]
    just = Offered("compact", CORES, False, 512, [512], {512: cores.needed(512, 2)})
    assert just.load(512, 2)[CORES] == pytest.approx(1)
    there = Offered("fomm", "cuda", True, 512, [256, 512], {512: 500.0})
    load = there.load(512, 8)
    assert load["cuda"] == there.load(256, 8)["cuda"] == pytest.approx(0.0625)
    assert load[CORES] > there.load(256, 8)[CORES] and there.load(1024, 8)["cuda"] > load["cuda"]
    assert 1 == there.capacity(512, 1) < there.capacity(512, 8) < there.capacity(512, 64) == 16  # the cores, the device
    assert Offered("fomm", "cuda", True, 256, [256]).capacity(256, 2) == 1


def test_only_what_the_operator_named_is_offered():
    palette = GeneratorPalette(ServerSettings(generators=("fomm", "mine")), FakeDevice)
    assert palette.check(None) == palette.default == "fomm" and palette.check("mine") == "mine"
    with pytest.raises(Refused, match="'compact' is not offered here. Use one of fomm, mine."):
        palette.check("compact")
    first, other = palette.generator("fomm", 128), palette.generator("mine", 128)
    assert first is palette.generator("fomm", 128) and first is not other
    assert palette.generator("fomm", 64).size == 64
    palette.forget("fomm", 128)
    assert palette.generator("fomm", 128) is not first


def test_generators_are_options():
    settings = from_environment({"generators": ["fomm", "compact"], "device": "cpu"}, {"SPEECHHEAD_ENGINE": "torch"})
    assert settings.generators == ("fomm", "compact") and (settings.engine, settings.device) == ("torch", "cpu")
    assert from_environment({}, {"SPEECHHEAD_GENERATORS": "dagan, fomm"}).generators == ("dagan", "fomm")
    for wrong in ({"generators": ["fomm", "fomm"]}, {"generators": ["a", ""]}):
        with pytest.raises(ServerError, match="give each --generator once"):
            from_environment(wrong, {})
    with pytest.raises(DeviceError, match="tpu"):
        from_environment({"device": "tpu"}, {})


def test_what_can_not_be_opened_is_said_before_anything_listens(home, monkeypatch):
    opened = []
    monkeypatch.setattr(serve, "listen", lambda *address: opened.append(address) or serve.socket.socket())
    monkeypatch.setattr(serve.logging, "basicConfig", lambda **_: None)
    monkeypatch.setattr(serve.logging.getLogger("speechhead"), "handlers", [])
    monkeypatch.setattr(serve.sys, "setswitchinterval", lambda _: None)
    monkeypatch.setattr(palette, "open_generator", lambda *what: pytest.fail(f"opened {what}"))
    with pytest.raises(WeightsError, match="no weights here.*weights import FILE --family fomm"):
        serve.serve(ServerSettings(port=0, generators=("compact", "fomm"), size=64, max_sessions=1))
    with pytest.raises(WeightsError, match=r"nowhere.safetensors: no such weight file"):
        Server(ServerSettings(generators=("compact", "nowhere.safetensors")), speech=FakeSpeech())
    assert len(opened) == 1  # a look whether the address is free, and no more
    with pytest.raises(DeviceError, match="cuda"):
        Server(ServerSettings(device="cuda", size=64), speech=FakeSpeech())


def test_a_device_is_measured_and_offered():
    made = device(call=0.004, each=0.0005)

    async def scenario(client, server):
        config = (await client.get("/config")).json()
        (shown,) = config["generators"]
        assert shown["device"] == "fake:0" and shown["sizes"] == [128, 256, 384, 512] and shown["size"] == 512
        assert shown["capacity"] == server.studio.capacity >= 1
        assert server.studio.offer().speed[512] > 1 / (made.all[0].call + made.all[0].each)  # of one by one
        generator = server.studio.palette.generator("compact", 512)
        assert server.studio.drawing.queue("fake:0").pace(generator).limit > 1
        first = await session(client)
        assert first["generator"] == "compact" and first["size"] == 512
        small = await session(client, size=128)
        assert small["size"] == 128 and len(made.all) == 2  # the second sized from the first
        stats = (await client.get(f"/sessions/{first['id']}/stats")).json()
        assert stats["generator"] == "compact"
        one_line(await client.post("/sessions", json={"generator": "fomm"}), 422)
        numbers = (await client.get("/metrics")).text
        assert 'speechhead_device_calls_total{device="fake:0"} 2.0' in numbers  # the two were tried out

    play(scenario, generator=made, max_sessions=None, size=None)


def sized_for(made, avatar, size=None):
    """The size that a server chooses, or DeviceMemoryError."""
    studio = Studio(ServerSettings(workers=8, size=size), made, FakeSpeech())
    try:
        studio.choose_sizes(avatar)
        assert studio.offer().sizes[-1] == studio.size and studio.renderer(on_stage(avatar, studio.size))
        return studio.size
    finally:
        studio.close()


def test_a_device_that_is_slow_or_full_draws_a_familys_own_size(portrait):
    class Slow(FakeDevice):
        def render_many(self, sources, normalised, poses):
            time.sleep(0.06 * len(sources) if self.size > 128 else 0.001)
            return sources

    class Full(FakeDevice):
        def render_many(self, sources, normalised, poses):
            if self.size > 128:
                raise DeviceMemoryError("device 'fake:0' has no memory left. Give a smaller --size.")
            return sources

    avatar = Avatar.from_image(portrait)
    assert sized_for(Slow, avatar) == sized_for(Full, avatar) == 128 and sized_for(Slow, avatar, 512) == 512
    with pytest.raises(DeviceMemoryError, match="smaller --size"):
        sized_for(Full, avatar, 512)


def test_a_device_without_memory_refuses_the_newest_and_goes_on():
    made = device(call=0.002)

    async def scenario(client, server):
        first = await session(client)
        watcher = await Watcher(client, first["whep"]).connect(3)
        for generator in made.all:
            generator.portraits = generator.prepared
        message = one_line(await client.post("/sessions", json={"avatar": "eileen_collins"}), 503)
        assert message == "device 'fake:0' has no memory left. Open fewer sessions."
        assert len(server.sessions) == 1 and server.sessions._room.coming == []
        assert server.gallery.get("eileen_collins").staged == {}
        assert (await client.get("/avatars/mara/picture")).status_code == 200
        second = await session(client)  # of a portrait that is there already
        other = await Watcher(client, second["whep"]).connect(3)
        for generator in made.all:
            generator.room = 0
        await until(lambda: server.sessions._sessions.keys() == {first["id"]}, 8)
        for generator in made.all:
            generator.room = generator.portraits = 10**6
        assert any("no memory left" in message["error"] for message in other.heard("error"))
        count = len(watcher.pictures)
        await until(lambda: len(watcher.pictures) > count + 5)
        await session(client, avatar="eileen_collins")
        assert server.metrics.ended.labels("no memory")._value.get() == 1
        await watcher.close()
        await other.close()

    play(scenario, generator=made)


@pytest.mark.realtime
def test_two_families_are_live_at_once(home):
    pytest.importorskip("torch")
    from support.small_families import installed

    for seed, (name, size) in enumerate((("fomm", 64), ("dagan", 128))):
        installed(name, home, seed=seed, size=size)
    settings = ServerSettings(generators=("fomm", "dagan"), size=64, max_sessions=4, port=0)

    async def scenario():
        server = Server(settings, None, FakeSpeech(), FakeSpeaker())
        async with running(server) as client:
            made = [await session(client, generator=name) for name in (None, "dagan")]
            assert [one["generator"] for one in made] == ["fomm", "dagan"]
            watchers = [await Watcher(client, one["whep"]).connect(3, timeout=30) for one in made]
            assert not (watchers[0].pictures[-1][2] == watchers[1].pictures[-1][2]).all()
            for one in made:
                await client.post(f"/sessions/{one['id']}/say", json={"text": "one two three four five six"})
            await until(lambda: all(w.heard("state")[-1]["state"] == "speaking" for w in watchers if w.heard("state")))
            stopped = await client.post(f"/sessions/{made[0]['id']}/interrupt")
            assert stopped.json()["interrupted"]
            await until(lambda: all(watcher.heard("done") for watcher in watchers), 15)
            assert watchers[0].heard("done")[0]["interrupted"] and not watchers[1].heard("done")[0]["interrupted"]
            await client.delete(f"/sessions/{made[0]['id']}")
            count = len(watchers[1].pictures)
            await until(lambda: len(watchers[1].pictures) > count + 3, 15)
            fomm, dagan = (server.studio.palette.generator(name, 64) for name in settings.generators)
            again = await session(client, generator="fomm", size=64)
            assert server.sessions.get(again["id"]).stage.renderer.generator is fomm is not dagan
            for watcher in watchers:
                await watcher.close()

    asyncio.run(scenario())
