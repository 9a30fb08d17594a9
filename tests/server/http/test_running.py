"""Half requests hold no place for long, and the server ends when what is said has been said."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import pytest

pytest.importorskip("uvicorn")

from speechhead_server.core.problems import Refused
from speechhead_server.http import running
from speechhead_server.http.running import served


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/much":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(400):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
        return
    if scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Speaker:
    drained = False
    told = 0

    def drain(self):
        self.told += 1


async def started(speaker, seconds=5.0):
    server = served(app, "127.0.0.1", 0, speaker, seconds)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    return server, task, server.servers[0].sockets[0].getsockname()[1]


async def ask(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


def test_half_requests_are_ended_and_the_oldest_give_way(monkeypatch):
    monkeypatch.setattr(running, "HEADERS", 0.6)
    monkeypatch.setattr(running, "most_waiting", lambda: 8)

    async def scenario():
        server, task, port = await started(Speaker())
        halves = []
        for _ in range(12):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nX-A: b\r\n")
            halves.append((reader, writer))
            await asyncio.sleep(0.01)
        assert b"408" in await asyncio.wait_for(halves[0][0].read(), 0.4)  # before its time: there are too many
        assert (await ask(port)).endswith(b"ok")
        ends = await asyncio.gather(*(asyncio.wait_for(reader.read(), 3) for reader, _ in halves[1:]))
        assert all(b"408" in end for end in ends)
        for _, writer in halves:
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):  # a connection that asks again and again in time is kept
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
            await asyncio.sleep(0.3)
            writer.write(b"\r\n")
            assert b"200" in await asyncio.wait_for(reader.readuntil(b"ok"), 2)
        writer.close()
        server.should_exit = True
        await task

    asyncio.run(scenario())


HELD = {
    "unread": b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n",
    "idle": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "bodies": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc",
}


@pytest.mark.parametrize("state", HELD)
def test_nobody_holds_all_places_by_doing_nothing(state, monkeypatch):
    monkeypatch.setattr(running, "most_waiting", lambda: 8)
    monkeypatch.setattr(running, "UNREAD", 60.0)

    async def scenario():
        server, task, port = await started(Speaker())
        held = []
        for _ in range(12):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write(HELD[state])
            held.append((reader, writer))
        until = asyncio.get_running_loop().time() + 10
        while len(server.server_state.connections) > 4:
            assert asyncio.get_running_loop().time() < until
            await asyncio.sleep(0.02)
        assert (await ask(port)).endswith(b"ok")
        for _, writer in held:
            writer.transport.abort()
        server.should_exit = True
        await task

    asyncio.run(scenario())


def test_an_answer_that_is_not_read_ends_and_one_that_is_read_slowly_does_not(monkeypatch):
    monkeypatch.setattr(running, "UNREAD", 0.5)

    async def scenario():
        server, task, port = await started(Speaker())
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(HELD["unread"])
        await asyncio.sleep(0.2)
        while server.server_state.connections:
            await asyncio.sleep(0.05)
        writer.transport.abort()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HELD["unread"])
        size = 0
        while size < 25_000_000:
            size += len(await asyncio.wait_for(reader.read(4_000_000), 5))
            await asyncio.sleep(0.01)
        writer.transport.abort()
        server.should_exit = True
        await task

    asyncio.run(asyncio.wait_for(scenario(), 40))


def test_a_handshake_that_no_library_understands_holds_no_place(monkeypatch):
    monkeypatch.setattr(running, "HANDSHAKE", 0.3)

    async def scenario():
        server, task, port = await started(Speaker())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + key)
        writer.write(b"Sec-WebSocket-Protocol: \x01\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
        server.should_exit = True
        await task

    asyncio.run(scenario())


def test_a_socket_that_floods_lets_others_in_between(monkeypatch):
    import websockets

    seen, long = [], []
    parse = running.AutoWebSocketsProtocol.data_received

    def look(protocol, data):
        seen.append(len(data))
        parse(protocol, data)

    async def echo(scope, receive, send):
        if scope["type"] != "websocket":
            await app(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    async def scenario():
        server = served(echo, "127.0.0.1", 0, Speaker(), 1.0)
        task = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with websockets.connect(f"ws://127.0.0.1:{port}/x") as socket:
            monkeypatch.setattr(running.AutoWebSocketsProtocol, "data_received", look)
            loop = asyncio.get_running_loop()
            later = loop.call_later
            monkeypatch.setattr(
                loop, "call_later", lambda after, do, *more: (long.append(do), later(after, do, *more))[1]
            )
            socket.transport.write(bytes([0x89, 0x80, 0, 0, 0, 0]) * 40_000)  # pings
            assert (await ask(port)).endswith(b"ok")
            await socket.send("still there")
            assert await asyncio.wait_for(socket.recv(), 20) == "still there"
        server.should_exit = True
        await task

    asyncio.run(scenario())
    assert sum(seen) > 240_000 and max(seen) <= running.SLICE
    assert any(getattr(do, "__name__", "") == "_go_on" for do in long)  # it had to wait


def test_a_socket_that_pings_and_reads_nothing_holds_no_memory(monkeypatch):
    monkeypatch.setattr(running, "UNREAD", 0.5)
    waiting = []

    async def silent(scope, receive, send):
        if scope["type"] != "websocket":
            await app(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            pass

    async def scenario():
        server = served(silent, "127.0.0.1", 0, Speaker(), 1.0)
        task = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + key)
        await reader.readuntil(b"\r\n\r\n")
        reader._transport.pause_reading()
        (socket,) = server.server_state.connections
        writer.write((bytes([0x89, 0xFD, 0, 0, 0, 0]) + b"x" * 125) * 200_000)
        for _ in range(400):
            if not server.server_state.connections:
                break
            waiting.append(socket.transport.get_write_buffer_size())
            await asyncio.sleep(0.02)
        assert not server.server_state.connections  # cut off
        writer.transport.abort()
        server.should_exit = True
        await task

    asyncio.run(scenario())
    assert 0 < max(waiting) < 500_000


def test_a_socket_that_reads_nothing_is_cut_off_when_it_is_done_with(monkeypatch):
    from speechhead_server.http import sockets
    from speechhead_server.http.sockets import open_socket
    from starlette.websockets import WebSocket

    monkeypatch.setattr(running, "LEFT", 0.2)
    monkeypatch.setattr(sockets, "FAREWELL", 0.2)
    over = []

    class Nobody:
        def get(self, name):
            return self

        listeners = ()

    async def talks(scope, receive, send):
        if scope["type"] != "websocket":
            await app(scope, receive, send)
            return
        socket = WebSocket(scope, receive, send)
        async with open_socket(socket, Nobody(), "x", "test"):
            try:
                await asyncio.wait_for(socket.send_text("x" * 40_000_000), 0.3)
                await asyncio.wait_for(socket.send_text("x"), 0.3)
            except asyncio.TimeoutError:
                pass
            raise Refused(429, "Read what is sent.")
        over.append(True)

    async def scenario():
        server = served(talks, "127.0.0.1", 0, Speaker(), 1.0)
        task = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
        writer.write(
            f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(300):
            if over and not server.server_state.connections:
                break
            await asyncio.sleep(0.01)
        assert over and not server.server_state.connections
        writer.close()
        server.should_exit = True
        await task

    asyncio.run(scenario())


def test_it_ends_when_what_is_said_has_been_said():
    async def scenario():
        speaker = Speaker()
        server, task, port = await started(speaker)
        server.handle_exit(signal.SIGTERM, None)
        await asyncio.sleep(0.4)
        assert not task.done() and speaker.told == 1 and (await ask(port)).endswith(b"ok")
        speaker.drained = True
        await asyncio.sleep(0.2)
        assert not task.done()  # the last word is on its way
        await asyncio.wait_for(task, 5)

    asyncio.run(scenario())


@pytest.mark.parametrize("signals, seconds", [(1, 0.2), (2, 60.0)])
def test_it_does_not_wait_for_ever_and_not_after_a_second_signal(signals, seconds):
    async def scenario():
        server, task, _ = await started(Speaker(), seconds)
        for _ in range(signals):
            server.handle_exit(signal.SIGTERM, None)
            await asyncio.sleep(0.15)
        await asyncio.wait_for(task, 5)

    asyncio.run(scenario())
