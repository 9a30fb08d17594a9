"""What a server writes: no token, right or wrong, and no word of those who use it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")
pytest.importorskip("websockets")

import httpx
import websockets
from speechhead_server.core.config import ENVIRONMENT, ServerSettings, from_environment
from speechhead_server.core.redaction import hider, private_logs
from support.paths import ROOT

from speechhead.core.errors import ServerError

TOKEN, WRONG = "to/ken+of+the=house&home", "mistypedtoken7"
MARKER = "zebramarker"
SILENT_TEXT = "\U0001f993\U0001f98c\U0001f993"  # nothing that can be spoken

VOICE = """
import logging, sys
import speechhead_server.voice.voice_process as process
from speechhead.core.errors import SpeechSynthesisError

class Voice:
    def speak(self, text):
        print("printed", text)
        logging.warning("logged %s", text)
        raise (SpeechSynthesisError if "quiet" in text else ValueError)("engine can not say " + text)

process.open_voice = lambda *_, **__: Voice()
process.main()
"""

SERVER = f"""
import logging, os, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "server")!r}, {str(ROOT / "tests")!r}]
from speechhead_server.core.config import from_environment
from speechhead_server.http import app, streams
from speechhead_server.http.serve import serve
from speechhead_server.live.session import Session
from speechhead_server.voice.speaker import Speaker
from support import fakes

if os.environ["LEVEL"] == "DEBUG":  # all that any library has to say, uvicorn's lines of every request too
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    logging.getLogger("uvicorn.access").setLevel = lambda *_: None

say, pcm, real = Session.say, streams.serve_pcm, app.Server
speaker = Speaker([sys.executable, "-c", {VOICE!r}])

def fail(self, parts, *rest):
    if parts[0].text.startswith("explode"):
        raise RuntimeError("no way to say " + parts[0].text)
    return say(self, parts, *rest)

async def break_down(socket, sessions, name):
    if name == "explode":
        raise RuntimeError("broken: " + str(socket.url) + str(dict(socket.headers)))
    await pcm(socket, sessions, name)

Session.say, streams.serve_pcm = fail, break_down
app.Server = lambda settings: real(settings, fakes.FakeGenerator, fakes.FakeSpeech(), speaker)
serve(from_environment({{"port": 0, "size": 128, "max_sessions": 4}}))
"""


@contextlib.contextmanager
def served(tmp_path, level):
    """A server in a process of its own: (its address, where its log is)."""
    log, secret = tmp_path / "log", tmp_path / "token"
    secret.write_text(TOKEN + "\n", encoding="utf-8")
    environment = {**os.environ, "LEVEL": level, f"{ENVIRONMENT}TOKEN_FILE": str(secret)}
    environment.pop("SPEECHHEAD_DEBUG", None)
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-c", SERVER], env=environment, stdout=sink, stderr=sink)
    try:
        end = time.monotonic() + 60
        while not (found := re.search(r"http://(127\.0\.0\.1:\d+)/", log.read_text())):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield found[1], log
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


async def use(address):
    """Everything that a token and a text can be sent by, taken and refused, in order and not."""
    right, wrong = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": f"Bearer {WRONG}"}
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=20) as client:
        for _ in range(100):
            with contextlib.suppress(httpx.TransportError):
                await client.get("/healthz")
                break
            await asyncio.sleep(0.1)
        for given, status in ((TOKEN, 200), (WRONG, 401)):
            assert (await client.get("/config", params={"token": given, "text": MARKER})).status_code == status
        assert (await client.get("/config", headers=right)).status_code == 200
        assert (await client.get("/config", headers=wrong)).status_code == 401
        made = (await client.post("/sessions", headers=right)).json()["id"]
        path = f"/sessions/{made}/say"
        for text, status in ((f"Hello {MARKER}.", 202), (f"quiet {MARKER}", 202), (SILENT_TEXT, 422)):
            assert (await client.post(path, json={"text": text}, params={"token": TOKEN})).status_code == status
        assert (await client.post(path, json={"text": f"explode {MARKER}"}, headers=right)).status_code == 500
        assert (await client.post(path, json={"text": 5, "voice": MARKER}, headers=right)).status_code == 422
    asked = str(httpx.QueryParams({"token": TOKEN, "note": MARKER}))
    async with websockets.connect(f"ws://{address}/sessions/{made}/pcm?{asked}") as socket:
        assert json.loads(await socket.recv())["type"] == "ready"
        await socket.send(json.dumps({"type": MARKER}))
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                await asyncio.wait_for(socket.recv(), 5)
    async with websockets.connect(f"ws://{address}/sessions/{made}/text?{asked}&emotion=happy:nan") as socket:
        assert "emotion" in json.loads(await socket.recv())["error"]
    reader, writer = await asyncio.open_connection(*address.split(":"))
    lines = [f"GET /sessions/{made}/pcm?{asked} HTTP/1.1", f"Host: {address}", "Upgrade: websocket"]
    lines += ["Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert b"101 Switching" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.write(b"\x81\x82\0\0\0\0\xff\xfe")  # no UTF-8
    await asyncio.wait_for(reader.read(), 8)
    writer.close()
    for query, name, given in ((f"token={WRONG}", made, wrong), (asked, "explode", right)):
        with pytest.raises(websockets.WebSocketException):
            async with websockets.connect(f"ws://{address}/sessions/{name}/pcm?{query}", additional_headers=given):
                pass
    await asyncio.sleep(1)


@pytest.mark.parametrize("level", ["DEBUG", pytest.param("INFO", marks=pytest.mark.slow)])
def test_a_log_holds_no_token_and_no_words(tmp_path, level):
    with served(tmp_path, level) as (address, log):
        asyncio.run(use(address))
    written = log.read_text(encoding="utf-8")
    for secret in (TOKEN, httpx.QueryParams({"token": TOKEN})["token"], str(httpx.QueryParams({"": TOKEN}))[1:], WRONG):
        assert secret not in written, written
    assert SILENT_TEXT[0] not in written and "\\ud83e" not in written, written
    if level == "INFO":  # the frames of a WebSocket are what DEBUG is for
        assert MARKER not in written, written
    # It says all the same what has happened, and where.
    assert written.count("utterance") == 2 and "ValueError" in written and "SpeechSynthesisError" in written
    assert "POST /sessions/{name}/say: RuntimeError at <string>" in written and "Exception in ASGI" in written
    assert written.count("Traceback") == (1 if level == "INFO" else written.count("Traceback")), written
    assert "UnicodeDecodeError at " in written
    assert '/pcm" [accepted]' in written and '/pcm" 403' in written
    assert ("GET /config" in written) is (level == "DEBUG")


@pytest.fixture
def written():
    """A root logger with private records: gives what is written so far."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))

    handler = Handler()
    logging.getLogger().addHandler(handler)
    with private_logs([TOKEN, "a", ""]):
        yield lambda: "\n".join(lines)
    logging.getLogger().removeHandler(handler)


def test_secrets_are_hidden_in_every_logger_and_spelling(written):
    logging.getLogger("any.library").warning("%s and %r", TOKEN, {"authorization": f"Bearer {TOKEN}"})
    logging.getLogger("uvicorn.error").error("WebSocket /a?x=1&token=%s&y=2 HTTP/1.1", WRONG)
    logging.getLogger("b").error("bad format %d", TOKEN)
    logging.getLogger("c").error(f"> authorization: bearer {WRONG}")
    shown = written()
    assert TOKEN not in shown and WRONG not in shown
    assert "/a?x=1&token=***&y=2 HTTP/1.1" in shown and "*** and {'authorization': 'Bearer ***" in shown
    assert "bearer ***" in shown and "a format" not in shown


def test_exceptions_are_told_without_their_messages(written, monkeypatch):
    def fail():
        try:
            raise KeyError(MARKER)
        except KeyError as error:
            raise RuntimeError(f"{MARKER} {TOKEN}") from error

    async def forgotten():
        asyncio.get_running_loop().create_task(say_and_fail())
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_soon(call_and_fail, MARKER)
        await asyncio.sleep(0.01)

    async def say_and_fail():
        fail()

    def call_and_fail(_):
        fail()

    asyncio.run(forgotten())
    thread = threading.Thread(target=fail, name="stage")
    thread.start()
    thread.join()
    shown = written()
    assert MARKER not in shown and TOKEN not in shown
    assert "Task exception was never retrieved" in shown and "Exception in callback" in shown
    assert "thread stage failed" in shown and shown.count("\nKeyError\n") == 3 and "in say_and_fail" in shown
    monkeypatch.setenv("SPEECHHEAD_DEBUG", "1")  # who asks for it gets the messages, but no secrets
    with contextlib.suppress(RuntimeError):
        fail()
    try:
        fail()
    except RuntimeError:
        logging.getLogger("a").exception("failed")
    assert MARKER in written() and TOKEN not in written()


def test_what_comes_up_in_libraries_alone_is_one_line(written, monkeypatch):
    async def meet():
        asyncio.get_running_loop().call_soon(json.loads, "{" + MARKER)
        await asyncio.sleep(0)

    asyncio.run(meet())
    assert re.fullmatch(r"Exception in callback loads \(JSONDecodeError at decoder\.py:\d+\)", written())
    monkeypatch.setenv("SPEECHHEAD_DEBUG", "1")
    asyncio.run(meet())
    assert "Traceback" in written()


def test_a_traceback_within_a_message_is_one_line(written):
    """As aiortc writes it when a viewer's data can not be read."""
    try:
        json.loads("{" + MARKER)
    except ValueError:
        logging.getLogger("aiortc.dtls").warning("transport %s", traceback.format_exc())
    assert re.fullmatch(r"transport \(json.decoder.JSONDecodeError at decoder\.py:\d+\)", written())


def test_a_short_secret_is_hidden_where_it_is_carried():
    hide = hider(["ab"])
    assert hide("a cab to /x?token=ab&y=1") == "a cab to /x?token=***&y=1"


def test_secrets_come_from_files(tmp_path, caplog):
    file = tmp_path / "token"
    file.write_text(f"  {TOKEN}\n", encoding="utf-8")
    assert from_environment({"token_file": file}, {"SPEECHHEAD_TOKEN": "other"}).token == TOKEN
    assert from_environment({}, {"SPEECHHEAD_TOKEN_FILE": str(file)}).token == TOKEN
    given = {"turn": "turn:t:1", "turn_user": "u", "turn_password_file": str(file)}
    assert from_environment(given, {}).turn_password == TOKEN
    assert from_environment({}, {"SPEECHHEAD_TOKEN": "plain", "SPEECHHEAD_TOKEN_FILE": "x"}).token == "plain"
    assert not caplog.records
    for content in ("", " \n", "one\ntwo\n"):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(ServerError, match=r"one line\.$"):
            from_environment({"token_file": file}, {})
    for name in ("missing", "."):
        with pytest.raises(ServerError, match="can not be read"):
            from_environment({"token_file": tmp_path / name}, {})


def test_a_secret_on_the_command_line_works_with_a_warning_that_does_not_repeat_it(caplog):
    assert from_environment({"token": TOKEN}, {}).token == TOKEN
    assert "--token-file" in caplog.text and "SPEECHHEAD_TOKEN" in caplog.text and TOKEN not in caplog.text
    with pytest.raises(ServerError, match="both given"):
        from_environment({"token": TOKEN, "token_file": "x"}, {})
    assert TOKEN not in repr(ServerSettings(token=TOKEN, turn_password=TOKEN))
