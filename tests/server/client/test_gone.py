"""A server that was killed is noticed at once by the page and by the element, which come back when it does."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")
pytest.importorskip("websockets")

import httpx
from support import chromium
from support.paths import ROOT

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium.")

SERVER = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "server")!r}, {str(ROOT / "tests")!r}]
from speechhead_server.core.config import ServerSettings
from speechhead_server.http import app
from speechhead_server.http.serve import serve
from support import fakes, live
real = app.Server
app.Server = lambda settings: real(settings, fakes.FakeGenerator, fakes.FakeSpeech(), live.FakeSpeaker())
serve(ServerSettings(port=int(sys.argv[1]), size=128, max_sessions=4))
"""

WATCH = """
window.seen = [];
new MutationObserver(() => seen.push(Date.now())).observe(%s, {attributes: true, attributeFilter: [%r]}); 1
"""

KEPT = """
(() => {
  const still = document.querySelector("#still"), { width, height } = still;
  const pixels = still.hidden ? [] : still.getContext("2d").getImageData(0, 0, width, height).data;
  return pixels.reduce((sum, value, k) => sum + (k % 4 < 3) * value, 0) / (3 * width * height);
})()
"""
"""Mean of what is kept of the last picture, 0 where nothing is."""

SOON = 2500
"""Milliseconds on a machine that does other things; alone it takes 1200."""


@contextlib.asynccontextmanager
async def serving(port):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(600):
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get("/readyz")).status_code == 200:
                        break
                assert process.returncode is None
                await asyncio.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def killed(process, page, element, attribute):
    """Milliseconds from the server's death to the first change of an attribute."""
    await page.run(WATCH % (element, attribute))
    at = 1000 * time.time()
    process.send_signal(signal.SIGKILL)
    await page.until("seen.length > 0", 20)
    return await page.run("seen[0]") - at


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_the_page_sees_it_and_comes_back():
    stage, port = "document.querySelector('#stage')", free_port()

    async def visit():
        async with chromium.browser() as page:
            async with serving(port) as server:
                await page.open(f"http://127.0.0.1:{port}/")
                await page.until("!document.querySelector('#start').disabled")
                await page.click("#start")
                await page.until(f"{stage}.dataset.phase === 'live'", 40)
                await asyncio.sleep(1)
                assert await killed(server, page, stage, "data-phase") < SOON
                assert await page.run(f"{stage}.dataset.phase") == "mending"
                assert await page.run(KEPT) > 20  # the last picture stays
            async with serving(port):
                await page.until(f"{stage}.dataset.phase === 'live' && document.querySelector('#still').hidden", 40)

    asyncio.run(visit())


@pytest.mark.slow
def test_the_element_sees_it_and_comes_back():
    head, port = "document.querySelector('speech-head')", free_port()

    async def visit():
        async with chromium.browser() as page:
            async with serving(port) as server:
                await page.open(f"http://127.0.0.1:{port}/")
                script = "await import('/speech-head.js'); document.body.innerHTML = '<speech-head mode=video>';"
                await page.run(f"(async () => {{{script}}})()")
                await page.until(f"{head}.mode === 'video' && !{head}.video.hidden", 40)
                assert await killed(server, page, head, "data-error") < SOON
                assert await page.run(f"!{head}.poster.hidden && {head}.poster.naturalWidth > 0")
            async with serving(port):
                await page.until(f"!{head}.dataset.error && !{head}.video.hidden", 40)

    asyncio.run(visit())
