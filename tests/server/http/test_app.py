"""What a client may ask, and what it is told when it may not."""

from __future__ import annotations

import asyncio
import io
import random
import time

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")

from speechhead_server.http import guard
from support.live import one_line, play, session, until

from speechhead.audio.io import save_wav
from speechhead.avatar.named import shipped


def jpeg(picture, size=None):
    from PIL import Image

    out = io.BytesIO()
    image = Image.fromarray(picture)
    (image.resize(size) if size else image).save(out, "JPEG")
    return out.getvalue()


def test_what_the_server_says_of_itself():
    async def scenario(client, server):
        assert (await client.get("/healthz")).json()["status"] == "ok"
        config = (await client.get("/config")).json()
        assert config["fps"] == 25 and config["size"] == 128 and "happy" in config["emotions"]
        avatars = (await client.get("/avatars")).json()
        assert avatars["default"] == "grace_hopper" and [avatar["id"] for avatar in avatars["avatars"]] == list(
            shipped()
        )
        for avatar in avatars["avatars"]:  # the voice that is named is the one that speaks, before and after it is read
            made = await session(client, avatar=avatar["id"])
            assert made["voice"] == avatar["voice"] in {voice.name for voice in server.sessions.voices}
            assert (await client.get(f"/avatars/{avatar['id']}")).json()["voice"] == avatar["voice"]
            await client.delete(f"/sessions/{made['id']}")
        picture = await client.get(avatars["avatars"][1]["picture"])
        assert picture.headers["content-type"] == "image/jpeg" and picture.content[:2] == b"\xff\xd8"
        assert "speechhead_sessions 0.0" in (await client.get("/metrics")).text
        assert "/sessions/{name}/say" in (await client.get("/openapi.json")).json()["paths"]
        one_line(await client.get("/nowhere"), 404)
        one_line(await client.put("/healthz"), 405)

    play(scenario)


def test_a_session_from_its_beginning_to_its_end():
    async def scenario(client, server):
        made = await client.post("/sessions")
        assert made.status_code == 201 and made.headers["location"] == f"/sessions/{made.json()['id']}"
        body = {"avatar": "eileen_collins", "voice": "jo", "size": 128, "controls": {"emotion": "happy:0.5"}}
        other = (await client.post("/sessions", json=body)).json()
        assert (other["avatar"], other["voice"]) == ("eileen_collins", "jo")
        path = f"/sessions/{other['id']}"
        assert (await client.get(f"{path}/controls")).json()["emotion"] == {"happy": 0.5}
        changed = await client.patch(f"{path}/controls", json={"gaze": [10, -5], "head": [5, 0, 0], "blink_rate": 30})
        assert changed.json()["gaze"] == [10, -5] and changed.json()["head"] == [5, 0, 0]
        back = await client.patch(f"{path}/controls", json={"gaze": None, "head": None, "emotion": None})
        assert back.json()["gaze"] is None and back.json()["head"] == "generated" and back.json()["emotion"] == {}
        assert (await client.get(path)).json()["state"] == "idle"
        said = await client.post(f"{path}/say", json={"text": "one two", "emotion": "sad", "interrupt": True})
        assert said.status_code == 202
        stats = (await client.get(f"{path}/stats")).json()
        assert stats["id"] == other["id"] and stats["viewers"] == []
        assert (await client.post(f"{path}/interrupt")).json() == {"interrupted": True}
        assert (await client.post(f"{path}/interrupt")).json() == {"interrupted": False}
        assert (await client.delete(path)).status_code == 204
        one_line(await client.get(path), 404)
        one_line(await client.post(f"{path}/say", json={"text": "x"}), 404)
        assert len(server.sessions) == 1

    play(scenario)


def test_mistakes_are_one_line():
    async def scenario(client, server):
        path = f"/sessions/{(await session(client))['id']}"
        one_line(await client.post("/sessions", json={"avatar": "nobody"}), 404)
        one_line(await client.post("/sessions", json={"voice": "/etc/passwd.onnx"}), 422)
        one_line(await client.post("/sessions", json={"size": 333}), 422)
        one_line(await client.post("/sessions", json={"size": 1024}), 422)
        one_line(await client.post("/sessions", json={"colour": 1}), 422)
        one_line(await client.post("/sessions", content="{", headers={"content-type": "application/json"}), 400)
        one_line(await client.post(f"{path}/say", json={"text": "  "}), 422)
        for nothing in ("\U0001f600", "...!?", '<speak><break time="1s"/></speak>', "\u4f60\u597d"):
            one_line(await client.post(f"{path}/say", json={"text": nothing}), 422)
        said = await client.post(f"{path}/say", json={"text": "I met \u674e\u660e in town."})
        assert said.status_code == 202 and said.json()["note"].startswith("2 Chinese characters are left out")
        assert set((await client.post(f"{path}/say", json={"text": "Hello."})).json()) == {"utterance"}
        one_line(await client.post(f"{path}/say", json={"text": 5}), 422)
        one_line(await client.post(f"{path}/say", json={"text": "x" * 100_001}), 422)
        one_line(await client.post(f"{path}/say", json={"text": "x", "voice": "nobody"}), 422)
        one_line(await client.post(f"{path}/say", json={"text": "x", "emotion": "bored"}), 422)
        one_line(await client.patch(f"{path}/controls", json={"blink_rate": 1e9}), 422)
        one_line(await client.patch(f"{path}/controls", json={"emotion": {"happy": "nan"}}), 422)
        one_line(await client.patch(f"{path}/controls", json={"gaze": [1]}), 422)
        one_line(await client.post(f"{path}/audio", content=b"x", headers={"content-type": "audio/wav"}), 422)
        one_line(await client.post(f"{path}/audio", content=b"x", headers={"content-type": "text/plain"}), 415)
        one_line(await client.delete(f"{path}/whep/nobody"), 404)

    play(scenario)


def test_fifty_bad_offers_leave_nothing_behind():
    from aiortc import RTCPeerConnection

    async def scenario(client, server):
        path = f"/sessions/{(await session(client))['id']}/whep"
        peer = RTCPeerConnection()
        peer.addTransceiver("video", "recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        good = peer.localDescription.sdp
        await peer.close()
        random.seed(7)
        lines = good.splitlines()
        bad = ["", "v=0", "{}", "v=0\r\n" * 99, good.replace("m=video", "m=movie"), good[:200], "\0" * 999]
        bad += [good.replace("H264", "X1").replace("VP8", "X2"), good.replace("ice-pwd:", "ice-pwd"), good + good]
        while len(bad) < 50:
            mangled = list(lines)
            for _ in range(random.randint(2, 12)):
                at = random.randrange(len(mangled))
                mangled[at] = random.choice(["", mangled[at][::-1], "m=audio 9 X", "a=rtpmap:0", mangled[at][:9]])
            bad.append("\r\n".join(["v=0", "m=", *mangled[3:]]))
        kept = 0
        for offer in bad:
            answer = await client.post(path, content=offer.encode(), headers={"content-type": "application/sdp"})
            if answer.status_code != 201:  # some damage does not matter
                assert answer.status_code in (400, 413), answer.text
                one_line(answer, answer.status_code)
            kept += answer.status_code == 201
        one_line(await client.post(path, content=b"\xff\xfe", headers={"content-type": "application/sdp"}), 400)
        one_line(await client.post(path, json={}), 415)
        one_line(await client.post("/whep", content=b"v=0", headers={"content-type": "application/sdp"}), 400)
        viewers = next(iter(server.sessions._sessions.values())).viewers
        assert all(viewer.state in ("new", "connecting") for viewer in viewers.values())
        assert len(viewers) == kept and len(server.sessions) == 1

    play(scenario, max_viewers=60, rate=1000, burst=1000)


def test_a_token_is_asked_for():
    async def scenario(client, server):
        assert (await client.get("/healthz")).status_code == 200
        one_line(await client.get("/config"), 401)
        one_line(await client.post("/sessions", headers={"Authorization": "Bearer wrong"}), 401)
        assert (await client.post("/sessions", headers={"Authorization": "Bearer secret"})).status_code == 201
        assert (await client.get("/avatars?token=secret")).status_code == 200

    play(scenario, token="secret")


def test_other_origins_are_kept_out():
    async def scenario(client, server):
        host = client.base_url.netloc.decode()
        one_line(await client.post("/sessions", headers={"Origin": "https://evil.org"}), 403)
        one_line(await client.get("/config", headers={"Host": "evil.org"}), 403)
        assert (await client.post("/sessions", headers={"Origin": f"http://{host}"})).status_code == 201
        answer = await client.post("/sessions", headers={"Origin": "https://good.org"})
        assert answer.status_code == 201 and answer.headers["access-control-allow-origin"] == "https://good.org"
        assert "Location" in answer.headers["access-control-expose-headers"]
        asked = {"Origin": "https://good.org", "Access-Control-Request-Headers": "authorization"}
        assert (await client.options("/whep", headers=asked)).status_code == 204

    play(scenario, origins=("https://good.org",))


def test_too_many_requests():
    async def scenario(client, server):
        answers = [await client.get("/healthz") for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused and refused[0].headers["retry-after"] == "1"
        one_line(refused[0], 429)
        await asyncio.sleep(0.5)
        assert (await client.get("/healthz")).status_code == 200

    play(scenario, rate=5, burst=5)


def test_no_more_sessions_than_the_machine_holds():
    async def scenario(client, server):
        made = [await session(client) for _ in range(2)]
        message = one_line(await client.post("/sessions"), 503)
        assert "taken" in message
        await client.delete(f"/sessions/{made[0]['id']}")
        await session(client)

    play(scenario, max_sessions=2)


def test_admission_follows_the_measured_speed():
    async def scenario(client, server):
        server.studio.drawing.workers = 2
        server.studio.offer().speed = {128: 200.0}  # pictures per second: two streams and a rest
        assert server.studio.capacity == 2
        await session(client)
        await session(client)
        message = one_line(await client.post("/sessions"), 503)
        assert "holds 2 real-time streams of 128 px, and 2 run. Try again later." in message
        server.studio.offer().speed = {128: 5.0}  # a slow machine still shows one
        for name in list(server.sessions._sessions):
            await client.delete(f"/sessions/{name}")
        await session(client)
        message = one_line(await client.post("/sessions"), 503)
        assert "holds 1 real-time stream of 128 px, and 1 runs. Try again later." in message  # there is no smaller size

    play(scenario, max_sessions=None)


def test_a_smaller_size_is_advised_where_it_is_let_in():
    async def scenario(client, server):
        offered = server.studio.offer()
        server.studio.drawing.workers = 2
        offered.size, offered.sizes, offered.speed = 512, [256, 512], {512: 120.0, 256: 400.0}
        await session(client)
        message = one_line(await client.post("/sessions"), 503)
        assert "holds 1 real-time stream of 512 px, and 1 runs. Try again later, or ask for a smaller size." in message
        await session(client, size=256)
        assert one_line(await client.post("/sessions", json={"size": 256}), 503).endswith("and 2 run. Try again later.")

    play(scenario, max_sessions=None)


def test_uploads_are_prepared_or_refused(portrait):
    async def scenario(client, server):
        answer = await client.post("/avatars", files={"file": ("me.jpg", jpeg(portrait), "image/jpeg")})
        assert answer.status_code == 202 and answer.json()["state"] == "preparing"
        path = answer.headers["location"]
        one_line(await client.post("/sessions", json={"avatar": answer.json()["id"]}), 409)

        async def state(where):
            end = time.monotonic() + 20
            while (found := (await client.get(where)).json())["state"] == "preparing":
                assert time.monotonic() < end and 0 <= found["progress"] <= 1
                await asyncio.sleep(0.05)
            return found

        assert (await state(path))["state"] == "ready"
        assert (await client.get(f"{path}/picture")).content[:2] == b"\xff\xd8"
        await session(client, avatar=answer.json()["id"])
        assert all(avatar["shipped"] for avatar in (await client.get("/avatars")).json()["avatars"])
        headers = {"content-type": "image/png"}
        turned = await client.post("/avatars", content=jpeg(portrait[::-1, ::-1]), headers=headers)
        found = await state(turned.headers["location"])
        assert found["state"] == "ready" and "stands on its head" in found["notes"][0]
        cut = await client.post("/avatars", content=jpeg(portrait[:, 256:]), headers=headers)
        found = await state(cut.headers["location"])
        assert found["state"] == "failed" and "edge cuts off" in found["error"]
        for data in (b"no picture", jpeg(portrait * 0), jpeg(portrait)[:3000]):
            bad = await client.post("/avatars", content=data, headers=headers)
            found = await state(bad.headers["location"])
            assert found["state"] == "failed" and "/tmp" not in found["error"] and "picture" in found["error"]
        one_line(await client.post("/avatars", content=b"", headers=headers), 422)
        one_line(await client.post("/avatars", files={"other": b"x"}), 422)
        nameless = await client.post("/avatars", files={"file": (None, jpeg(portrait[:, 256:]))})
        assert nameless.status_code == 202 and "edge cuts off" in (await state(nameless.headers["location"]))["error"]
        odd = await client.post("/avatars", files={"file": b"x"}, data={"colour": "red"})
        assert "field 'colour' is unknown" in one_line(odd, 422)
        one_line(await client.post("/avatars", files=[("file", b"x"), ("file", b"y")]), 400)
        assert (await client.delete(path)).status_code == 204
        one_line(await client.get(path), 404)
        one_line(await client.delete("/avatars/grace_hopper"), 403)

    play(scenario)


def test_huge_and_slow_bodies_are_cut_off():
    async def chunks(size):
        for _ in range(size // 10_000):
            yield b"x" * 10_000

    async def scenario(client, server):
        headers = {"content-type": "image/jpeg"}
        one_line(await client.post("/avatars", content=b"x" * 200_000, headers=headers), 413)
        one_line(await client.post("/avatars", content=chunks(200_000), headers=headers), 413)
        one_line(await client.post("/sessions", content=chunks(400_000)), 413)
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        head = "POST /avatars HTTP/1.1", "Host: 127.0.0.1", "Content-Type: image/png", "Content-Length: 99"
        writer.write("\r\n".join([*head, "", "x"]).encode())
        answer = await asyncio.wait_for(reader.read(), 5)  # a byte, and then nothing more
        assert b" 408 " in answer and b"within 1 s" in answer
        writer.close()
        assert (await client.get("/healthz")).status_code == 200

    play(scenario, upload_limit=100_000, body_timeout=1.0)


def test_bodies_are_bounded_all_together(monkeypatch):
    monkeypatch.setattr(guard, "BODIES", 400_000)

    async def half():
        yield bytes(60_000)
        await asyncio.sleep(2)
        yield bytes(1)

    async def scenario(client, server):
        kind = {"content-type": "image/png"}
        slow = asyncio.create_task(client.post("/avatars", content=half(), headers=kind))
        await until(lambda: server.app._held.total() == 60_000)
        assert "at once" in one_line(await client.post("/avatars", content=bytes(90_000), headers=kind), 503)
        assert (await client.post("/avatars", content=bytes(9000), headers=kind)).status_code == 202
        assert (await slow).status_code == 202
        await until(lambda: not server.app._held)

    play(scenario)


def test_a_recording_is_spoken(tmp_path):
    from support.fakes import speech_like

    async def scenario(client, server):
        made = await session(client)
        data = save_wav(tmp_path / "a.wav", speech_like(0.5)).read_bytes()
        answer = await client.post(f"/sessions/{made['id']}/audio", files={"file": ("a.wav", data, "audio/wav")})
        assert answer.status_code == 202 and answer.json()["seconds"] == 0.5
        running_session = server.sessions.get(made["id"])
        await until(lambda: running_session.state == "speaking")
        await until(lambda: running_session.state == "idle")
        keys = '[{"at": 0.1, "emotion": "happy"}]'
        files, path = {"file": ("a.wav", data, "audio/wav")}, f"/sessions/{made['id']}/audio"
        assert (await client.post(path, files=files, data={"keyframes": keys})).status_code == 202
        await until(lambda: running_session.stage._motion.controls.emotion == {"happy": 1.0})
        for wrong in (
            "[{",
            '[{"emotion": "happy"}]',
            '[{"at": 1, "emotion": "merry"}]',
            '[{"at": 1, "head": "a.csv"}]',
        ):
            one_line(await client.post(path, files=files, data={"keyframes": wrong}), 422)
        long = save_wav(tmp_path / "b.wav", speech_like(3.0)).read_bytes()
        message = one_line(
            await client.post(f"/sessions/{made['id']}/audio", content=long, headers={"content-type": "audio/wav"}), 422
        )
        assert "3 s long" in message

    play(scenario, audio_seconds=2.0)


def test_a_session_nobody_looks_at_ends():
    async def scenario(client, server):
        made = await session(client)
        stage = server.sessions.get(made["id"]).stage
        await until(lambda: len(server.sessions) == 0, 6)
        one_line(await client.get(f"/sessions/{made['id']}"), 404)
        assert not stage._thread.is_alive()

    play(scenario, idle_timeout=0.5)


def test_utterances_do_not_pile_up():
    async def scenario(client, server):
        path = f"/sessions/{(await session(client))['id']}/say"
        answers = [await client.post(path, json={"text": "one two three four"}) for _ in range(6)]
        assert [a.status_code for a in answers] == [202] * 3 + [429] * 3
        one_line(answers[-1], 429)

    play(scenario, queue_limit=3)


def test_a_person_before_another_colour():
    async def scenario(client, server):
        plain, green = [(await session(client, background=colour))["id"] for colour in (None, "#00b140")]
        shown = [server.sessions.get(name).stage.renderer.avatar.picture for name in (plain, green)]
        assert abs(shown[1][:8, :8].reshape(-1, 3).mean(0) - (0, 0xB1, 0x40)).max() < 12
        middle = slice(44, 84)
        assert abs(shown[0][middle, middle].astype(int) - shown[1][middle, middle]).mean() < 2  # the face is as it was
        for wrong in ("/etc/passwd", "nocolour", "#12", "rgb(300,0,0)"):
            assert "is no colour" in one_line(await client.post("/sessions", json={"background": wrong}), 422)

    play(scenario)
