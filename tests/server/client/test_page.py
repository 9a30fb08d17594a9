"""The page without a server: its folder is whole, and a portrait says a sound file from a plain file server."""

from __future__ import annotations

import asyncio
import functools
import http.server
import json
import re
import threading
import wave

import numpy as np
import pytest
from speechhead_server.http import page
from support import chromium

from speechhead.core.errors import ServerError
from speechhead.generators.compact.scene.file import SceneFile
from speechhead.motion.rest import rest_face

LATER = {"draw/networks.js", "draw/networks_worker.js"}

NETWORKS = """
export class Networks {  // as many zeros as each network gives, and a mouth that opens and closes
  static async open() { return new Networks(); }
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
    modules = tuple(name for name in page.MODULES if (page.CLIENT / name).is_dir())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "MODULES", modules)
        page.command(made, ["mara"], 128)
        page.command(made, ["mara"], 128)  # a page is made anew
    return made


def test_all_that_a_module_imports_is_in_the_folder(folder):
    assert json.loads((folder / "page.json").read_text()) == {"avatars": ["mara"]}
    asked = {folder / match for match in re.findall(r'(?:src|href)="([^":,]+)"', (folder / "index.html").read_text())}
    for module in [file for file in folder.rglob("*.js") if "vendor" not in file.parts]:
        names = re.findall(r'(?:from|import\(|URL\()\s*"(\.[^"]+\.js)"', module.read_text())
        asked |= {(module.parent / name).resolve() for name in names}
    missing = {str(path.relative_to(folder)) for path in asked if not path.is_file()}
    assert len(asked) > 20 and missing <= LATER
    assert all((folder / "weights" / name).is_file() for name in page.WEIGHTS)


def test_a_scene_tells_what_a_face_moves_from(folder):
    from speechhead.avatar.portrait import Avatar
    from speechhead.avatar.square import on_stage

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


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.skipif(chromium.find() is None, reason="no Chromium found")
def test_a_sound_file_moves_the_face(folder, tmp_path):
    pytest.importorskip("websockets")
    time = np.arange(3 * 22_050) / 22_050
    loud = np.clip(np.sin(2 * np.pi * 3 * time), 0, 1) * sum(
        np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 9)
    )
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, 22_050, 0, "NONE", ""))
        file.writeframes((0.3 * 32767 * np.clip(loud, -1, 1)).astype("<i2").tobytes())
    (folder / "draw/networks.js").write_text(NETWORKS)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    frame = "Number(document.body.dataset.frame || -1)"

    async def visit():
        async with chromium.browser() as tab:
            await tab.open(f"http://127.0.0.1:{server.server_address[1]}/?lines")
            await tab.until("!document.querySelector('#file').disabled")
            await tab.until(f"{frame} > 5")  # alive before anything sounds
            before = await tab.run(frame)
            await tab.choose("#file", tmp_path / "voice.wav")
            await tab.until("document.querySelector('#state').textContent.startsWith('Speaking')")
            await tab.until(f"{frame} > {before} + 20", 30)
            await tab.until("document.querySelector('#state').textContent.startsWith('Choose')", 30)  # it ended
            painted = "document.querySelector('canvas').getContext('2d').getImageData(0, 0, 128, 128).data.some(v => v)"
            assert await tab.run(painted)
            assert not tab.errors

    try:
        asyncio.run(visit())
    finally:
        server.shutdown()
        server.server_close()
