"""What the operator may do, what a ticket leads to, and how sessions end by themselves."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")
pytest.importorskip("jwt")

from speechhead_server.core.tickets import Ticket
from support.live import Watcher, make, one_line, play, running, session, until

TOKEN = "operators-own"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def with_token(scenario, **options):
    async def whole():
        server = make(token=TOKEN, **options)
        async with running(server) as client:
            await scenario(client, server)

    asyncio.run(whole())


async def ticket(client, **body):
    answer = await client.post("/tickets", json=body, headers=bearer(TOKEN))
    assert answer.status_code == 201, answer.text
    return bearer(answer.json()["ticket"])


def test_the_operator_sees_and_ends_sessions():
    async def scenario(client, server):
        made = await session(client)
        watcher = await Watcher(client, made["whep"]).connect()
        (shown,) = (await client.get("/admin/sessions")).json()["sessions"]
        assert shown["id"] == made["id"] and shown["address"] == "127.0.0.1" and shown["left"] is None
        assert [viewer["state"] for viewer in shown["viewers"]] == ["connected"] and shown["ticket"] is None
        assert (await client.delete(f"/admin/sessions/{made['id']}")).status_code == 204
        await until(lambda: any("the operator" in m.get("error", "") for _, m in watcher.messages))
        one_line(await client.delete(f"/admin/sessions/{made['id']}"), 404)
        assert 'speechhead_sessions_ended_total{reason="operator"} 1.0' in (await client.get("/metrics")).text
        await watcher.close()

    play(scenario)


def test_a_viewer_is_ended_and_the_session_stays():
    async def scenario(client, server):
        made = await session(client)
        watcher = await Watcher(client, made["whep"]).connect()
        (viewer,) = server.sessions.get(made["id"]).viewers
        path = f"/admin/sessions/{made['id']}/viewers/{viewer}"
        assert (await client.delete(path)).status_code == 204
        one_line(await client.delete(path), 404)
        assert (await client.get(f"/sessions/{made['id']}")).json()["viewers"] == 0
        await watcher.close()

    play(scenario)


def test_a_resting_server_lets_nobody_new_in_and_keeps_those_there_are():
    async def scenario(client, server):
        made = await session(client)
        assert (await client.patch("/admin/sessions", json={"resting": True})).json()["resting"]
        assert "no new session" in one_line(await client.post("/sessions"), 503)
        assert (await client.get("/readyz")).status_code == 503 and (await client.get("/livez")).status_code == 200
        assert (await client.post(f"/sessions/{made['id']}/say", json={"text": "one"})).status_code == 202
        await client.patch("/admin/sessions", json={"resting": False})
        assert (await client.post("/sessions")).status_code == 201

    play(scenario)


def test_administration_is_for_this_machine_where_there_is_no_token():
    async def scenario(client, server):
        for headers in ({"X-Forwarded-For": "203.0.113.7"}, {"Host": "avatar.example.org"}):
            one_line(await client.get("/admin/sessions", headers=headers), 403)
            one_line(await client.get("/%61dmin/sessions", headers=headers), 403)
        assert "needs no tickets" in one_line(await client.post("/tickets", json={}), 409)

    play(scenario, origins=("http://avatar.example.org",))


def test_a_visitors_ticket_opens_its_own_sessions_and_nothing_else():
    async def scenario(client, server):
        mine, yours = await ticket(client, sessions=1), await ticket(client, sessions=2)
        made = await client.post("/sessions", headers=mine)
        path = f"/sessions/{made.json()['id']}"
        assert "1 session at a time" in one_line(await client.post("/sessions", headers=mine), 429)
        assert (await client.get(path, headers=mine)).status_code == 200
        one_line(await client.get(path, headers=yours), 404)
        one_line(await client.delete(f"/%73essions/{path[10:]}", headers=yours), 404)
        for closed in ("/admin/sessions", "/metrics", "/offline/x"):
            one_line(await client.get(closed, headers=mine), 403)
        one_line(await client.post("/tickets", json={}, headers=mine), 403)
        assert (await client.get("/config", headers=mine)).status_code == 200
        (shown,) = (await client.get("/admin/sessions", headers=bearer(TOKEN))).json()["sessions"]
        assert shown["ticket"] == Ticket.opened(mine["Authorization"][7:], TOKEN).name
        await client.delete(path, headers=mine)
        assert (await client.post("/sessions", headers=mine)).status_code == 201
        assert (await client.get("/offline/x", headers=await ticket(client, offline=True))).status_code == 404

    with_token(scenario)


def test_a_ticket_for_one_session_opens_no_other_and_ends():
    async def scenario(client, server):
        made = (await client.post("/sessions", headers=bearer(TOKEN))).json()
        given = await ticket(client, session=made["id"], seconds=1)
        assert (await client.get(f"/sessions/{made['id']}", headers=given)).status_code == 200
        one_line(await client.post("/sessions", headers=given), 403)
        await asyncio.sleep(2)
        assert "time is over" in one_line(await client.get(f"/sessions/{made['id']}", headers=given), 401)
        one_line(await client.post("/tickets", json={"session": "nobody"}, headers=bearer(TOKEN)), 404)
        one_line(await client.post("/tickets", json={"seconds": 1e12}, headers=bearer(TOKEN)), 422)

    with_token(scenario)


def test_a_session_ends_when_its_time_is_up_and_says_so_before(monkeypatch):
    monkeypatch.setattr("speechhead_server.live.session.NOTICE", 1.0)
    monkeypatch.setattr("speechhead_server.live.sessions.LOOK_ROUND", 0.1)

    async def scenario(client, server):
        watcher = await Watcher(client, (await session(client))["whep"]).connect()
        began = time.monotonic()
        await until(lambda: any("time is up" in m.get("error", "") for _, m in watcher.messages), 10)
        kinds = [m["type"] for _, m in watcher.messages]
        assert "ending" in kinds and kinds.index("ending") < kinds.index("error")
        assert time.monotonic() - began < 8
        await until(lambda: len(server.sessions) == 0)
        await watcher.close()

    play(scenario, session_seconds=2.0)


def test_quotas_of_an_address_and_of_a_session():
    async def scenario(client, server):
        visitor = await ticket(client, sessions=9)
        made = (await client.post("/sessions", headers=visitor)).json()
        assert "127.0.0.1 has 1 session already" in one_line(await client.post("/sessions", headers=visitor), 429)
        assert (await client.post("/sessions", headers=bearer(TOKEN))).status_code == 201  # the operator looks in
        say = f"/sessions/{made['id']}/say"
        assert (await client.post(say, json={"text": "x" * 30}, headers=visitor)).status_code == 202
        refused = one_line(await client.post(say, json={"text": "x" * 30}, headers=visitor), 429)
        assert "may say 50 characters, 20 are left" in refused

    with_token(scenario, sessions_per_address=1, session_text=50)


def test_what_a_ticket_opened_ends_with_it_and_the_session_of_others_stays():
    import websockets

    async def scenario(client, server):
        client.headers.update(bearer(TOKEN))
        made = await session(client)
        given = await ticket(client, session=made["id"], seconds=2)
        visitor = Watcher(client, made["whep"], headers=given)
        operator = await Watcher(client, made["whep"]).connect()
        await visitor.connect()
        base = str(client.base_url).replace("http", "ws")
        secret = given["Authorization"].partition(" ")[2]

        async def stays(kind, token):
            async with websockets.connect(f"{base}/sessions/{made['id']}/{kind}?token={token}") as socket:
                try:
                    while True:
                        await asyncio.wait_for(socket.recv(), 4)
                except websockets.ConnectionClosed as closed:
                    return closed.rcvd.code, closed.rcvd.reason
                except asyncio.TimeoutError:
                    return "open"

        over = (1008, "the ticket's time is over")
        sockets = [stays("text", secret), stays("pcm", secret), stays("talk", secret), stays("pcm", TOKEN)]
        assert await asyncio.gather(*sockets) == [over, over, over, "open"]
        assert len(server.sessions.get(made["id"]).viewers) == 1 and operator.connection.connectionState == "connected"
        await until(lambda: any("ticket" in m.get("error", "") for _, m in visitor.messages))
        await visitor.close()
        await operator.close()

    with_token(scenario, llm="echo")
