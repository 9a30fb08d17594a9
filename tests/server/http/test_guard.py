"""What the guard does with whole answers and whole networks."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

pytest.importorskip("aiortc")

from speechhead_server.core.addresses import network
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.metrics import Metrics
from speechhead_server.core.problems import Refused
from speechhead_server.core.tickets import Caller
from speechhead_server.http.guard import PIECE, Guard
from support.live import make


def asked(guard: Guard, address: str = "192.0.2.1", method: str = "GET") -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(dict(message))

    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/", "query_string": b"", "client": (address, 1)}
    scope["headers"] = [(b"host", b"localhost")]
    asyncio.run(guard(scope, receive, send))
    return told


def guarding(body: bytes, **options: Any) -> Guard:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    class Anybody:
        def caller(self, *_: Any) -> Caller:
            return Caller()

    return Guard(app, ServerSettings(**options), Metrics(), Anybody())  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7])
def test_a_long_answer_is_handed_on_in_pieces(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    told = asked(guarding(body[:size]))[1:]
    assert b"".join(message["body"] for message in told) == body[:size]
    assert max(len(message["body"]) for message in told) <= PIECE
    assert [message.get("more_body", False) for message in told] == [True] * (len(told) - 1) + [False]
    assert asked(guarding(body[:size]), method="HEAD")[1:] == [{"type": "http.response.body", "body": b""}]


def test_the_addresses_of_one_network_are_one_caller() -> None:
    assert network("192.0.2.1") == network("::ffff:192.0.2.1") == "192.0.2.1" and network("") == ""
    assert network("2001:db8:1:2::5") == network("2001:db8:1:2:ffff::9") != network("2001:db8:1:3::5")
    assert network("fe80::1%eth0") == "fe80::/64"
    guard = guarding(b"", rate=0.01, burst=2)
    told = [asked(guard, f"2001:db8::{number:x}")[0]["status"] for number in range(1, 5)]
    assert told == [200, 200, 429, 429] and asked(guard, "2001:db8:0:1::1")[0]["status"] == 200


def test_a_text_without_a_word_takes_no_longer_than_others() -> None:
    sessions = make().sessions
    for text in ("<!--" * 24_000, "<script>" * 12_000, "." * 99_000):
        begun = time.thread_time()
        with pytest.raises(Refused):
            sessions.read(text, sessions.check_voice(None))
        assert time.thread_time() - begun < 1  # the first one took ten seconds, of all who were there
