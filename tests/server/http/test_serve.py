"""Where the server listens, and how it says that it does not."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("aiortc")

from speechhead_server.core.config import ServerSettings
from speechhead_server.http.app import Server
from speechhead_server.http.serve import listen, serve

from speechhead.core.errors import ServerError


def test_an_address_that_is_taken_is_one_clear_line():
    taken = listen("127.0.0.1", 0)
    with pytest.raises(ServerError, match="can not listen"):
        listen("127.0.0.1", taken.getsockname()[1])
    taken.close()


def test_an_address_that_nothing_is_sent_to_is_said_before_networks_are_opened(monkeypatch):
    monkeypatch.setattr("speechhead_server.http.app.Server", lambda *_: pytest.fail("it began"))
    for target in ("foo", "rtmp://[x/KEY", "/dev/null"):
        with pytest.raises(ServerError, match="Give rtmp://") as refused:
            serve(ServerSettings(port=0, push=(target,)))
        assert "KEY" not in str(refused.value)


def test_a_server_that_can_not_begin_says_so_to_who_started_it(monkeypatch):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": ""})

    server = SimpleNamespace(app=app, studio=SimpleNamespace(size=64, capacity=1))
    monkeypatch.setattr("speechhead_server.http.app.Server", lambda _: server)
    monkeypatch.setattr(logging.root, "handlers", [logging.NullHandler()])
    monkeypatch.setattr(logging.getLogger("speechhead"), "handlers", [])
    before = sys.getswitchinterval()
    with pytest.raises(ServerError, match="did not start"):
        serve(ServerSettings(port=0))
    sys.setswitchinterval(before)


@pytest.mark.parametrize("option", ["llm", "asr"])
def test_who_is_to_answer_is_asked_before_the_machine_is_measured(monkeypatch, option):
    monkeypatch.setattr("speechhead_server.http.app.Studio", lambda *_: pytest.fail("networks were opened"))
    with pytest.raises(ServerError, match=f"--{option} 'foo' is no address. Write http"):
        Server(ServerSettings(port=0, **{option: "foo"}))
