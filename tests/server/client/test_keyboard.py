"""The page without a mouse, and on small screens: the focus is never lost, and nothing lies beside the screen."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("fastapi")
pytest.importorskip("websockets")
pytest.importorskip("httpx")

from support import chromium
from support.live import make, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM."),
]

FOCUS = "document.activeElement.id"
PHASE = "document.querySelector('#stage').dataset.phase"
NAMELESS = """[...document.querySelectorAll('button, input, select, textarea')].filter((e) => e.checkVisibility() &&
  !(e.getAttribute('aria-label') || e.textContent.trim() || [...e.labels ?? []].some((l) => l.textContent.trim())))
  .map((e) => e.outerHTML)"""


async def told(page):
    """Roles and names of what a screen reader meets, and what of it is a control or a picture without a name."""
    nodes = [n for n in (await page.call("Accessibility.getFullAXTree"))["nodes"] if not n.get("ignored")]
    named = [(n["role"]["value"], (n.get("name") or {}).get("value", "")) for n in nodes]
    focusable = [any(p["name"] == "focusable" for p in n.get("properties", [])) for n in nodes]
    meant = ("image", "img", "Video", "Canvas", "radiogroup", "tabpanel", "progressbar")
    return named, [each for each, able in zip(named, focusable) if not each[1] and (able or each[0] in meant)]


def test_the_focus_is_kept_and_nothing_is_cut_off():
    async def visit():
        async with running(make(llm="echo")) as client, chromium.browser() as page:
            await page.open(str(client.base_url))
            await page.until("!document.querySelector('#modes').hidden && !document.querySelector('#start').disabled")
            for place, box in (
                ("#modes [value=talk]", "talk-text"),
                ("#tab-offline", "offline-text"),
                ("#tab-live", "talk-text"),
                ("#modes [value=say]", "text"),
            ):
                await page.click(place)
                await page.click(".skip")
                assert await page.run(FOCUS) == box
                assert await page.run(NAMELESS) == []
                named, nameless = await told(page)
                assert nameless == [] and [role for role, _ in named].count("main") == 1

            await page.run("document.querySelector('#start').focus()")
            await page.key("Enter", 13, "\r")
            await page.until(f"{PHASE} === 'live' && {FOCUS} === 'leave'")
            await page.key("Enter", 13, "\r")
            await page.until(f"{PHASE} === 'off' && {FOCUS} === 'start'")
            await page.run("document.querySelector('#text').focus()")
            await page.call("Input.insertText", text="!!!")
            await page.key("Enter", 13, "\r")
            await page.until("!document.querySelector('#notice').hidden")
            alert = "document.querySelector('%s').closest('[role=alert]') !== null"
            assert await page.run(alert % "#notice-title") and not await page.run(alert % "#notice-act")  # it counts
            await page.run("document.querySelector('#notice-close').focus()")
            await page.key("Enter", 13, "\r")
            await page.until(f"{FOCUS} === 'text'")
            await page.click("#leave")

            for address in ("", "docs/"):
                await page.open(f"{client.base_url}/{address}".replace("//docs", "/docs"))
                for width in (320, 390, 1280):
                    await page.call(
                        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
                    )
                    assert await page.run("document.documentElement.scrollWidth") <= width, (address, width)
            assert [each for each in page.errors if "422" not in each] == []

    asyncio.run(visit())
