"""The picture alone: what has the key's colour is not there, and what has not is as it was."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("fastapi")
pytest.importorskip("websockets")
pytest.importorskip("httpx")

from support import chromium
from support.live import make, running, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM."),
]

FLAGS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")

KEYED = """(async () => {
  const { KEY, KeyedPicture } = await import("/keyed.js");
  const drawn = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
  const context = drawn.getContext("2d");
  const parts = [KEY, "#d9a07a", "#20160f", "#f4f4f0", "#4d7d5c"]; // key, skin, dark hair, white, green eyes
  parts.forEach((colour, i) => { context.fillStyle = colour; context.fillRect(0, 12 * i, 64, 12); });
  const cut = document.createElement("canvas");
  new KeyedPicture(document.createElement("video"), cut, KEY).draw(drawn, 64, 64);
  const flat = Object.assign(document.createElement("canvas"), { width: 64, height: 64 }).getContext("2d");
  flat.drawImage(cut, 0, 0);
  return parts.map((_, i) => [...flat.getImageData(32, 12 * i + 6, 1, 1).data]);
})()"""


def test_the_key_is_taken_away_and_colours_of_people_stay():
    async def visit():
        server = make()
        async with running(server) as client, chromium.browser(*FLAGS) as page:
            await page.open(f"{client.base_url}/livez")
            key, skin, hair, white, eyes = await page.run(KEYED)
            assert key[3] == 0 and [each[3] for each in (skin, hair, white)] == [255] * 3 and eyes[3] > 190
            for got, wanted in ((skin, (0xD9, 0xA0, 0x7A)), (hair, (0x20, 0x16, 0x0F)), (white, (0xF4, 0xF4, 0xF0))):
                assert max(abs(a - b) for a, b in zip(got, wanted, strict=False)) <= 8, (got, wanted)

            await page.open(f"{client.base_url}/alone.html?background=transparent")
            await page.until("document.querySelector('#cut').width === 128")
            assert await page.run("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
            assert len(server.sessions) == 1
            await page.open("about:blank")  # whoever leaves takes the session along
            await until(lambda: len(server.sessions) == 0, 10)
            await page.open(f"{client.base_url}/alone.html?background=transparent&key=green")
            assert "no colour" in await page.until("document.querySelector('#trouble').textContent")

    asyncio.run(visit())
