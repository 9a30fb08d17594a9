"""What every answer keeps to: its schema, headers that keep browsers safe, and the way it ends."""

from __future__ import annotations

import json
import re
import socket

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")

from support.live import one_line, play, session, until


def test_a_server_for_all_goes_by_its_own_names():
    async def scenario(client, server):
        for host, status in (
            ("evil.org", 403),
            ("192.168.1.7:8080", 200),
            (socket.gethostname(), 200),
            ("localhost", 200),
        ):
            assert (await client.get("/config", headers={"Host": host})).status_code == status, host
        headers = (await client.get("/")).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        page = await client.get("/docs/")
        assert page.status_code == 200 and "http" not in page.text.replace("HTTP", "")  # nothing from elsewhere

    play(scenario, host="0.0.0.0")


def test_every_answer_is_one_that_the_schema_knows():
    async def scenario(client, server):
        made = await session(client)
        schema = (await client.get("/openapi.json")).json()
        for path, methods in schema["paths"].items():
            for method, said in methods.items():
                for name in ("x", made["id"]):
                    for body in (b"", b"{", b"{}"):
                        asked = path.replace("{name}", name).replace("{viewer}", "y")
                        if (method, name) == ("delete", made["id"]):
                            continue
                        answer = await client.request(
                            method, asked, content=body, headers={"Content-Type": "application/json"}
                        )
                        assert str(answer.status_code) in said["responses"], (method, asked, body, answer.text)
                        kind = answer.headers.get("content-type", "").partition(";")[0]
                        content = said["responses"][str(answer.status_code)].get("content", {})
                        assert not kind or not content or kind in content, (method, asked, kind)

    play(scenario, rate=10_000, burst=10_000)


def test_the_schema_says_how_a_token_is_sent_and_what_is_taken():
    async def scenario(client, server):
        assert (await client.get("/openapi.json")).status_code == 401
        schema = (await client.get("/openapi.json", headers={"Authorization": "Bearer a-token"})).json()
        assert schema["security"][0] == {"token": []}
        assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
        assert all("401" in said["responses"] for path in schema["paths"].values() for said in path.values())
        blinks = schema["components"]["schemas"]["ControlsBody"]["properties"]["blink_rate"]
        assert (blinks["minimum"], blinks["maximum"]) == (0, 120)
        client.headers["Authorization"] = "Bearer a-token"
        made = await session(client)
        one_line(await client.patch("/admin/sessions", json={"resting": 1}), 422)
        one_line(await client.patch(f"/sessions/{made['id']}/controls", json={"idle": "yes"}), 422)
        one_line(await client.patch(f"/sessions/{made['id']}/controls", json={"blink_rate": 121}), 422)

    play(scenario, token="a-token")


def test_the_schema_says_which_values_are_taken():
    async def scenario(client, server):
        schema = (await client.get("/openapi.json")).json()
        assert schema == (await client.get("/openapi.json")).json()
        fields = schema["components"]["schemas"]["SessionBody"]["properties"]
        assert fields["size"]["anyOf"] == [{"enum": [128]}, {"type": "null"}]
        assert fields["generator"]["anyOf"][0] == {"enum": ["compact"]}
        (size,) = [p for p in schema["paths"]["/whep"]["post"]["parameters"] if p["name"] == "size"]
        assert {"enum": [128]} in size["schema"]["anyOf"]
        colour = re.compile(fields["background"]["anyOf"][0]["pattern"])
        ticket = schema["components"]["schemas"]["TicketBody"]["properties"]["session_seconds"]["anyOf"][0]
        assert ticket["exclusiveMinimum"] == 0 and "prefixItems" not in json.dumps(
            schema["components"]["schemas"]["ControlsResult"]
        )
        emotion = schema["components"]["schemas"]["SayBody"]["properties"]["emotion"]["anyOf"]
        assert re.match(emotion[0]["pattern"], "happy:0.6") and not re.match(emotion[0]["pattern"], "glad")
        for given, fits in (("#012345", True), ("red", True), ("", False), ("#01", False), ("reddish", False)):
            assert bool(colour.match(given)) is fits
            taken = await client.post("/sessions", json={"background": given})
            assert (taken.status_code == 201) is fits, (given, taken.text)
        form = schema["paths"]["/offline"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        for kind in form["anyOf"]:
            size, said = kind["properties"]["size"]["pattern"], kind["properties"].keys()
            assert re.match(size, "512") and not re.match(size, "513")
            assert len({"text", "audio"} & said) == len({"source", "avatar"} & said) == 1
            assert ("voice" in said) == ("text" in said)
        head = schema["components"]["schemas"]["ControlsBody"]["properties"]["head"]["anyOf"]
        assert {"type": "number", "minimum": -90, "maximum": 90} in [kind.get("items") for kind in head]

    play(scenario)


def test_numbers_are_taken_as_json_writes_them():
    async def scenario(client, server):
        path = f"/sessions/{(await session(client))['id']}/controls"
        for wrong in ({"look_away": False}, {"look_away": "3"}, {"gaze": [True, 1]}, {"head": [1, "2", 3]}):
            one_line(await client.patch(path, json=wrong), 422)
        one_line(await client.patch(path, json={"emotion": {"happy": True}}), 422)
        one_line(await client.post("/sessions", json={"size": True}), 422)
        one_line(await client.post("/sessions", json={"controls": {"blink_rate": "7"}}), 422)
        right = {"look_away": 3, "gaze": [1, 2.5], "head": [1, 2, 3], "emotion": {"happy": 1}}
        shown = (await client.patch(path, json=right)).json()
        assert shown["look_away"] == 3 and shown["gaze"] == [1, 2.5] and shown["emotion"] == {"happy": 1}

    play(scenario)


def test_closing_is_said_and_nothing_new_is_taken():
    async def scenario(client, server):
        made = await session(client)
        await client.post(f"/sessions/{made['id']}/say", json={"text": "one two"})
        live, told = server.sessions.get(made["id"]), []
        live.listeners.add(lambda message: told.append(message["type"]))
        await until(lambda: live.state == "speaking")
        server.drain()
        assert not server.drained and (await client.get("/livez")).status_code == 200
        for path in ("/readyz", "/healthz"):
            assert (await client.get(path)).status_code == 503
        one_line(await client.post("/sessions"), 503)
        one_line(await client.post(f"/sessions/{made['id']}/say", json={"text": "three"}), 503)
        await until(lambda: server.drained)
        assert told.count("done") == 1

    play(scenario)
