"""The whole chain, nothing of it stood in for: a server, a voice, and a browser that draws what it is told or hears."""

from __future__ import annotations

import asyncio
import base64
import time

import cv2
import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("fastapi")
pytest.importorskip("websockets")
pytest.importorskip("httpx")

from support import chromium
from support.live import running

from speechhead.face.landmarks import Pose

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM."),
]

SIZE = 256
LEAST = 44.0
"""Peak signal to noise ratio of the browser's picture and Python's, dB."""

SOFTWARE = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")

WATCH = """
(async () => {
  const { parts } = await import("/own_drawing.js"), open = parts.renderer;
  window.kept = {};  // a frame at rest, and the one whose mouth is open widest: motion and pixels
  parts.renderer = async (given) => {
    const renderer = await open(given), draw = renderer.draw.bind(renderer);
    renderer.draw = async (motion) => {
      const whole = !renderer.settling, done = await draw(motion);
      if (!whole) return done; // what networks paint is not there yet
      const face = motion.landmarks, opening = face[3 * 66 + 1] - face[3 * 62 + 1];
      const name = opening < 0.01 ? "rest" : "open";
      if (name === "rest" ? !kept.rest : opening > 1.2 * (kept.open?.opening ?? 0.05)) {
        const copy = new OffscreenCanvas(given.canvas.width, given.canvas.height);
        copy.getContext("2d").drawImage(given.canvas, 0, 0);  // before the browser takes the picture away
        const { landmarks, pose } = motion, picture = copy.convertToBlob();
        kept[name] = { opening, landmarks: [...landmarks], pose: [...pose], picture };
      }
      return done;
    };
    return renderer;
  };
  await import("/speech-head.js");
  window.head = document.createElement("speech-head");
  head.setAttribute("mode", "MODE");
  document.body.replaceChildren(head);
})()
"""

TAKE = """
(async () => {
  const bytes = new Uint8Array(await (await kept.NAME.picture).arrayBuffer());
  return { ...kept.NAME, picture: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
})()
"""


@pytest.mark.parametrize("mode", ["motion", "sound"])
def test_a_browser_draws_what_python_draws_while_it_speaks(mode: str) -> None:
    from speechhead_server.core.config import ServerSettings
    from speechhead_server.http.app import Server

    async def run() -> None:
        server = Server(ServerSettings(size=SIZE, port=0, max_sessions=2))
        async with running(server) as client, chromium.browser(*SOFTWARE) as page:
            await page.open(f"{client.base_url}/healthz")
            await page.run(WATCH.replace("MODE", mode))
            await page.until("head.drawn > 5 && kept.rest", 60)
            assert await page.run("head.mode") == mode and not await page.run("head.canvas.hidden")
            await page.run("void head.say('Papa, are you up? My mama and my papa are far apart.')")
            end = time.monotonic() + 60
            while not await page.run("kept.open?.opening > 0.1"):
                assert time.monotonic() < end, await page.run("kept.open?.opening")
                await asyncio.sleep(0.2)
            (session,) = server.sessions
            assert session.stage.pictures.drawn == 0, "pictures that the server has drawn"
            avatar = await server.gallery.staged(None, SIZE)
            generator = server.studio.palette.generator("compact", SIZE)
            shown = {}
            for name in ("rest", "open"):
                told = await page.run(TAKE.replace("NAME", name))
                coded = np.frombuffer(base64.b64decode(told["picture"]), np.uint8)
                picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)
                assert picture is not None
                shown[name] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
                face = np.array(told["landmarks"], np.float32).reshape(70, 3)
                yaw, pitch, roll, *place, scale = told["pose"]
                pose = Pose.from_angles(yaw, pitch, roll, np.array(place, np.float32), scale)
                ours = avatar.paste(generator.render(avatar.source(generator), face, pose))
                wrong = np.square(shown[name].astype(float) - ours).mean()
                assert 10 * np.log10(255**2 / wrong) > LEAST, name
            assert np.abs(shown["open"].astype(int) - shown["rest"]).mean() > 1, "levels"
            assert not [error for error in page.errors if "404" not in error], page.errors  # of the browser's favicon

    asyncio.run(run())
