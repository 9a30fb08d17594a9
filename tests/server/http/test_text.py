"""Text as it is written: spoken sentence by sentence, cut off, and refused in one line."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")
pytest.importorskip("websockets")

import websockets
from support.live import SocketClient, one_line, play, session, until


def writer_of(client, made, query=""):
    return SocketClient(client, made, "text", query)


def test_sentences_are_spoken_as_they_come(monkeypatch):
    monkeypatch.setattr("speechhead_server.http.text.SILENT", 0.6)

    async def scenario(client, server):
        made = await session(client)
        async with writer_of(client, made, "?voice=jo&emotion=happy:0.4") as writer:
            for delta in ("One tw", "o three", ". Fo", "ur \ud83d", "\ude00 five. \U0001f600. Six"):
                await writer.send(text=delta)
            await until(
                lambda: [m["text"] for m in writer.of("accepted")] == ["One two three.", "Four \U0001f600 five."]
            )
            await until(lambda: writer.of("word"))  # before the text has ended
            await writer.send(end=True)
            await until(lambda: writer.of("finished"), 10)
            states = [(m["sentence"], m["state"]) for m in writer.of("sentence")]
            assert states == [(k, state) for k in range(3) for state in ("begun", "ended")]
            assert [m["sentence"] for m in writer.of("word")] == [0, 0, 0, 1, 1, 1, 2]
            words, captions = writer.of("word"), writer.of("caption")
            assert len(captions) == 3 and all(a["end"] <= b["start"] + 0.01 for a, b in zip(words, words[1:]))
            assert words[3]["start"] - words[2]["end"] > 0.3  # a pause between sentences
            ended = writer.of("finished")[0]
            assert not ended["interrupted"] and ended["characters"] == ended["of"] == 29
            # The next text is another utterance; a full stop alone ends a sentence after a moment, and the utterance.
            await writer.send(text="Again.")
            await until(lambda: len(writer.of("accepted")) == 4, 2)
            assert writer.of("accepted")[-1]["utterance"] != ended["utterance"]
            await until(lambda: len(writer.of("finished")) == 2, 8)

    play(scenario)


def test_clear_says_how_much_was_heard():
    async def scenario(client, server):
        made = await session(client)
        async with writer_of(client, made) as writer:
            await writer.send(text="one two three four five six seven eight nine ten. eleven. twelve. ")
            await until(lambda: len(writer.of("word")) == 3)
            await writer.send(clear=True)
            await until(lambda: writer.of("cleared"))
            heard = writer.of("cleared")[0]
            assert heard["text"] in ("one two three", "one two three four") and heard["characters"] == len(
                heard["text"]
            )
            assert writer.of("finished")[0]["interrupted"] and writer.of("finished")[0]["of"] == 63
            # Interrupted by somebody else, the rest of a text is left out until its end.
            await writer.send(text="one two three four five six. seven")
            await until(lambda: len(writer.of("word")) >= 6)
            await client.post(f"/sessions/{made['id']}/interrupt")
            await until(lambda: len(writer.of("finished")) == 2)
            await writer.send(text=" eight. nine. ten", end=True)
            await writer.send(text="eleven", end=True)
            await until(lambda: len(writer.of("finished")) == 3, 8)
            assert [m["text"] for m in writer.of("accepted")][-2:] == ["one two three four five six.", "eleven"]
            await writer.send(clear=True)
            await until(lambda: len(writer.of("cleared")) == 2)
            assert writer.of("cleared")[1]["characters"] == 0

    play(scenario)


def test_more_text_than_there_is_room_for_waits_and_one_that_fails_stops_no_other(monkeypatch):
    monkeypatch.setattr("speechhead_server.live.sayings.MADE_AHEAD", 0.5)

    async def scenario(client, server):
        made = await session(client)
        said = f"/sessions/{made['id']}/say"
        message = one_line(await client.post(said, json={"text": "word " * 60}), 422)
        assert "SPEECHHEAD_TEXT_LIMIT" in message and "/text" in message
        async with writer_of(client, made) as writer:
            foreign = "\u4f60\u597d\u4f60\u597d\u3002"
            await writer.send(text=f"one two. A crash here. {foreign} " + "three. " * 4, end=True)
            await until(lambda: writer.of("accepted"))
            assert len(writer.of("accepted")) < 5  # the others wait
            await until(lambda: writer.of("finished"), 12)
            assert "can not read" in writer.of("note")[0]["note"] and len(writer.of("accepted")) == 6
            assert [m["sentence"] for m in writer.of("error")] == [1]
            assert not writer.of("finished")[0]["interrupted"]

    play(scenario, text_limit=24)


def test_ten_thousand_words_posted_whole_are_said():
    async def scenario(client, server):
        made = await session(client)
        text = "Seventeen words are what a sentence has, as it is read by somebody who has time for it. " * 600
        answer = await client.post(f"/sessions/{made['id']}/say", json={"text": text})
        assert answer.status_code == 202
        running = server.sessions.get(made["id"])
        await until(lambda: running.stage.waiting()[0] > 15)
        assert running.stage.waiting()[0] < 60  # no more is made ahead
        again = await client.post(f"/sessions/{made['id']}/say", json={"text": text})
        assert "wait already" in one_line(again, 429)
        both = await client.post(f"/sessions/{made['id']}/say", json={"text": text, "interrupt": True})
        assert both.status_code == 202

    play(scenario)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("nonsense", "no JSON object"),
        ("[]", "no JSON object"),
        ('{"text": 5}', "text is not usable"),
        ('{"speak": "x"}', "'speak' is unknown"),
        (b"abc", "binary message"),
        (None, "nothing came for 0.6 s"),
    ],
)
def test_what_is_no_order_closes_the_socket_with_one_line(message, line):
    async def scenario(client, server):
        made = await session(client)
        async with writer_of(client, made) as writer:
            if message is not None:
                await writer.socket.send(message)
            await until(lambda: writer.of("error"))
            assert line in writer.of("error")[0]["error"]
            await writer.socket.wait_closed()
            assert writer.socket.close_code == 1008
        gone = writer_of(client, {"id": "nobody"})
        async with websockets.connect(gone.url) as socket:
            assert "unknown" in json.loads(await socket.recv())["error"]
        async with websockets.connect(writer_of(client, made, "?voice=nobody").url) as socket:
            assert "voice 'nobody' is unknown" in json.loads(await socket.recv())["error"]
        async with writer_of(client, made) as writer:
            await client.delete(f"/sessions/{made['id']}")
            await writer.socket.wait_closed()
            assert writer.socket.close_code == 1001 and "ended" in writer.of("error")[0]["error"]

    play(scenario, socket_timeout=0.6 if message is None else 60)


@pytest.mark.slow
def test_a_text_of_a_megabyte_stops_nobody_else():
    async def scenario(client, server):
        made = await session(client)
        gaps = []
        async with writer_of(client, made) as writer:
            sending = asyncio.create_task(writer.send(text="A sentence. " * 90_000))
            for _ in range(40):
                began = time.monotonic()
                assert (await client.get("/livez")).status_code == 200
                gaps.append(time.monotonic() - began)
                await asyncio.sleep(0.05)
            await sending
            await client.post(f"/sessions/{made['id']}/interrupt")
        assert sorted(gaps)[-3] < 0.5, gaps  # it was 5 s

    play(scenario)
