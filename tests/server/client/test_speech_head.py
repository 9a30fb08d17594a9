"""The element in a real browser: it draws by motion, falls back to the server's pictures, and says which."""

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

OPEN = """
(async () => {
  const own = await import("/own_drawing.js");
  window.seen = [];  // [frame, opening of the mouth, ms]
  window.cost = 0;
  own.parts.able = () => true;
  const packet = own.OwnDrawing.prototype.packet;
  own.OwnDrawing.prototype.packet = function (data) { window.drawing = this; packet.call(this, data); };
  own.parts.renderer = async ({ canvas }) => ({
    async draw(motion) {
      if (window.broken) throw new Error("the GPU was lost");
      await new Promise((go) => setTimeout(go, window.cost));
      const { landmarks } = motion;
      seen.push([motion.frame, landmarks[3 * 66 + 1] - landmarks[3 * 62 + 1], performance.now()]);
      canvas.getContext("2d").fillRect(0, 0, 1, 1);
    },
    close() { window.gone = true; },
  });
  await import("/speech-head.js");
  window.head = document.createElement("speech-head");
  head.setAttribute("size", "128");
  window.told = [];
  head.addEventListener("message", ({ detail }) => told.push(detail.type));
  document.body.replaceChildren(head);
})()
"""


def visit(scenario, **options):
    async def run():
        server = make(**options)
        async with running(server) as client, chromium.browser() as page:
            await page.open(f"{client.base_url}/healthz")
            await page.run(OPEN)
            await scenario(page, server)

    asyncio.run(run())


def test_it_draws_what_is_heard_and_the_server_draws_nothing():
    async def scenario(page, server):
        await page.until("head.mode === 'motion' && seen.length > 30")
        (session,) = server.sessions
        assert session.stage.pictures.drawn == 0 and not session.views.drawn_here
        await page.run("head.say('one two three four five six seven eight')")
        await page.until("Math.max(...seen.map(([, open]) => open)) > 0.02")
        await page.until("drawing.clock.from === 'sound'")
        shown, at = await page.run("seen.at(-1)[0]"), session.clock.frame
        assert 0 <= at - shown < 25, "a picture is shown with its sound, which a jitter buffer holds back"
        await page.run("head.interrupt()")
        await page.until("told.includes('done')")
        numbers = await page.run("seen.map(([frame]) => frame)")
        assert numbers == sorted(set(numbers)), "every frame once, in order"
        assert "ms here" in await page.until("head.reason.includes('ms here') && head.reason")
        assert not [error for error in page.errors if "404" not in error], page.errors  # of the browser's favicon
        await page.run("head.remove()")
        await page.until("window.gone")

    visit(scenario)


def test_a_page_that_is_left_frees_its_session():
    async def scenario(page, server):
        await page.until("head.mode === 'motion' && seen.length > 3")
        assert len(list(server.sessions)) == 1
        assert await page.run("getComputedStyle(head.canvas).position") == "absolute", (
            "styled in spite of the server's policy"
        )
        assert not [error for error in page.errors if "404" not in error], page.errors
        await page.open("about:blank")
        for _ in range(60):
            if not list(server.sessions):
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the session waits for a page that is gone")

    visit(scenario)


def test_a_slow_device_and_a_lost_one_get_the_servers_pictures():
    async def scenario(page, server):
        await page.until("head.mode === 'motion' && seen.length > 3")
        await page.run("void (window.cost = 70)")
        await page.until("head.mode === 'video' && !head.video.hidden && head.video.videoWidth === 128")
        (session,) = server.sessions
        assert "ms here" in await page.run("head.reason") or "too late" in await page.run("head.reason")
        assert session.views.drawn_here and session.stage.pictures.watched == 1
        await page.run("void (window.cost = 0); head.setAttribute('mode', 'motion')")
        await page.until("head.mode === 'motion' && !head.canvas.hidden")
        for _ in range(100):
            if not session.stage.pictures.watched:
                break
            await asyncio.sleep(0.05)
        assert not session.stage.pictures.watched
        await page.run("head.setAttribute('mode', 'auto')")
        await page.run("void (window.broken = true)")
        await page.until("head.mode === 'video' && head.reason === 'the GPU was lost'")

    visit(scenario)
