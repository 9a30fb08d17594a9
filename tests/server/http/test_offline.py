"""Offline videos over HTTP: what is refused, how far they are, what comes back, and that nothing stays."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import json
import sys

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")

from speechhead_server.offline import queue
from starlette import formparsers
from support.fakes import speech_like
from support.films import scene, takes, write
from support.live import one_line, play, until

from speechhead.batch import worker
from speechhead.media.sound import write_wav

CHILD = """
import json, os, sys, time
for line in sys.stdin:
    given = json.loads(line)
    text, folder = given["job"]["text"], given["folder"]
    if text == "dies": os.kill(os.getpid(), 9)
    if text == "hangs": time.sleep(60)
    print(json.dumps({"event": "progress", "done": 1, "total": 2}), flush=True)
    error = folder + "/x: not good. Cut it." if text in ("bad", "full") else None
    if text == "key": error = given["job"]["options"]["c2pa"][1] + ": no such file. Give --c2pa CERT KEY."
    open(os.path.join(folder, given["job"]["output"]), "w").write(json.dumps([given["job"], sorted(os.environ)]))
    print(json.dumps({"event": "done", "error": error, "notes": ["noted"], "frames": 2, "seconds": 0.1,
          "full": text == "full"}), flush=True)
"""


@pytest.fixture
def toy_child(monkeypatch):
    monkeypatch.setattr(worker, "child_command", lambda module: [sys.executable, "-S", "-c", CHILD])


async def post(client, files=None, **fields):
    parts = {name: (name, data) for name, data in (files or {}).items()} or {"crop": (None, "no")}
    return await client.post("/offline", files=parts, data=fields)


def test_an_operator_that_signs_has_every_video_signed(toy_child, tmp_path, caplog):
    async def scenario(client, server):
        refused = await post(client, text="Hi.", form="webm")
        assert refused.status_code == 422 and "signature" in refused.json()["error"]
        assert str(tmp_path) not in refused.json()["error"]
        name = (await post(client, text="Hi.")).json()["id"]
        await ended(client, name)
        sent = json.loads((await client.get(f"/offline/{name}/video")).content)[0]
        assert sent["options"]["c2pa"] == [str(tmp_path / "a, b.pem"), str(tmp_path / "k.key")]
        assert (await post(client, text="Hi.", c2pa="x,y")).status_code == 422
        await client.delete(f"/offline/{name}")
        gone = await ended(client, (await post(client, text="key")).json()["id"])
        assert gone["error"] == queue.OPERATORS and str(tmp_path) in caplog.text, "a stranger is told no path"

    play(scenario, c2pa=(str(tmp_path / "a, b.pem"), str(tmp_path / "k.key")))


def test_what_a_stranger_fetches_is_signed(tmp_path):
    """Once, with the real child and library."""
    c2pa, certificates = pytest.importorskip("c2pa"), pytest.importorskip("support.certificates")
    write_wav(tmp_path / "a.wav", [speech_like(0.2)], 16_000)

    async def scenario(client, server):
        made = await post(client, {"audio": (tmp_path / "a.wav").read_bytes()}, size="64")
        job = await ended(client, made.json()["id"], 0.2)
        assert job["state"] == "done", job
        video = io.BytesIO((await client.get(f"/offline/{job['id']}/video")).content)
        with c2pa.Reader("video/mp4", video) as reader:
            told = json.loads(reader.json())
        assert [fault["code"] for fault in told["validation_status"]] == ["signingCredential.untrusted"]
        assert "trainedAlgorithmicMedia" in json.dumps(told) and str(tmp_path) not in json.dumps(told)

    play(scenario, c2pa=tuple(map(str, certificates.signer(tmp_path))))


async def ended(client, name, pause=0.02):
    while (job := (await client.get(f"/offline/{name}")).json())["state"] in ("waiting", "working"):
        await asyncio.sleep(pause)
    return job


def test_a_video_is_made_and_fetched_and_removed(toy_child, monkeypatch):
    monkeypatch.setenv("SPEECHHEAD_TOKEN_FILE", "/secret")

    async def scenario(client, server):
        made = await post(client, {"source": b"picture"}, text="Hi.", emotion="happy:0.5", form="gif", voice="joe")
        assert made.status_code == 202, made.text
        name = made.json()["id"]
        assert made.headers["location"] == f"/offline/{name}"
        job = await ended(client, name)
        assert (job["state"], job["done"], job["total"], job["notes"]) == ("done", 1, 2, ["noted"])
        video = await client.get(f"/offline/{name}/video")
        assert video.headers["content-type"] == "image/gif" and "video.gif" in video.headers["content-disposition"]
        sent, environment = json.loads(video.content)
        assert sent["text"] == "Hi." and sent["controls"] == {"emotion": "happy:0.5"} and sent["voice"] == "joe"
        assert not any(each.startswith("SPEECHHEAD_TOKEN") for each in environment)
        folder = server.offline.get(name).folder
        assert (folder / "source.upload").read_bytes() == b"picture"
        assert (await client.delete(f"/offline/{name}")).status_code == 204
        assert (await client.get(f"/offline/{name}")).status_code == 404 and not folder.exists()
        assert "offline" in (await client.get("/config")).json()["limits"]

    play(scenario)


def test_another_head_and_keyframes_come_with_it_and_no_path_does(toy_child):
    table, keys = b"yaw,pitch,roll,brow\n1,2,3,0.01\n", b"at,emotion\n0.5,happy:0.7\n"

    async def scenario(client, server):
        files = {"head": ("me.csv", table), "keyframes": ("mood.csv", keys)}
        made = await client.post("/offline", files=files, data={"text": "Hi.", "head_brows": "yes", "seed": "5"})
        assert made.status_code == 202, made.text
        job = await ended(client, made.json()["id"])
        sent = json.loads((await client.get(f"/offline/{job['id']}/video")).content)[0]["controls"]
        folder = server.offline.get(job["id"]).folder.resolve()
        assert sent == {"head": str(folder / "head.csv"), "keyframes": str(folder / "keyframes.upload"),
                        "head_brows": True, "seed": 5}  # fmt: skip
        assert (folder / "head.csv").read_bytes() == table
        video = await client.post("/offline", files={"head": ("me.mp4", b"film")}, data={"text": "Hi."})
        assert (server.offline.get(video.json()["id"]).folder / "head.upload").is_file()
        await ended(client, video.json()["id"])
        for wrong in ({"head": "/etc/passwd"}, {"keyframes": "/etc/passwd"}, {"head_brows": "yes"}):
            assert "passwd" not in one_line(await post(client, text="Hi.", **wrong), 422)
        for unread in (b"[{", b"at,smile\n1,2\n", b"/etc/passwd"):
            told = one_line(await post(client, {"keyframes": unread}, text="Hi."), 422)
            assert "keyframes.upload" in told and str(folder.parent) not in told
        one_line(await post(client, {"keyframes": b"at,emotion\n" + b"1,sad\n" * 50_000}, text="Hi."), 413)

    play(scenario)


def test_a_video_is_drawn_by_what_the_server_offers_and_where(toy_child, monkeypatch):
    limits = []
    real = queue.Worker
    monkeypatch.setattr(queue, "Worker", lambda cores, words, *rest: limits.append(words) or real(cores, words, *rest))
    monkeypatch.setenv("SPEECHHEAD_HOME", "/weights")
    monkeypatch.setenv("SPEECHHEAD_LLM_KEY", "secret")

    async def made(client, **fields):
        answer = await post(client, text="Hi.", **fields)
        assert answer.status_code == 202, answer.text
        name = (await ended(client, answer.json()["id"]))["id"]
        return json.loads((await client.get(f"/offline/{name}/video")).content)

    async def scenario(client, server):
        sent, environment = await made(client)
        wanted = {"generator": "compact", **how}
        assert sent["options"].items() >= wanted.items(), (
            "the operator's, and the first generator where none is asked for"
        )
        assert "SPEECHHEAD_HOME" in environment, "imported weights are found"
        assert not any("KEY" in name for name in environment)
        assert (await made(client, generator="fomm"))[0]["options"]["generator"] == "fomm"
        refused = await post(client, text="Hi.", generator="dagan")
        assert refused.status_code == 422 and "not offered here. Use one of compact, fomm." in refused.json()["error"]

    how = {"engine": "torch", "device": "cpu", "precision": "bf16", "graph": "none"}
    play(scenario, generators=("compact", "fomm"), **how)
    assert all("--memory" in words for words in limits)
    assert queue._on_gpu(queue.Job("a.mp4", options={"device": "cuda:1"}))  # whose driver reserves more


REFUSED = [
    ({}, {}, "nothing to say"),
    ({"text": "Hi."}, {"audio": b"x"}, "both text and audio are given"),
    ({"text": "Hi.", "head": "/etc/passwd.csv"}, {}, "head is a file. Send it with a file name"),
    ({"text": "Hi.", "background": "/etc/wall.png"}, {}, "is no colour"),
    ({"text": "Hi.", "voice": "/home/voice.onnx"}, {}, "voice '/home/voice.onnx' is unknown"),
    ({"text": "Hi.", "avatar": "/home/me.jpg"}, {}, "avatar '/home/me.jpg' is unknown"),
    ({"text": "Hi.", "avatar": "grace_hopper"}, {"source": b"x"}, "source and avatar are both given"),
    ({"text": "Hi.", "form": "exe"}, {}, "form 'exe' is unknown"),
    ({"text": "Hi.", "size": "7"}, {}, "size 7 is not usable"),
    ({"text": "x" * 6000}, {}, "has 6000 characters"),
    ({"text": "!"}, {}, ""),
    ({"text": "Hi."}, {"portrait": b"x"}, "file 'portrait' is unknown"),
    ({"text": "Hi."}, {"source": b""}, "source: the file is empty"),
    ({"text": "Hi.", "background": "red", "form": "mov"}, {}, "Leave one of them out"),
]  # fmt: skip
"""Fields, files, and what is said of them."""


def test_what_is_refused(toy_child):
    async def scenario(client, server):
        for fields, files, said in REFUSED:
            answer = await post(client, files, **fields)
            assert answer.status_code == 422 and said in answer.json()["error"], (fields, files, answer.text)
            assert "\n" not in answer.json()["error"] and "/tmp" not in answer.json()["error"]
        assert list(server.offline._root.iterdir()) == []

    play(scenario)


def test_forms_that_are_none(toy_child):
    async def scenario(client, server):
        assert (await client.post("/offline", json={"text": "Hi."})).status_code == 415
        broken = await client.post(
            "/offline", content=b"x", headers={"content-type": "multipart/form-data; boundary=a"}
        )
        assert broken.status_code in (400, 422)
        many = [("source", ("a", b"x")), ("audio", ("b", b"x")), *((f"more{k}", ("c", b"x")) for k in range(3))]
        assert (await client.post("/offline", files=many)).status_code == 400
        twice = [("source", ("a", b"x")), ("source", ("b", b"x"))]
        assert "sent twice" in (await client.post("/offline", files=twice)).json()["error"]
        large = await client.post("/offline", files={"source": ("a", b"x" * 3000)})
        assert large.status_code == 413

    play(scenario, offline_limit=2000)


def test_few_at_a_time_and_killed_where_nobody_wants_them(toy_child):
    async def scenario(client, server):
        first = (await post(client, text="hangs")).json()["id"]
        second = await post(client, text="Hi.")
        assert second.json()["before"] == 1
        full = await post(client, text="Hi.")
        assert full.status_code == 429 and "2 of your videos are being made" in full.json()["error"]
        early = await client.get(f"/offline/{second.json()['id']}/video")
        assert early.status_code == 409 and "waiting" in early.json()["error"]
        await until(lambda: server.offline.get(first).worker is not None)
        hand, folder = server.offline.get(first).worker, server.offline.get(first).folder
        await client.delete(f"/offline/{first}")
        assert (await ended(client, second.json()["id"]))["state"] == "done", "the next one has its turn"
        assert not hand.alive and not folder.exists()

    play(scenario)


def test_what_fails_says_why(toy_child, monkeypatch):
    async def scenario(client, server):
        bad, dies = [(await post(client, text=text)).json()["id"] for text in ("bad", "dies")]
        assert (await ended(client, bad))["error"] == "x: not good. Cut it."
        assert (await ended(client, dies))["error"].startswith("takes too much memory or computing")
        hangs = (await post(client, text="hangs")).json()["id"]
        assert (await ended(client, hangs))["error"].startswith("took more than 0.3 s")

    play(scenario, offline_timeout=0.3)


def test_a_disk_without_room_is_the_servers_fault_and_no_file_stays(toy_child, monkeypatch, caplog):
    async def no_form(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario(client, server):
        full, bad = [(await post(client, text=text)).json()["id"] for text in ("full", "bad")]
        job = await ended(client, full)
        assert job["state"] == "failed" and "the server has no room on its disk" in job["error"]
        assert "no room" in one_line(await client.get(f"/offline/{full}/video"), 507)
        assert (await ended(client, bad))["state"] == "failed"
        assert "not good" in one_line(await client.get(f"/offline/{bad}/video"), 409)
        assert list(server.offline._root.iterdir()) == []
        monkeypatch.setattr(formparsers.MultiPartParser, "parse", no_form)
        assert "no room" in one_line(await post(client, {"source": bytes(3 << 20)}, text="Hi."), 507)
        assert "no room" in one_line(await client.post("/avatars", files={"file": ("a", b"x")}), 507)
        assert list(server.offline._root.iterdir()) == []
        monkeypatch.undo()
        monkeypatch.setattr(queue, "free_bytes", lambda _: queue.SPARE - 1)
        assert "no room" in one_line(await post(client, {"source": bytes(3 << 20)}, text="Hi."), 507)

    play(scenario)
    assert caplog.text.count("no room on the disk") == 4


def test_files_on_their_way_have_their_place(toy_child):
    async def scenario(client, server):
        with server.offline.coming("127.0.0.1"), server.offline.coming("127.0.0.1"):
            assert "2 of your videos" in one_line(await post(client, {"source": bytes(3 << 20)}, text="Hi."), 429)
        with contextlib.ExitStack() as stack:
            for number in range(8):
                stack.enter_context(server.offline.coming(str(number)))
            one_line(await post(client, {"source": bytes(3 << 20)}, text="Hi."), 503)
        assert (await post(client, text="Hi.")).status_code == 202

    play(scenario)


def test_videos_are_forgotten(toy_child, monkeypatch):
    monkeypatch.setattr(queue, "SWEEP", 0.05)

    async def scenario(client, server):
        names = [(await post(client, text="Hi.")).json()["id"] for _ in range(2)]
        for name in names:
            await ended(client, name)
        last = (await post(client, text="Hi.")).json()["id"]
        assert (await client.get(f"/offline/{names[0]}")).status_code == 404, "the oldest goes first"
        await until(lambda: last not in server.offline._jobs, 10)
        root = server.offline._root
        await server.offline.close()
        assert not root.exists() and (await post(client, text="Hi.")).status_code == 503

    play(scenario, offline_kept=2, offline_minutes=0.005)


def test_a_server_without_them(toy_child):
    async def scenario(client, server):
        assert (await post(client, text="Hi.")).status_code == 503
        assert "offline" not in (await client.get("/config")).json()["limits"]

    play(scenario, offline_jobs=0)


def test_the_real_process_refuses_a_playlist_and_makes_a_video(portrait, tmp_path):
    """Once, with the real child: the whole way."""
    from PIL import Image

    write_wav(tmp_path / "a.wav", [speech_like(0.2)], 16_000)
    picture = io.BytesIO()
    Image.fromarray(portrait).resize((180, 210)).save(picture, "PNG")

    async def scenario(client, server):
        sound = (tmp_path / "a.wav").read_bytes()
        tables = {"head": ("me.csv", b"yaw,pitch,roll\n1,2,3\n"), "keyframes": ("k.csv", b"at,emotion\n0,happy:0.5\n")}
        files = {"source": ("me.png", picture.getvalue()), "audio": ("a.wav", sound), **tables}
        made = await client.post("/offline", files=files, data={"size": "64"})
        listed = await post(client, {"source": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "audio": sound})
        job = await ended(client, made.json()["id"])
        assert job["state"] == "done" and job["total"] == 5, job
        assert len((await client.get(f"/offline/{job['id']}/video")).content) > 1000
        failed = await ended(client, listed.json()["id"])
        assert failed["error"].startswith("source: not a picture, a sound or a video known here"), failed

    play(scenario)


def test_a_film_tells_who_speaks_and_what_stays(tmp_path):
    two = (np.maximum(one, other) for one, other in zip(takes(12, 10, 48), takes(12, 250, 64, seed=1)))
    film = write(tmp_path / "film.mp4", [*two, *[scene([], 1)] * 10])
    write_wav(tmp_path / "a.wav", [speech_like(22 / 25)], 16_000)

    async def scenario(client, server):
        files = {"source": film.read_bytes(), "audio": (tmp_path / "a.wav").read_bytes()}
        told = {}
        for face in ("", "2"):
            made = await post(client, files, face=face)
            assert made.status_code == 202, made.text
            job = await ended(client, made.json()["id"], 0.2)
            assert job["state"] == "done", job
            told[face] = job["notes"]
        assert told[""][0].startswith("source: 2 people found, the one seen most speaks."), told
        assert "10 of 22 frames stay as they are" in told[""][1] and "10 of 22" in told["2"][0], told

    play(scenario)
