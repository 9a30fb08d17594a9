"""The page without a server: its folder is whole, and a portrait says a sound file from a plain file server."""

from __future__ import annotations

import asyncio
import base64
import functools
import http.server
import io
import json
import re
import threading
import wave
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from speechhead_server.http import page
from support import chromium, firefox

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.square import on_stage
from speechhead.core.errors import ServerError
from speechhead.generators.compact.scene.file import SceneFile
from speechhead.motion.rest import rest_face

SOFTWARE = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
STATE = "document.querySelector('#state').textContent"
FRAME = "Number(document.body.dataset.frame || -1)"

DRAWERS = "export const opened = async () => { throw new Error('nothing draws here'); };"

NETWORKS = """
export class Networks {  // as many zeros as each network gives, and a mouth that opens and closes
  static begin() { return new Networks(); }
  ready = Promise.resolve();
  close() {}
  async run(name) {
    if (name === "whisper_encoder") return { features: { data: new Float32Array(40 * 384) } };
    this.steps = (this.steps ?? 0) + 1;
    const motion = new Float32Array(420);
    for (const point of [65, 66, 67]) motion[3 * point + 1] = motion[210 + 3 * point + 1] = this.steps % 4 ? 0.2 : 0;
    return { motion: { data: motion }, next_state: { data: new Float32Array(448) } };
  }
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("page") / "site"
    page.command(made, ["eileen_collins"], 128)
    (made / "weights" / "of_before.onnx").write_bytes(b"")
    page.command(made, ["mara", "grace_hopper"], 128)  # a page is made anew
    return made


def test_all_that_a_module_imports_is_in_the_folder(folder):
    assert json.loads((folder / "page.json").read_text()) == {"avatars": ["mara", "grace_hopper"]}
    assert {path.name for path in folder.glob("*.scene")} == {"mara.scene", "grace_hopper.scene"}, (
        "no portrait of before"
    )
    assert {path.name for path in (folder / "weights").iterdir()} == set(page.WEIGHTS)
    asked = {folder / match for match in re.findall(r'(?:src|href)="([^":,]+)"', (folder / "index.html").read_text())}
    for module in [file for file in folder.rglob("*.js") if "vendor" not in file.parts]:
        names = re.findall(r'(?:from|import\(|URL\()\s*"(\.[^"]+\.js)"', module.read_text())
        asked |= {(module.parent / name).resolve() for name in names}
    vendored = {folder / "vendor" / name for name in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.wasm.gz", "LICENSE")}
    wanted = {*asked, *vendored, *(folder / "weights" / name for name in page.WEIGHTS)}
    assert len(asked) > 40 and not [path for path in wanted if not path.is_file()]


def test_a_scene_tells_what_a_face_moves_from(folder):

    scene, staged = SceneFile((folder / "mara.scene").read_bytes()), on_stage(Avatar.open("mara"), 128)
    assert (scene.array("rest") == rest_face(staged.neutral)).all()
    assert scene.array("emotions").shape == (7, 70, 3)
    assert scene.array("pose")[:9] == pytest.approx(staged.pose.rotation.ravel())
    assert scene.array("pose")[12] == pytest.approx(staged.pose.scale)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ServerError, match="holds no page"):
        page.write_page(tmp_path, ["mara"], 128)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@contextmanager
def served(folder: Path, **others: str):
    """A plain file server's address; `others` are texts that it gives in place of modules of draw/."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            text = others.get(self.path.removeprefix("/draw/").removesuffix(".js"))
            if text is None:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript")
            self.end_headers()
            self.wfile.write(text.encode())

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def voice(tmp_path):
    """Three seconds of something like vowels."""
    time = np.arange(3 * 22_050) / 22_050
    loud = np.clip(np.sin(2 * np.pi * 3 * time), 0, 1) * sum(
        np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 9)
    )
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, 22_050, 0, "NONE", ""))
        file.writeframes((0.3 * 32767 * np.clip(loud, -1, 1)).astype("<i2").tobytes())
    return tmp_path / "voice.wav"


@pytest.mark.skipif(chromium.find() is None, reason="no Chromium found")
def test_a_sound_file_moves_the_face(folder, voice):
    pytest.importorskip("websockets")

    async def visit(address):
        async with chromium.browser() as tab:
            await tab.open(f"{address}?lines")
            await tab.until(f"{FRAME} > 5")  # alive before anything sounds
            await tab.until("!document.querySelector('#file').disabled")
            before = await tab.run(FRAME)
            await tab.choose("#file", voice)
            await tab.until(f"{STATE}.startsWith('Speaking')")
            await tab.until(f"{FRAME} > {before} + 20", 30)
            await tab.until(f"{STATE}.startsWith('Choose')", 30)  # it ended
            painted = "document.querySelector('canvas').getContext('2d').getImageData(0, 0, 128, 128).data.some(v => v)"
            assert await tab.run(painted)
            await tab.open(address)  # the portrait itself, which can not be drawn
            await tab.until(f"{STATE}.includes('landmarks are shown')")
            await tab.until(f"{FRAME} > 5")
            assert not tab.errors

    with served(folder, networks=NETWORKS, drawers=DRAWERS) as address:
        asyncio.run(visit(address))


@pytest.mark.slow
@pytest.mark.skipif(firefox.find() is None, reason="no Firefox found. apt install firefox-esr, or set FIREFOX.")
def test_firefox_hears_and_moves_too(folder, voice):
    """It draws the portrait; where its sound does not start it says so."""

    async def visit(address):
        async with firefox.browser() as tab:
            await tab.open(address)
            await tab.until(f"{STATE}.includes('Choose')", 60)
            await tab.choose("#file", voice)
            told = await tab.until(f"!{STATE}.includes('Choose') && !{STATE}.startsWith('Reading') && {STATE}")
            before = int(await tab.run(FRAME))
            await tab.until(f"{FRAME} > {before} + 20")
            if "sound does not start" in told:
                return
            await tab.until(f"{STATE}.includes('Choose')")
            await tab.run("document.querySelector('#microphone').click()")
            await tab.until(f"{STATE}.startsWith('Listening')")
            before = int(await tab.run(FRAME))
            await tab.until(f"{FRAME} > {before} + 20")

    with served(folder) as address:
        asyncio.run(visit(address))


async def seen(tab) -> np.ndarray:
    """The canvas as it is shown, at its own size."""
    box = json.loads(await tab.run("JSON.stringify(document.querySelector('canvas').getBoundingClientRect())"))
    clip = {**{name: box[name] for name in ("x", "y", "width", "height")}, "scale": 1}
    coded = (await tab.call("Page.captureScreenshot", clip=clip))["data"]
    picture = Image.open(io.BytesIO(base64.b64decode(coded))).convert("RGB").resize((128, 128))
    return np.asarray(picture).astype(float)


WATCHED = """
window.started = 0;
window.Worker = class extends Worker { constructor(...of) { super(...of); started += /networks/.test(of[0]); } };
HTMLAnchorElement.prototype.click = function () { window.saved = this.href; };
"""

PLAYED = """new Promise((done, fail) => {
  const video = Object.assign(document.createElement("video"), {src: saved, muted: true, onerror: fail});
  video.onplaying = () => setTimeout(() => done([video.videoWidth, video.currentTime > 0.1]), 400);
  video.play().catch(fail);
})"""


@pytest.mark.slow
@pytest.mark.skipif(chromium.find() is None, reason="no Chromium found")
def test_a_portrait_is_drawn_speaks_hears_a_microphone_is_recorded_and_makes_room_for_another(folder, voice):
    pytest.importorskip("websockets")
    flags = (
        *SOFTWARE,
        "--window-size=700,1000",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={voice}",
    )

    async def visit(address):
        async with chromium.browser(*flags) as tab:
            await tab.call("Page.addScriptToEvaluateOnNewDocument", source=WATCHED)
            await tab.open(address)
            await tab.until(f"{STATE}.startsWith('Choose')", 60)
            await tab.until(f"{FRAME} > 5")
            rest = await seen(tab)
            portrait = on_stage(Avatar.open("mara"), 128).picture
            assert np.median(np.abs(rest - portrait)) < 8, "it is the portrait, but where its head has turned"
            await tab.click("#record")
            await tab.choose("#file", voice)
            await tab.until(f"{STATE}.startsWith('Speaking')")
            spoken = []
            while (await tab.run(STATE)).startswith("Speaking"):
                spoken.append((await seen(tab))[75:115, 40:88])
            assert np.abs(np.diff(spoken, axis=0)).mean((1, 2, 3)).max() > 2, "the mouth moves"
            await tab.click("#record")
            await tab.until("window.saved", 20)
            assert await tab.run(PLAYED) == [128, True]
            await tab.click("#microphone")
            await tab.until(f"{STATE}.startsWith('Listening')")
            before = await tab.run(FRAME)
            await tab.until(f"{FRAME} > {before} + 20", 30)
            await tab.run(
                "(s => ['mara', 'grace_hopper'].map(n => (s.value = n, s.dispatchEvent(new Event('change')))))"
                "(document.querySelector('#avatar'))"
            )
            await tab.until(f"{STATE}.startsWith('Choose')", 60)
            await tab.until(f"{FRAME} > 5")
            assert np.abs(await seen(tab) - rest).mean() > 20
            assert await tab.run("started") == 2, "networks that draw and that hear, loaded once"
            assert not tab.errors

    with served(folder) as address:
        asyncio.run(visit(address))
