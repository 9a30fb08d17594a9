"""Services with OpenAI's interface over real HTTP, streams cut anywhere, and everything that goes wrong with them."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

pytest.importorskip("h11")

from speechhead_server.talk.chat import EchoChat, OpenAiChat, without_thoughts
from speechhead_server.talk.history import History
from speechhead_server.talk.listening import RemoteTranscriber
from speechhead_server.talk.wire import ServiceError, address_of, usable
from support.openai_server import OpenAiServer

from speechhead.core.errors import ServerError

ASKED = [{"role": "user", "content": "Hi"}]


def chat(url, seconds=2.0, key="sk-key"):
    return OpenAiChat(address_of(url, "/chat/completions", "the chat service", "--llm"), "small", key, seconds)


async def answered(partner):
    return [portion async for portion in partner.answer(ASKED)]


def test_a_stream_is_read_as_it_comes():
    async def scenario():
        said = "Zo\u00eb says: \u4f60\u597d\uff01 \U0001f600 fine."
        async with OpenAiServer([said]) as service:
            portions = await answered(chat(service.url))
            assert "".join(portions) == said and len(portions) > 4
            assert service.asked == [ASKED] and service.keys == ["bearer sk-key"]
            service.trouble = "whole"
            assert await answered(chat(service.url.removesuffix("/v1"), key="")) == [said] and service.keys[1] == ""

    asyncio.run(scenario())
    assert "".join(asyncio.run(answered(EchoChat()))) == "Hi "


@pytest.mark.parametrize(
    ("trouble", "line"),
    [
        ("401", "refused the key. Set SPEECHHEAD_LLM_KEY (401)"),
        ("404", "no such path or model. See --llm and --llm-model"),
        ("429", "Wait a moment (429)"),
        ("500", "failed. Try again in a moment (500)"),
        ("302", "refused. See --llm, --llm-model (302)"),
        ("broken", "broke off"),
        ("nonsense", "broke off"),
        ("silent", "gave nothing in 0.3 s"),
    ],
)
def test_what_goes_wrong_is_one_line(trouble, line):
    async def scenario():
        async with OpenAiServer() as service:
            service.trouble = trouble
            with pytest.raises(ServiceError) as caught:
                await answered(chat(service.url, 0.3))
            assert line in str(caught.value) and "secret" not in str(caught.value) and "\n" not in str(caught.value)
            assert "sk-key" not in caught.value.kind

    asyncio.run(scenario())


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("first", "again", "count", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"A", 10**6, "too slow"),  # a head that drips
        (OK + b"Content-Length: 100000\r\n\r\n", b" ", 10**6, "too slow"),  # a body that drips
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 200_000, b"", 0, "broke off, or too slow"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, b"", 0, "broke off"),
        (OK + b"Content-Length: 9000000\r\n\r\n" + b" " * 9_000_000, b"", 0, "broke off"),
    ],
)
def test_a_hostile_service_holds_nobody(first, again, count, kind):
    tasks = []

    async def hostile(reader, writer):
        tasks.append(asyncio.current_task())
        try:
            writer.write(first)
            for _ in range(count):
                writer.write(again)
                await asyncio.wait_for(writer.drain(), 1)
                await asyncio.sleep(0.02)
            await reader.read()
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()

    async def scenario():
        server = await asyncio.start_server(hostile, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        listener = RemoteTranscriber(address_of(url, "/audio/transcriptions", "it", "--asr"), "small", "", 0.3)
        begun = time.monotonic()
        with pytest.raises(ServiceError) as caught:
            await listener.transcribe(np.zeros(1600, np.float32))
        assert caught.value.kind in kind and time.monotonic() - begun < 4
        if kind == "too slow":
            with pytest.raises(ServiceError):
                await answered(chat(url, 0.05))  # as a stream it may take ten times as long
        server.close()
        await asyncio.wait(tasks, timeout=2)

    asyncio.run(scenario())


def test_what_a_service_writes_can_be_shown():
    assert usable("a\ud800b\x00\x1b[31m \U0001f600\n") == "a\ufffdb  [31m \U0001f600\n"


def test_nobody_there_and_somebody_who_leaves():
    async def scenario():
        with pytest.raises(ServiceError, match="can not be reached. See --llm"):
            await answered(chat("http://127.0.0.1:9"))
        async with OpenAiServer(["word " * 500], pause=0.01) as service:
            stream = chat(service.url).answer(ASKED)
            await anext(stream)
            await stream.aclose()
            end = time.monotonic() + 2
            while service.open:  # the connection ends with whoever waits for it
                assert time.monotonic() < end
                await asyncio.sleep(0.01)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url", ["ftp://x", "localhost:80", "http://", "http://key@x/v1", "http://x/v1?key=1", "http://x:y"]
)
def test_what_is_no_address(url):
    with pytest.raises(ServerError, match="--llm"):
        address_of(url, "/chat/completions", "the chat service", "--llm")


def test_thoughts_are_not_said():
    async def said(portions):
        async def stream():
            for portion in portions:
                yield portion

        return "".join([portion async for portion in without_thoughts(stream())])

    for text, wanted in (
        (" <think>\nHm. <b></think>\n\nYes.", "\n\nYes."),
        ("<thin air>", "<thin air>"),
        ("No <think>x</think>", "No <think>x</think>"),
        ("<th", "<th"),
        ("<think>never ending", ""),
    ):
        assert asyncio.run(said([text])).strip() == wanted.strip()
        assert asyncio.run(said(list(text))).strip() == wanted.strip()


def test_speech_is_written_down_by_a_service():
    async def scenario():
        async with OpenAiServer(heard=["  What\nis it? "]) as service:
            address = address_of(service.url, "/audio/transcriptions", "the transcription service", "--asr")
            ears = RemoteTranscriber(address, "whisper-1", "sk-asr", 2)
            assert await ears.transcribe(np.zeros(1600, np.float32)) == "What is it?"
            assert b"RIFF" in service.sounds[0] and b'name="model"' in service.sounds[0]
            assert len(service.sounds[0]) > 3200 and service.keys == ["bearer sk-asr"]

    asyncio.run(scenario())


def test_a_history_is_bounded_and_one_turn_is_one_message():
    history = History("be kind", 2, 100)
    for number in range(4):
        history.add("user", f"question {number}")
        history.add("assistant", "" if number == 2 else f"answer {number}")
    said = [m["content"] for m in history.messages]
    assert said == ["be kind", "question 1", "answer 1", "question 2 question 3", "answer 3"]
    roles = [m["role"] for m in history.messages[1:]]
    assert roles[0] == "user" and all(a != b for a, b in zip(roles, roles[1:]))
    history.add("user", "x" * 300)
    assert sum(len(m["content"]) for m in history.messages[1:]) <= 100
    history.forget()
    assert len(history.messages) == 1
