"""Networks and scenes in a real browser give what Python gives: from the server, and from a plain file server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("websockets")
pytest.importorskip("httpx")

from support import chromium
from support.live import make, running
from support.paths import ROOT

from speechhead.core import weights
from speechhead.engines.onnx import load_session
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.scene.opened import from_scene

CLIENT = ROOT / "server" / "speechhead_server" / "client"
NAMES = ("landmarks2latents_compact", "compact_mouth", "compact_eyes", "speech2landmarks", "whisper_encoder")
SIZE = 128

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM."),
]

HELP = """
window.bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt());
window.text = (data) => {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let all = "";
  for (let at = 0; at < bytes.length; at += 32768) all += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(all);
};
window.ran = async (name, inputs) => {
  const own = ({data, dims}) => ({dims, data: new Float32Array(bytes(data).buffer)});
  const given = Object.entries(inputs).map(([key, tensor]) => [key, own(tensor)]);
  const found = await networks.run(name, Object.fromEntries(given));
  if (given.some(([, {data}]) => !data.length)) throw new Error("inputs were taken away");
  return Object.entries(found).map(([key, {data, dims}]) => [key, dims, text(data)]);
};
"""


@contextlib.asynccontextmanager
async def plain(folder):
    """A server of files and nothing else."""
    folder.mkdir()
    for part in ("draw", "vendor"):
        shutil.copytree(CLIENT / part, folder / part)
    (folder / "weights").mkdir()
    for name in NAMES:
        shutil.copy(weights.path(f"{name}.onnx"), folder / "weights")
    (folder / "index.html").write_text("<!doctype html><title>plain</title>")
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        line = (await process.stdout.readline()).decode()
        yield f"http://127.0.0.1:{line.split('port ')[1].split()[0]}/"
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def live(_):
    async with running(make(generator=CompactGenerator, size=SIZE)) as client:
        yield str(client.base_url) + "/"


def some_inputs(name):
    rng = np.random.default_rng(7)
    return {
        one.name: rng.random([side if isinstance(side, int) else 1 for side in one.shape], np.float32) * 0.5
        for one in load_session(f"{name}.onnx").get_inputs()
    }


@pytest.mark.parametrize("serving", [plain, live])
def test_networks_agree(serving, tmp_path):
    async def visit():
        async with serving(tmp_path / "page") as address, chromium.browser() as page:
            await page.open(address)
            await page.run(HELP)
            opened = f"Networks.open({{names: {list(NAMES)}}})"
            loaded = f"import('./draw/networks.js').then(({{Networks}}) => {opened})"
            await page.run(f"{loaded}.then((networks) => {{ window.networks = networks; }})")
            assert await page.run("networks.engine") == "wasm"
            for name in NAMES:
                given = some_inputs(name)
                coded = {
                    key: {"dims": list(value.shape), "data": base64.b64encode(value.tobytes()).decode()}
                    for key, value in given.items()
                }
                await page.run(f"window.given = {coded}")
                session = load_session(f"{name}.onnx")
                wanted = dict(zip([one.name for one in session.get_outputs()], session.run(None, given)))
                found = await page.run(f"ran('{name}', given)")
                assert {key for key, *_ in found} == set(wanted)
                for key, dims, data in found:
                    values = np.frombuffer(base64.b64decode(data), np.float32).reshape(dims)
                    assert values.shape == wanted[key].shape
                    assert np.abs(values - wanted[key]).max() <= 1e-4 * max(1, np.abs(wanted[key]).max()), (name, key)
            # What stays the same is given once, and what is not there is told.
            await page.run(
                "networks.hold('landmarks2latents_compact', {shape: {data: new Float32Array(210), dims: [1, 210]}})"
            )
            run = "networks.run('landmarks2latents_compact', {motion: {data: new Float32Array(210), dims: [1, 210]}})"
            assert await page.run(f"{run}.then((found) => found.delta.dims.join())") == "1,1434"
            assert "was not opened" in await page.run("networks.run('other', {}).catch((error) => error.message)")
            late = await page.run(
                f"(() => {{ const late = {run}; networks.close(); return late.catch((e) => e.message); }})()"
            )
            assert "closed" in late
            after = f"{run}.then(() => 'run', (error) => error.message)"
            assert "closed" in await page.run(after), "and is not waited for"
            missing = "import('./draw/networks.js').then(({Networks}) => Networks.open({names: ['none']}))"
            assert "none.onnx" in await page.run(f"{missing}.catch((error) => error.message)")
            assert not [error for error in page.errors if "404" not in error]

    asyncio.run(visit())


SOON = """
window.told = [];
(async () => {
  const { Networks } = await import("/draw/networks.js"), zeros = { data: new Float32Array(210), dims: [1, 210] };
  const given = { motion: zeros, shape: zeros }, first = "landmarks2latents_compact";
  const told = (...news) => window.told.push(...news);
  const soon = Networks.begin({ names: [first], later: ["compact_eyes", "compact_mouth"] });
  await soon.ready;
  told(soon.missing, (await soon.run(first, given)).delta.dims.join(), soon.missing);
  await soon.whole;
  told(soon.missing);
  const less = Networks.begin({ names: [first], later: ["nothing", "compact_mouth"] });
  told(await less.whole.catch((error) => error.message), (await less.run(first, given)).delta.dims.join());
})().catch((error) => window.told.push(String(error)));
"""


def test_a_network_runs_while_others_are_still_on_their_way():
    async def visit():
        async with live(None) as address, chromium.browser() as page:
            await page.open(f"{address}healthz")
            await page.run(SOON)
            *told, why, runs = await page.until("told.length > 5 && told", 90)
            assert told == [True, "1,1434", True, False] and "nothing.onnx" in why and runs == "1,1434"
            assert not [error for error in page.errors if "404" not in error]

    asyncio.run(visit())


def test_a_scene_is_read_and_kept(tmp_path):
    async def visit():
        async with live(None) as address, chromium.browser() as page:
            await page.open(address)
            await page.run(HELP)
            opened = "import('./draw/scene.js').then(({openScene}) => openScene('avatars/eileen_collins/scene'))"
            for _ in range(2):  # the second is the browser's own
                await page.run(f"{opened}.then((scene) => {{ window.scene = scene; }})")
                names = ("person", "crop", "light", "upper")
                found = {name: await page.run(f"text(scene.array('{name}').data)") for name in names}
            kept = "caches.open('speechhead-files').then((cache) => cache.keys()).then((keys) => keys.length)"
            assert await page.run(kept) == 1
            fetched = "fetch('avatars/eileen_collins/scene').then((answer) => answer.arrayBuffer())"
            data = await page.run(f"{fetched}.then((buffer) => text(new Uint8Array(buffer)))")
            source = from_scene(base64.b64decode(data))
            wanted = {
                "person": source.layers.person,
                "crop": source.crop,
                "light": source.smile.light,
                "upper": source.inside.upper.colour,
            }
            for name, array in wanted.items():
                values = np.frombuffer(base64.b64decode(found[name]), np.float32).reshape(array.shape)
                assert np.abs(values - array.astype(np.float32)).max() < 1e-3, name
            assert not page.errors

    asyncio.run(visit())
