"""The worker: what it is asked travels as metadata, what it can not do it rejects, and it takes as many as it holds."""

from __future__ import annotations

import asyncio
import pickle
import types

import pytest
from speechhead_server.agents import worker
from speechhead_server.agents.jobs import AGENT, AvatarJob, WorkerSettings
from speechhead_server.live import studio

from speechhead.core import weights
from speechhead.core.errors import DeviceError, ImageError, ServerError, SpeechheadError, WeightsError
from speechhead.core.options import RenderOptions


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path))
    return tmp_path


def test_a_job_travels_as_metadata():
    job = AvatarJob("speechhead-1", "agent-7", "eileen_collins", 256)
    job.check_here()
    assert AvatarJob.from_metadata(job.metadata) == job
    for text in ("", "{}", "[1]", "no json", '{"identity": "a", "path": "/etc/passwd"}'):
        with pytest.raises(ServerError, match="no avatar job"):
            AvatarJob.from_metadata(text)


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (AvatarJob(""), ServerError),
        (AvatarJob("a", "b" * 300), ServerError),
        (AvatarJob("a", portrait="/etc/passwd"), ServerError),
        (AvatarJob("a", size=99_999), ImageError),
    ],
)
def test_what_is_no_job_here_is_one_line(job, error):
    with pytest.raises(error) as caught:
        job.check_here()
    assert "\n" not in str(caught.value)


def test_settings_come_from_options_and_livekits_variables():
    variables = {"LIVEKIT_URL": "ws://a", "LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "secret"}
    settings = WorkerSettings.from_environment({"url": "wss://b", "sessions": 3, "size": None}, variables)
    assert (settings.url, settings.api_key, settings.sessions, settings.agent_name) == ("wss://b", "key", 3, AGENT)
    assert "secret" not in repr(settings).replace("api_secret", "")
    with pytest.raises(ServerError, match="--api-secret is missing. Give it, or set LIVEKIT_API_SECRET"):
        WorkerSettings.from_environment({"url": "ws://a", "api_key": "k"}, {})
    with pytest.raises(SpeechheadError, match="sessions 0"):
        WorkerSettings.from_environment({"sessions": 0}, variables)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "foo"}, "--url 'foo' is no address of a LiveKit server. Write wss://host"),
        ({"url": "ftp://a"}, "Write wss://host"),
        ({"url": "wss://"}, "Write wss://host"),
        ({"url": "wss://a:port"}, "Write wss://host"),
        ({"url": "wss://a b"}, "Write wss://host"),
        ({"url": "ws://user:secret@a"}, "Write wss://host"),
        ({"api_key": "key\nsecret"}, "api key holds a line break"),
        ({"api_secret": "secret\n"}, "api secret holds a line break"),
    ],
)
def test_what_no_livekit_can_be_reached_by_is_said_at_once(given, said):
    variables = {"LIVEKIT_URL": "ws://a", "LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "secret"}
    with pytest.raises(ServerError) as caught:
        WorkerSettings.from_environment(given, variables)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert "secret" not in str(caught.value).replace("api secret", "")


def test_what_draws_is_the_operators_choice(home):
    keys = {"url": "ws://a", "api_key": "key", "api_secret": "secret"}
    given = {"generator": "fomm", "engine": "torch", "device": "cpu", "precision": "bf16", "graph": "none"}
    how = WorkerSettings.from_environment({**keys, **given}, {}).drawing
    assert {name: getattr(how, name) for name in given} == given
    for wrong in ({"engine": "steam"}, {"device": "tpu"}, {"graph": "lines"}):
        with pytest.raises(DeviceError):
            WorkerSettings.from_environment({**keys, **wrong}, {})
    with pytest.raises(WeightsError, match="'nothing' is unknown"):
        worker.checked(WorkerSettings.from_environment({**keys, "generator": "nothing"}, {}))


def test_capacity_is_that_of_what_draws(monkeypatch):
    asked = []

    class Studio:
        capacity = 7

        def __init__(self, settings):
            asked.append(settings)

        def choose_sizes(self, avatar):
            asked.append(avatar.size)

        def close(self):
            asked.append("closed")

    monkeypatch.setattr(studio, "Studio", Studio)
    settings = WorkerSettings("ws://a", "key", "secret", size=128, generator="mine", device="cpu", engine="torch")
    assert worker.measured_capacity(settings) == 7 and asked[1:] == [128, "closed"]
    assert (asked[0].generators, asked[0].device, asked[0].engine, asked[0].size) == (("mine",), "cpu", "torch", 128)


def test_a_job_is_drawn_by_the_workers_generator(home):
    livekit = pytest.importorskip("speechhead_server.agents.livekit_worker", exc_type=ServerError)
    pytest.importorskip("torch")
    from support.small_families import installed

    installed("fomm", home)
    settings = WorkerSettings("ws://a", "key", "secret", generator="fomm", device="cpu")
    renderer = livekit.prepared(AvatarJob("speechhead-1", size=128), settings.drawing)
    assert renderer.generator.family == "fomm" and renderer.generator.size == 128
    entry = livekit.made(settings, 1)._entrypoint_fnc
    assert pickle.loads(pickle.dumps(entry)).keywords["how"].generator == "fomm", "the job's process gets it pickled"


class Request:
    def __init__(self, metadata):
        self.job, self.accepted, self.rejected = types.SimpleNamespace(metadata=metadata), None, False

    async def accept(self, **given):
        self.accepted = given

    async def reject(self):
        self.rejected = True


def test_jobs_are_accepted_under_their_identity_or_rejected():
    livekit = pytest.importorskip("speechhead_server.agents.livekit_worker", exc_type=ServerError)
    good, bad = Request(AvatarJob("speechhead-1", "agent-7").metadata), Request("{")
    asyncio.run(livekit.accept(good))
    asyncio.run(livekit.accept(bad))
    assert good.accepted == {
        "name": "speechhead",
        "identity": "speechhead-1",
        "attributes": {"lk.publish_on_behalf": "agent-7"},
    }
    assert bad.rejected and bad.accepted is None


@pytest.mark.parametrize("capacity", [1, 2, 7])
def test_it_takes_as_many_as_it_holds(capacity):
    livekit = pytest.importorskip("speechhead_server.agents.livekit_worker", exc_type=ServerError)
    settings = WorkerSettings("ws://127.0.0.1:1", "key", "secret", drain_seconds=0)
    server = livekit.made(settings, capacity)
    load = livekit.Load(capacity)
    loads = [load(types.SimpleNamespace(active_jobs=[None] * count)) for count in range(capacity + 1)]
    assert all(value < load.threshold for value in loads[:-1]) and loads[-1] >= load.threshold
    assert server._agent_name == AGENT and server._drain_timeout == 0


class Room:
    """A room that keeps who is told of what."""

    name, metadata = "room", ""

    def __init__(self):
        self.handlers, self.local_participant = {}, types.SimpleNamespace(identity="agent-7")

    def isconnected(self):
        return False

    def on(self, name, handler):
        self.handlers[name] = handler

    def off(self, name, handler):
        self.handlers.pop(name)


def test_it_performs_until_its_agent_has_left(monkeypatch, portrait):
    livekit = pytest.importorskip("speechhead_server.agents.livekit_worker", exc_type=ServerError)
    from support.fakes import FakeGenerator, FakeSpeech

    from speechhead.avatar.portrait import Avatar
    from speechhead.avatar.square import on_stage
    from speechhead.render.stream import Renderer

    told = []

    class Runner:
        def __init__(self, room, audio_recv, video_gen, options):
            told.append((room, audio_recv, options.video_width))

        async def start(self):
            told.append("start")

        async def aclose(self):
            told.append("aclose")

    class Context:
        job = types.SimpleNamespace(metadata=AvatarJob("speechhead-1", "agent-7", size=128).metadata)
        room = Room()
        ends: list = []
        reason = None

        async def connect(self):
            told.append("connect")

        def add_shutdown_callback(self, end):
            self.ends.append(end)

        def shutdown(self, reason):
            self.reason = reason

    staged = on_stage(Avatar.from_image(portrait), 128)
    monkeypatch.setattr(livekit, "prepared", lambda job, how: Renderer(staged, None, FakeGenerator(128), FakeSpeech()))
    monkeypatch.setattr(livekit, "AvatarRunner", Runner)
    monkeypatch.setattr(livekit, "DataStreamAudioReceiver", lambda room, sender_identity: sender_identity)

    async def scenario():
        context = Context()
        await livekit.perform(context, RenderOptions())
        assert told == ["connect", (context.room, "agent-7", 128), "start"]
        left = context.room.handlers["participant_disconnected"]
        left(types.SimpleNamespace(identity="somebody"))
        assert context.reason is None
        left(types.SimpleNamespace(identity="agent-7"))
        assert context.reason == "the agent has left"
        await context.ends[0]()
        assert told[-1] == "aclose"

    asyncio.run(scenario())


def test_the_plugin_dispatches_and_speaks_through_the_avatar(monkeypatch):
    plugin = pytest.importorskip("speechhead_server.agents.livekit_session", exc_type=ServerError)
    asked = []

    class Api:
        def __init__(self, *keys):
            asked.append(keys)
            self.agent_dispatch = self

        async def create_dispatch(self, request):
            asked.append(request)

        async def aclose(self):
            asked.append("closed")

    monkeypatch.setattr(plugin.api, "LiveKitAPI", Api)
    monkeypatch.setattr(plugin, "DataStreamAudioOutput", lambda room, **given: given)
    session = types.SimpleNamespace(output=types.SimpleNamespace(audio=None), on=lambda *_: None, off=lambda *_: None)

    async def scenario():
        avatar = plugin.SpeechheadAvatar("eileen_collins", 256)
        with pytest.raises(ServerError, match="LIVEKIT_URL"):
            await avatar.start(session, Room())
        keys = ("ws://a", "key", "secret")
        await avatar.start(session, Room(), **dict(zip(("livekit_url", "livekit_api_key", "livekit_api_secret"), keys)))
        job = AvatarJob.from_metadata(asked[1].metadata)
        assert asked[0] == keys and asked[1].agent_name == AGENT and asked[1].room == "room" and asked[2] == "closed"
        assert (job.identity, job.portrait, job.size) == (avatar.avatar_identity, "eileen_collins", 256)
        assert session.output.audio["destination_identity"] == avatar.avatar_identity
        await avatar.aclose()

    for variable in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(variable, raising=False)
    asyncio.run(scenario())
