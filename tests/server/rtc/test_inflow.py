"""Whatever comes to a media port, and however much: it ends nothing, and takes neither memory nor the event loop."""

from __future__ import annotations

import asyncio
import socket
import time
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("aiortc")

from aioice import Candidate, ice, stun
from aiortc import RTCSctpTransport, rtcdtlstransport, rtcsctptransport
from speechhead_server.core.allowance import Allowance
from speechhead_server.rtc import inflow, packets, viewer
from speechhead_server.rtc.sdp import CANDIDATES
from support.live import Watcher, play, session, until

HERS, STRANGER = ("192.0.2.1", 4000), ("192.0.2.9", 4000)


def candidate(host: str = HERS[0], port: int = HERS[1]) -> Candidate:
    return Candidate("1", 1, "udp", 1, host, port, "host")


def port_of(connection: ice.Connection) -> Any:
    protocol: Any = ice.StunProtocol(connection)
    protocol.local_candidate = candidate("192.0.2.2")
    protocol.transport = SimpleNamespace(sendto=lambda data, addr: None, is_closing=lambda: False)
    return protocol


def listening() -> tuple[ice.Connection, Any]:
    assert viewer.bound  # it is this that takes packets so
    connection = ice.Connection(ice_controlling=False)
    connection._remote_candidates.append(candidate())
    return connection, port_of(connection)


def test_only_the_viewer_s_own_packets_are_taken_and_few_of_them_wait():
    async def scenario() -> None:
        connection, protocol = listening()
        for data, addr in ((b"", HERS), (b"\x80" * 100, STRANGER), (b"\x80" * (inflow.LARGEST + 1), HERS)):
            protocol.datagram_received(data, addr)
        assert connection._queue.empty()
        for number in range(3 * inflow.WAITING):
            protocol.datagram_received(bytes([128, number % 256]), HERS)
        assert connection._queue.qsize() == inflow.WAITING
        assert (await connection._queue.get())[0] == b"\x80\0"  # the first ones, in their order

    asyncio.run(scenario())


def test_records_of_one_packet_are_read_one_by_one():
    def record(kind: int, body: bytes) -> bytes:
        return bytes([kind, 254, 253]) + bytes(8) + len(body).to_bytes(2, "big") + body

    old = [record(22, b"a" * 40), record(20, b"b"), record(23, b"")]
    new = [b"\x2c\0\1\0\3abc", b"\x24\0\0\1x", b"\x20\0rest of it"]
    assert inflow.records(b"".join(old)) == old and inflow.records(b"".join(new)) == new
    assert inflow.records(old[0][:-1]) == [old[0][:-1]]  # cut off
    for other in (b"\x80" + bytes(30), b"", b"\xff"):
        assert inflow.records(other) == [other]
    assert len(inflow.records(b"\x16" * 2000)) == 1 and len(inflow.records(b"\x17" + bytes(1999))) == 1


def test_a_port_that_is_flooded_is_read_with_pauses():
    async def scenario() -> int:
        connection = ice.Connection(ice_controlling=False)
        loop, seen = asyncio.get_running_loop(), 0

        class Counting(ice.StunProtocol):
            def datagram_received(self, data: Any, addr: Any) -> None:
                nonlocal seen
                seen += 1
                inflow.datagram_received(self, data, addr)

        transport, protocol = await loop.create_datagram_endpoint(lambda: Counting(connection), ("127.0.0.1", 0))
        protocol._allowed = Allowance(100, 10)
        address = transport.get_extra_info("sockname")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(200):
                sender.sendto(b"\x80x", address)
        await asyncio.sleep(1.5 * inflow.PAUSE)
        transport.close()
        await asyncio.sleep(inflow.PAUSE)
        return seen

    assert 10 <= asyncio.run(scenario()) < 60


def test_a_viewer_has_so_many_addresses_and_no_more():
    async def scenario() -> None:
        connection, protocol = listening()
        connection.check_start_task = lambda pair: None  # type: ignore[method-assign]
        check = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        check.attributes["PRIORITY"] = 1
        for number in range(1, 2000):
            connection.check_incoming(check, ("192.0.2.3", number), protocol)
            connection._add_remote_candidate(candidate("192.0.2.4", number), "192.0.2.4")
        assert len(connection.remote_candidates) == CANDIDATES and len(connection._check_list) <= CANDIDATES
        connection.check_incoming(check, HERS, protocol)  # one that is known is still heard

    asyncio.run(scenario())


def test_packets_that_take_long_are_looked_at_with_pauses():
    async def scenario() -> float:
        connection, _ = listening()
        connection._nominated[1] = None  # type: ignore[assignment]
        connection._share = Allowance(0.25, 0.0)  # type: ignore[attr-defined]
        for _ in range(3):
            connection.data_received(b"\x80", 1)
        begun = time.monotonic()
        for _ in range(3):
            await connection.recv()
            until = time.thread_time() + 0.02
            while time.thread_time() < until:
                pass
        return time.monotonic() - begun

    assert asyncio.run(scenario()) > 0.16  # 40 ms of computing are a quarter of this


def test_streams_of_sound_beyond_those_of_a_viewer_are_heard_by_nobody():
    router, receiver = rtcdtlstransport.RtpRouter(), object()
    router.register_receiver(receiver, [7], [111])  # type: ignore[arg-type]
    heard = [router.route_rtp(SimpleNamespace(ssrc=n, payload_type=111)) for n in range(7, 1000)]  # type: ignore[arg-type]
    assert heard.count(receiver) == inflow.SOURCES and len(router.ssrc_table) == inflow.SOURCES
    assert router.route_rtp(SimpleNamespace(ssrc=7, payload_type=111)) is receiver  # type: ignore[arg-type]


def test_packets_are_sent_anew_as_often_as_they_can_be_lost(monkeypatch):
    sent = []

    async def send(sender: Any, number: int) -> None:
        sent.append(number)

    async def scenario() -> None:
        sender = SimpleNamespace()
        for number in range(6000):
            await inflow.retransmit(sender, number)

    monkeypatch.setitem(inflow._own, "_retransmit", send)
    asyncio.run(scenario())
    assert inflow.RESENT <= len(sent) < 1.5 * inflow.RESENT


def test_sound_that_comes_faster_than_it_is_heard_is_not_decoded():
    waiting = inflow.FrameQueue()
    for number in range(5000):
        waiting.put(number)
    waiting.put(None)
    assert inflow.FRAMES_AT_ONCE <= waiting.qsize() <= inflow.FRAMES + 1
    assert waiting.get() == 0


def transport() -> Any:
    async def send(data: bytes) -> None:
        pass

    made: Any = RTCSctpTransport(SimpleNamespace(state="connected", _role="server", _send_data=send))  # type: ignore[arg-type]
    made._last_received_tsn = 0
    return made


def piece(tsn: int, flags: int, stream: int = 0) -> Any:
    chunk: Any = rtcsctptransport.DataChunk(flags=flags)
    chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = tsn, stream, 0, 51, b"x"
    return chunk


def test_pieces_that_wait_for_others_are_few():
    async def scenario() -> tuple[int, int, float]:
        begun = time.thread_time()
        endless, gaping = transport(), transport()
        for tsn in range(1, 5000):
            await endless._receive_chunk(piece(tsn, 2 if tsn == 1 else 0))
            await gaping._receive_chunk(piece(tsn + 1, 3))  # the first one never comes
        held = len(endless._inbound_streams[0].reassembly), len(gaping._sack_misordered)
        return *held, time.thread_time() - begun

    pieces, misordered, seconds = asyncio.run(scenario())
    assert pieces == packets.PIECES and misordered < packets.AHEAD and seconds < 2


def test_a_message_in_pieces_comes_whole_in_any_order():
    async def scenario() -> list[bytes]:
        found, receiver = [], transport()

        async def receive(stream: int, protocol: int, data: bytes) -> None:
            found.append(data)

        receiver._receive = receive
        for tsn in [3, 1, 2, *range(55, 3, -1)]:
            await receiver._receive_chunk(piece(tsn, 2 if tsn == 1 else 1 if tsn == 55 else 0))
        return found

    assert asyncio.run(scenario()) == [b"x" * 55]


def test_a_stranger_s_packets_end_no_viewer():
    async def scenario(client: Any, server: Any) -> None:
        made = await session(client)
        watcher = await Watcher(client, made["whep"]).connect(0)
        await until(lambda: watcher.heard("hello"))
        (seen,) = server.sessions.get(made["id"]).viewers.values()
        ice_of = seen.connection.getSenders()[0].transport.transport._connection
        pair = ice_of._nominated[1]
        family = socket.AF_INET6 if ":" in pair.local_candidate.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as stranger:
            for data in (b"", b"\x80", b"\x16\xfe\xfd" + bytes(60), bytes(19), b"\xff" * 1400):
                stranger.sendto(data, (pair.local_candidate.host, pair.local_candidate.port))
        await asyncio.sleep(0.1)
        watcher.channel.send('{"type": "ping", "t": 1}')
        await until(lambda: watcher.heard("pong"))
        assert seen.state == "connected"
        await watcher.close()

    play(scenario)
