"""A conversation over its socket: typed and spoken turns, interrupted ones, and what fails without harm to others."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")
pytest.importorskip("websockets")

from speechhead_server.talk import partners
from speechhead_server.talk.vad import EnergyDetector
from support.fakes import speech_like
from support.live import SocketClient, play, session, until
from support.openai_server import OpenAiServer


class Talker(SocketClient):
    """A client of the conversation."""

    def __init__(self, client, made):
        super().__init__(client, made, "talk")

    async def speak(self, samples):
        for begin in range(0, len(samples), 1600):
            await self.socket.send((samples[begin : begin + 1600] * 32767).astype("<i2").tobytes())

    def texts(self, kind):
        return [message["text"] for message in self.of(kind)]


def talk(scenario, service=None, **options):
    """Run a scenario with a service beside the server."""

    async def beside():
        async with service or OpenAiServer() as running:
            from support.live import make
            from support.live import running as serving

            chosen = {"llm": running.url, "asr": running.url, "llm_key": "sk-key", "llm_timeout": 2.0, **options}
            server = make(**chosen)
            async with serving(server) as client:
                await scenario(client, server, running)

    asyncio.run(beside())


@pytest.fixture(autouse=True)
def by_energy(monkeypatch):
    monkeypatch.setattr(partners, "open_detector", EnergyDetector)


SILENCE = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 1e-3


def test_what_is_written_is_answered_sentence_by_sentence_and_remembered():
    service = OpenAiServer(["[happy:0.5] Hello [waves] there. How *are* you?", "Fine."])

    async def scenario(client, server, service):
        assert (await client.get("/config")).json()["talk"] == {"listens": True}
        made = await session(client)
        async with Talker(client, made) as talker:
            assert talker.of("ready")[0]["listens"]
            await talker.send(text=" Hi \ud83d\ude00 ")
            await until(lambda: talker.of("heard"), 10)
            assert talker.texts("user") == ["Hi \U0001f600"]
            assert talker.texts("answer") == ["Hello there.", "How *are* you?"]
            assert talker.texts("heard") == ["Hello there. How *are* you?"] and not talker.of("heard")[0]["interrupted"]
            assert [m["state"] for m in talker.of("state")] == ["thinking", "speaking", "idle"]
            assert talker.of("timing")[0]["first_frame_ms"] < 2000 and talker.of("word")
            await talker.send(text="And now?")
            await until(lambda: len(service.asked) == 2)
            said = service.asked[1]
            assert [m["role"] for m in said] == ["system", "user", "assistant", "user"]
            assert (
                said[2]["content"] == "[happy:0.5] Hello  there. How *are* you?" and service.keys[0] == "bearer sk-key"
            )
            await talker.send(forget=True)
            await until(lambda: talker.of("forgotten"))
            await talker.send(text="Anew.")
            await until(lambda: len(service.asked) == 3)
            assert [m["content"] for m in service.asked[2][1:]] == ["Anew."]

    talk(scenario, service)


def test_speech_is_heard_answered_and_interrupts():
    service = OpenAiServer(
        ["one two three four five six seven eight nine ten eleven twelve."], ["what is it", "stop it now"]
    )

    async def scenario(client, server, service):
        made = await session(client)
        async with Talker(client, made) as talker:
            await talker.send(listen=True)
            await talker.speak(np.concatenate([SILENCE, speech_like(1.2), SILENCE]))
            await until(lambda: len(talker.of("word")) >= 3, 10)
            assert talker.texts("user") == ["what is it"] and len(service.sounds) == 1
            assert 2 * 16_000 < len(service.sounds[0]) < 2 * 33_000  # what was said, and a little around it
            running = server.sessions.get(made["id"])
            await talker.speak(speech_like(0.5, seed=1))  # while the avatar speaks
            await until(lambda: talker.of("heard"))
            heard = talker.of("heard")[0]
            assert heard["interrupted"] and heard["text"].startswith("one two three") and "nine" not in heard["text"]
            await until(lambda: running.stage.interrupt_ms is not None)
            assert running.stage.interrupt_ms <= 250
            await talker.speak(np.concatenate([speech_like(0.5, seed=2), SILENCE]))
            await until(lambda: len(service.asked) == 2, 10)
            assert [m["content"] for m in service.asked[1][1:]] == ["what is it", f"{heard['text']} ...", "stop it now"]
            # A key that is held, and silence while it is.
            await talker.send(listen=False)
            await talker.send(hold=True)
            await until(lambda: talker.of("state")[-1]["state"] == "hearing")
            await talker.speak(SILENCE)
            await talker.send(hold=False)
            await until(lambda: talker.of("state")[-1]["state"] == "idle")
            assert len(service.sounds) == 2

    talk(scenario, service)


def test_what_fails_is_one_line_and_the_next_turn_is_answered():
    async def scenario(client, server, service):
        made, other = await session(client), await session(client)
        async with Talker(client, made) as talker, Talker(client, other) as neighbour:
            for trouble, line in (
                ("401", "SPEECHHEAD_LLM_KEY"),
                ("429", "Wait"),
                ("broken", "broke off"),
                ("silent", "in 0.5 s"),
            ):
                service.trouble = trouble
                await talker.send(text=trouble)
                await until(lambda: talker.of("error"), 8)
                assert line in talker.of("error")[0]["error"]
                await until(lambda: talker.of("state")[-1]["state"] == "idle")
                talker.told.clear()
            await neighbour.send(text="Hi")
            await until(lambda: neighbour.of("heard"), 10)
            assert not neighbour.of("error")
            await talker.send(text="Hi")
            await until(lambda: talker.of("heard"), 10)
            await talker.send(speak="x")
            await until(lambda: talker.of("error"))
            assert "'speak' is unknown" in talker.of("error")[0]["error"]
            await talker.socket.wait_closed()
            assert talker.socket.close_code == 1008
        running = server.sessions.get(made["id"])
        assert running.ears is None and not running.listeners - {server.conversations.enter(running)._shown}

    talk(scenario, llm_timeout=0.5)


def test_its_own_words_are_no_turn():
    service = OpenAiServer(["one two three four five six seven eight nine ten."], ["hello you", "three four five"])

    async def scenario(client, server, service):
        made = await session(client)
        async with Talker(client, made) as talker:
            await talker.send(listen=True)
            await talker.speak(np.concatenate([SILENCE, speech_like(0.8), SILENCE]))
            await until(lambda: len(talker.of("word")) >= 5, 10)
            await talker.speak(np.concatenate([speech_like(0.8), SILENCE]))  # a loudspeaker, as loud as the avatar
            await until(lambda: len(service.sounds) == 2, 10)
            await until(lambda: talker.of("state")[-1]["state"] == "idle", 10)
            assert talker.texts("user") == ["hello you"] and len(service.asked) == 1
            assert server.conversations.enter(server.sessions.get(made["id"]))._guard.coupling > 0.3

    talk(scenario, service)


def test_an_echo_without_keys_and_no_conversation_unless_asked():
    async def echoes(client, server):
        made = await session(client)
        assert (await client.get("/config")).json()["talk"] == {"listens": False}
        async with Talker(client, made) as talker:
            await talker.send(listen=True)
            await until(lambda: talker.of("error"))
            assert "--asr" in talker.of("error")[0]["error"]
            await talker.send(text="Say it again")
            await until(lambda: talker.texts("heard") == ["Say it again"], 10)

    play(echoes, llm="echo")

    async def silent(client, server):
        made = await session(client)
        assert (await client.get("/config")).json()["talk"] is None
        async with Talker(client, made) as talker:
            assert "--llm" in talker.of("error")[0]["error"]

    play(silent)
