"""A stage is sent to real receivers of RTMP and MPEG-TS, and comes back after they were away."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys

import av
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")

import numpy as np
from speechhead_server.rtc import outlet, outlet_process, targets
from speechhead_server.rtc.outlet_process import RECORD, records
from speechhead_server.rtc.targets import check_target, check_targets, format_of, hidden, speaks, writes
from support.live import one_line, play, session, until

from speechhead.core.errors import ServerError

RECEIVER = """
import json, sys
import av
# FFmpeg's own server: it listens, takes one stream, and tells what was in it.
with av.open(sys.argv[1], "r", options=json.loads(sys.argv[2]), timeout=30) as stream:
    kinds = {s.type: s.codec_context.name for s in stream.streams}
    size = stream.streams.video[0].width
    counts, last = {"audio": 0, "video": 0}, 0.0
    for packet in stream.demux():
        if packet.pts is not None:
            counts[packet.stream.type] += 1
            last = max(last, float(packet.pts * packet.time_base))
        if counts["video"] >= int(sys.argv[3]):
            break
    comment = stream.metadata.get("comment", "")
print(json.dumps({"kinds": kinds, "size": size, "counts": counts, "last": last, "comment": comment}))
"""


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def receiver(address, pictures=40, **options):
    arguments = [sys.executable, "-c", RECEIVER, address, json.dumps(options), str(pictures)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def told(process):
    out, error = await asyncio.to_thread(process.communicate, timeout=40)
    assert process.returncode == 0, error
    return json.loads(out)


@pytest.mark.realtime
def test_a_session_is_sent_by_rtmp_and_again_after_the_receiver_was_away(monkeypatch):
    monkeypatch.setattr(outlet, "RETRY", (0.3, 0.5))
    address = f"rtmp://127.0.0.1:{free_port()}/live/secret-key"

    async def scenario(client, server):
        made = await session(client)
        path = f"/admin/sessions/{made['id']}/outlets"
        shown = (await client.post(path, json={"target": address})).json()
        (sender,) = server.sessions.get(made["id"]).outlets._outlets.values()
        await until(lambda: sender.tries > 1, 20)  # nobody listens yet
        assert "refused" in sender.error
        for _ in range(2):
            coming = asyncio.create_task(told(receiver(address, listen="1")))
            await until(lambda: sender.fps > 5, 30)
            stats = (await client.get(f"/sessions/{made['id']}/stats")).json()
            assert stats["fps"] > 5 and stats["viewers"] == []
            got = await coming
            assert got["kinds"] == {"video": "h264", "audio": "aac"} and got["size"] == made["size"]
            assert got["counts"]["audio"] > 40 and 1.4 < got["last"] < 4  # 40 pictures are 1.6 s
            assert "synthetic media" in got["comment"]
        (visit,) = (await client.get("/admin/sessions")).json()["sessions"]
        assert visit["outlets"][0]["id"] == shown["id"] and visit["outlets"][0]["seconds"] > 2
        assert "secret-key" not in json.dumps(visit)
        assert not server.sessions.get(made["id"]).abandoned(0.0)
        assert (await client.delete(f"{path}/{shown['id']}")).status_code == 204
        one_line(await client.delete(f"{path}/{shown['id']}"), 404)
        assert server.sessions.get(made["id"]).stage.pictures.watched == 0

    play(scenario)


def test_a_server_that_is_always_on_the_air():
    port = free_port(socket.SOCK_DGRAM)

    async def scenario(client, server):
        (shown,) = (await client.get("/admin/sessions")).json()["sessions"]
        assert (await client.post(f"/sessions/{shown['id']}/say", json={"text": "one two"})).status_code == 202
        got = await told(receiver(f"udp://127.0.0.1:{port}"))
        assert got["kinds"] == {"video": "h264", "audio": "aac"}

    play(scenario, push=(f"udp://127.0.0.1:{port}",))


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/",
        "file:///etc/passwd",
        "/etc/passwd",
        "rtmp://",
        "udp://1",
        "udp://127.0.0.1:99999",
        "rtmp://a b/live",
        "rtmp://-x/live",
        "",
        "rtmp:/x",
        "concat:a|b",
        "rtmp://[",
        "/dev/null",
        "/dev/../tmp/x",
    ],
)
def test_only_addresses_of_streams_are_taken(target):
    with pytest.raises(ValueError):
        format_of(target)

    async def scenario(client, server):
        path = f"/admin/sessions/{(await session(client))['id']}/outlets"
        assert "/dev/videoN" in one_line(await client.post(path, json={"target": target}), 422)

    if target in ("file:///etc/passwd", "rtmp://["):
        play(scenario)


def test_what_this_build_can_not_write_is_said_before_anything_is_sent(monkeypatch):
    assert speaks("rtmp") and speaks("udp") and not speaks("nothing") and writes("libx264") and not writes("x")
    monkeypatch.setattr(targets, "speaks", lambda scheme: scheme != "srt")
    monkeypatch.setattr(targets, "writes", lambda name: name != "libx264")
    for target, said in (
        ("srt://127.0.0.1:9/secret", "does not speak srt. Send rtmp:// to a relay"),
        ("rtmp://127.0.0.1/secret", "can not write libx264"),
        ("/dev/video987", "no such camera. Make one: modprobe v4l2loopback video_nr=987"),
        ("ftp://a", "Give rtmp://, rtmps://, udp:// with a host"),
    ):
        with pytest.raises(ServerError) as caught:
            check_target(target)
        assert said in str(caught.value) and "secret" not in str(caught.value), str(caught.value)


def test_no_more_addresses_than_a_session_is_sent_to():
    many = tuple(f"udp://127.0.0.1:{port}" for port in range(1000, 1009))
    with pytest.raises(ServerError, match="9 targets are too many. Give 8"):
        check_targets(many)
    with pytest.raises(ServerError, match="is given twice"):
        check_targets(many[:2] + many[:1])
    check_targets(many[:8])


def test_what_is_secret_in_an_address_is_not_shown():
    assert hidden("rtmp://user:password@live.example.org:1935/app/key?a=b") == "rtmp://live.example.org:1935/..."
    assert hidden("rtmp://live.example.org:port/key") == "rtmp://live.example.org/..."
    assert hidden("/dev/video10") == "/dev/video10" and hidden("key") == "..."


def test_the_process_says_in_a_line_what_is_wrong(monkeypatch, capsysbinary):
    for target, said in (
        ("srt://127.0.0.1:9", b"MediaMTX"),
        (f"rtmp://127.0.0.1:{free_port()}/a", b"refused"),
    ):
        order = io.BytesIO(json.dumps({"target": target, "size": 64}).encode() + b"\n")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(order))
        with pytest.raises(SystemExit) as end:
            outlet_process.main()
        out = capsysbinary.readouterr().out
        assert end.value.code == 1 and said in out and out.count(b"\n") == 1, out


def test_a_virtual_camera_gets_raw_pictures_and_no_sound(monkeypatch, tmp_path):
    opened = []

    def open_file(target, mode, format, timeout):
        opened.append((target, format))
        return av.open(str(tmp_path / "raw.yuv"), mode, format="rawvideo")

    monkeypatch.setattr(outlet_process, "av", type("Av", (), {**vars(av), "open": staticmethod(open_file)}))
    sender = outlet_process.Sender("/dev/video10", 64)
    picture = np.arange(64 * 96, dtype=np.uint32).astype(np.uint8).tobytes()
    for number in range(3):
        sender.put(b"s", number * 1920, np.zeros(960, np.int16).tobytes())
        sender.put(b"p", number * 1920, picture)
    sender.close()
    assert opened == [("/dev/video10", "v4l2")] and (tmp_path / "raw.yuv").read_bytes() == picture * 3


def test_a_receiver_that_keeps_silent_is_left(monkeypatch):
    monkeypatch.setattr(outlet, "ANSWER", 2.0)

    async def scenario(client, server):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            target = f"rtmp://127.0.0.1:{silent.getsockname()[1]}/a"
            sender = server.sessions.get((await session(client))["id"]).outlets.add(target)
            await until(lambda: "no answer" in sender.error, 15)

    play(scenario)


def test_its_process_ends_by_itself_where_nobody_answers():
    script = "from speechhead_server.rtc import outlet_process as p; p.CONNECT = 1.5; p.main()"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        order = json.dumps({"target": f"rtmp://127.0.0.1:{silent.getsockname()[1]}/a", "size": 64}) + "\n"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, env=environment) as process:
            process.stdin.write(order.encode())
            process.stdin.flush()  # and it stays open: the server that started it was killed
            assert process.wait(20) != 0


def test_half_a_record_ends_the_stream():
    whole = RECORD.pack(b"s", 7, 3) + b"abc"
    assert list(records(io.BytesIO(whole + whole[:-1]))) == [(b"s", 7, b"abc")]


def test_it_ends_though_its_cancellation_is_lost(monkeypatch):
    """As Python before 3.12 may lose it; the test waited for ever."""

    async def deaf(awaitable, seconds):
        try:
            return await awaitable
        except asyncio.CancelledError:
            return b"ready\n"

    async def scenario(client, server):
        made = await session(client)
        path = f"/admin/sessions/{made['id']}/outlets"
        shown = (await client.post(path, json={"target": f"rtmp://127.0.0.1:{free_port()}/a"})).json()
        monkeypatch.setattr(outlet.asyncio, "wait_for", deaf)
        await asyncio.sleep(0.05)  # its process starts
        (sender,) = server.sessions.get(made["id"]).outlets._outlets.values()
        assert (await client.delete(f"{path}/{shown['id']}")).status_code == 204
        monkeypatch.undo()
        assert sender._task.done()

    play(scenario)
