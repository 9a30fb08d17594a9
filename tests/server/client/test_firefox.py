"""The page in a second browser, with other codecs and another WebRTC than Chromium's: seen, heard, spoken to."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("fastapi")
pytest.importorskip("websockets")
pytest.importorskip("httpx")

from support import firefox
from support.live import make, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(firefox.find() is None, reason="no Firefox found. apt install firefox-esr, or set FIREFOX."),
]

WATCH = """
window.peers = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); peers.push(this); }
};
window.inbound = async (kind, key) => {
  for (const report of (await peers.at(-1).getStats()).values())
    if (report.type === "inbound-rtp" && report.kind === kind) return report[key];
};
"""


def test_it_is_seen_heard_and_spoken_to():
    async def visit():
        async with running(make(size=256)) as client, firefox.browser() as page:
            await page.open(str(client.base_url))
            await page.run(WATCH)
            await page.until("!document.querySelector('#start').disabled")
            await page.run("document.querySelector('#start').click()")
            await page.until("document.querySelector('#stage').dataset.phase === 'live'", 40)
            before = await page.run("inbound('video', 'framesDecoded')")
            await asyncio.sleep(2)
            assert await page.run("inbound('video', 'framesDecoded')") > before + 20
            assert await page.run("document.querySelector('video').videoWidth") == 256
            quiet = await page.run("inbound('audio', 'totalAudioEnergy')")
            await page.run("document.querySelector('#text').value = 'one two three four five six seven eight'")
            await page.run("document.querySelector('#speak').click()")
            await page.until("document.querySelector('.captions .said')", 20)
            await asyncio.sleep(1)
            assert await page.run("inbound('audio', 'totalAudioEnergy')") > quiet + 1e-5
            await page.run("document.querySelector('#interrupt').click()")
            await page.until("document.querySelector('#stage').dataset.state === 'idle'", 10)

    asyncio.run(visit())
