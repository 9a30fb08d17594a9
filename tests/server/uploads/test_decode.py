"""Uploads are decoded in processes with limits: whatever a file does, sessions open and memory stays."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")
pytest.importorskip("websockets")

import websockets
from PIL import Image
from speechhead_server.core.problems import Refused
from speechhead_server.uploads.decode import UploadDecoder
from support.hostile import LOOP, fake_ghostscript, flac
from support.live import one_line, play, session, until

AS_FLAC = {"content-type": "audio/flac"}
HANGS = [sys.executable, "-c", "import time; time.sleep(60)"]
SPINS = "import speechhead_server.uploads.decode_process as d; d.CPU_SECONDS = 1; d.limit('sound')\nwhile True: pass"
SWELLS = "import speechhead_server.uploads.decode_process as d; d.MEMORY['sound'] = 200 << 20; d.limit('sound')"
SWELLS += "; bytearray(300 << 20)"


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def peak(pid: int) -> float:
    """Most memory that a process held so far, MB; 0 before it has become what it is to be, or after its end."""
    with contextlib.suppress(OSError):
        if b"decode_process" in Path(f"/proc/{pid}/cmdline").read_bytes():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 1024
    return 0.0


def test_a_disk_without_room_is_said_and_leaves_nothing(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def scenario(client, server):
        made = await session(client)
        server.decoder._command = [sys.executable, "-c", "import sys; sys.stdin.buffer.read(); sys.exit(3)"]
        sent = await client.post(f"/sessions/{made['id']}/audio", content=b"sound", headers=AS_FLAC)
        assert "no room on its disk" in one_line(sent, 507) and sent.headers["retry-after"]
        portrait = (await client.post("/avatars", content=b"picture", headers={"content-type": "image/png"})).json()
        await until(lambda: server.gallery.get(portrait["id"]).state == "failed")
        assert "no room on its disk" in server.gallery.get(portrait["id"]).error
        assert list(tmp_path.glob("speechhead-*")) == []

    play(scenario)
    assert caplog.text.count("no room on the disk") == 2 and "Free some" in caplog.text


def test_postscript_fails_and_starts_no_interpreter(tmp_path, monkeypatch):
    mark = fake_ghostscript(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    async def scenario(client, server):
        sent = [await client.post("/avatars", content=LOOP, headers={"content-type": "image/png"}) for _ in range(2)]
        await session(client)
        for answer in sent:
            entry = server.gallery.get(answer.json()["id"])
            await until(lambda entry=entry: entry.state != "preparing", 20)
            assert entry.state == "failed" and "not a picture" in entry.error and "\n" not in entry.error
        assert not mark.exists()

    play(scenario)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_an_hour_without_a_stated_length_is_refused_with_flat_memory():
    async def run():
        decoder, most = UploadDecoder(), 0.0
        job = asyncio.create_task(decoder.sound(flac(3600, stated=False), 600.0))
        while not job.done():
            most = max([most, *map(peak, decoder.pids)])
            await asyncio.sleep(0.01)
        with pytest.raises(Refused, match="longer than 600 s") as caught:
            job.result()
        assert caught.value.status == 422
        assert 20 < most < 150  # held as a whole it is 230 MB at 16 kHz, and three times that at 48 kHz

    asyncio.run(run())


def test_a_recording_comes_back_whole_and_a_picture_as_it_is():
    async def run():
        decoder = UploadDecoder()
        sound = await decoder.sound(flac(25.0), 30.0)
        assert sound.seconds == 25 and [len(heard) for heard, _ in sound.pieces] == [160_000, 160_000, 80_000]
        assert sound.nbytes == 25 * 128_000
        pixels, out = np.random.default_rng(0).integers(0, 256, (70, 80, 3), np.uint8), io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        found, notes = await decoder.picture(out.getvalue(), 5600)
        assert (found == pixels).all() and notes == ()
        moving, frames = io.BytesIO(), [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
        frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
        assert (await decoder.picture(moving.getvalue(), 5600))[1] == (
            "picture: an animation. Its first picture is taken.",
        )
        with pytest.raises(Refused, match="80x70 pixels is too large"):
            await decoder.picture(out.getvalue(), 5599)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (HANGS, "more than 1 s"),
        ([sys.executable, "-c", SPINS], "computing"),
        ([sys.executable, "-c", SWELLS], "can not"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
def test_a_decoder_that_hangs_spins_or_swells_is_ended(command, reason):
    async def run():
        decoder = UploadDecoder(command, 1.0 if command is HANGS else 30.0)
        job = asyncio.create_task(decoder.sound(b"x" * 1_000_000, 600.0))
        await until(lambda: decoder.pids)
        (pid,) = decoder.pids
        with pytest.raises(Refused, match=reason):
            await asyncio.wait_for(job, 20)
        assert ended(pid) and not decoder.pids

    asyncio.run(run())


def test_more_uploads_than_may_wait_are_refused_and_closing_ends_them():
    async def run():
        decoder = UploadDecoder(HANGS)
        jobs = [asyncio.create_task(decoder.sound(b"x", 1.0)) for _ in range(6)]
        await until(lambda: len(decoder.pids) == 2)
        with pytest.raises(Refused, match="6 uploads are being decoded"):
            await decoder.sound(b"x", 1.0)
        pids = decoder.pids
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        assert all(map(ended, pids)) and not decoder.pids
        job = asyncio.create_task(decoder.sound(b"x", 1.0))
        await until(lambda: decoder.pids)
        decoder.close()
        with pytest.raises(Refused):
            await asyncio.wait_for(job, 5)

    asyncio.run(run())


@pytest.mark.realtime
def test_a_session_opens_while_uploads_are_decoded():
    async def opened(client, count):
        times = []
        for _ in range(count):
            begin = time.monotonic()
            made = await session(client)
            times.append(time.monotonic() - begin)
            await client.delete(f"/sessions/{made['id']}")
        return times

    async def scenario(client, server):
        path = f"/sessions/{(await session(client))['id']}/audio"
        quiet, data = statistics.median(await opened(client, 8)), flac(240.0)
        jobs = [asyncio.create_task(client.post(path, content=data, headers=AS_FLAC)) for _ in range(2)]
        await until(lambda: len(server.decoder.pids) == 2)
        busy = await opened(client, 8)
        assert not all(job.done() for job in jobs)
        assert statistics.median(busy) < 5 * quiet + 0.05 and max(busy) < 1.0
        assert [answer.status_code for answer in await asyncio.gather(*jobs)] == [202, 202]

    play(scenario)


def test_nobody_decodes_for_who_has_gone():
    async def scenario(client, server):
        server.decoder._command = HANGS
        path = f"/sessions/{(await session(client))['id']}/audio"
        job = asyncio.create_task(client.post(path, content=b"x", headers=AS_FLAC))
        await until(lambda: server.decoder.pids)
        (pid,) = server.decoder.pids
        job.cancel()
        await until(lambda: ended(pid) and not server.decoder.pids)
        sent = await client.post("/avatars", content=b"x", headers={"content-type": "image/png"})
        await until(lambda: server.decoder.pids)
        (pid,) = server.decoder.pids
        await session(client, avatar="eileen_collins")  # is prepared for the stage only now, and waits for nobody
        assert (await client.delete(f"/avatars/{sent.json()['id']}")).status_code == 204
        await until(lambda: ended(pid) and not server.decoder.pids)

    play(scenario)


def test_sound_that_waits_has_a_limit_in_bytes():
    async def scenario(client, server):
        first, second = await session(client), await session(client)

        async def send(made, seconds, query=""):
            path = f"/sessions/{made['id']}/audio{query}"
            return await client.post(path, content=flac(seconds), headers=AS_FLAC)

        # Sound is played meanwhile: sizes leave half a minute, which a busy machine may take between two requests.
        assert (await send(first, 60)).status_code == 202
        refused = await send(first, 60)
        assert refused.status_code == 429 and "(at most 80 s)" in refused.json()["error"]
        assert (await send(first, 60, "?interrupt=true")).status_code == 202  # what waited makes room
        refused = await send(second, 79)
        assert refused.status_code == 503 and "(at most 100 s)" in refused.json()["error"]
        url = f"ws://127.0.0.1:{client.base_url.port}/sessions/{first['id']}/pcm"
        async with websockets.connect(url) as socket:  # live sound fills the same queue, and waits where it is full
            for _ in range(4):
                await socket.send(bytes(32_000 * 16))
            await asyncio.sleep(0.5)
            assert server.sessions.get(first["id"]).stage.waiting()[1] <= 80 * 128_000
            await socket.send(json.dumps({"type": "clear"}))
            await socket.send(json.dumps({"type": "ping"}))

    play(scenario, queue_bytes=80 * 128_000, total_queue_bytes=100 * 128_000)
