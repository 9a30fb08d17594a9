"""The browser draws what Python draws: all of a frame's steps by WebGL2, and a renderer that survives losses."""

from __future__ import annotations

import asyncio
import functools
import http.server
import json
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("websockets")

from support import chromium, node
from support.acting import moved
from support.scene_folder import written

from speechhead.avatar.named import SHIPPED
from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.device.generator import CompactOnDevice
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.scene.pack import packed
from speechhead.generators.open import open_generator

SIZE = 192
LEAST = 44.0
"""Peak signal to noise ratio of the two pictures, dB."""

SOFTWARE = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
PAGE = "<!doctype html><link rel=icon href='data:,'><canvas></canvas><script type=module src=/drawn/page.js></script>"
SCRIPT = (Path(__file__).parents[2] / "support" / "drawn_page.js").read_text()


@contextmanager
def served(folder: Path):
    """The client's modules and a folder `/drawn/`, at an address."""
    (folder / "page.js").write_text(SCRIPT)
    (folder / "index.html").write_text(PAGE)

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}

        def translate_path(self, path: str) -> str:
            name = path.split("?")[0]
            if name.startswith("/drawn/"):
                return str(folder / name.removeprefix("/drawn/"))
            return str(node.CLIENT / name.removeprefix("/"))

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/drawn/index.html"
    server.shutdown()
    server.server_close()
    thread.join()


async def told(address: str, script: str) -> object:
    """The value of a script in a page that draws."""
    async with chromium.browser(*SOFTWARE) as page:
        await page.open(address)
        await page.until("window.ready === true", 60)
        kept = "found => { window.found = JSON.stringify(found); }"
        await page.run(f"({script}).catch(error => String(error.stack)).then({kept}); 1")
        found = await page.until("window.found", 120)
        assert not page.errors, page.errors
        return json.loads(found)


def decibels(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.square(one.astype(float) - other).mean(), 1e-9)))


@functools.lru_cache(maxsize=1)
def generators() -> tuple[CompactGenerator, CompactOnDevice]:
    there = open_generator("compact", SIZE, engine="torch", device="cpu")
    assert isinstance(there, CompactOnDevice)
    return CompactGenerator.load(SIZE, threads=1), there


@pytest.mark.slow
@pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM.")
@pytest.mark.parametrize("name", ["mara", "eileen_collins"])
def test_pictures_are_those_of_python_and_waver_no_more(name: str, tmp_path: Path) -> None:
    here, there = generators()
    avatar = Avatar.from_image(SHIPPED / f"{name}.jpg", size=SIZE).resampled(SIZE)
    source = there.prepare(avatar.crop, avatar.mesh)
    drives = moved(source.landmarks, source.pose)
    written(tmp_path, there, source, drives)
    with served(tmp_path) as address:
        found = asyncio.run(told(address, "pictures()"))
    assert isinstance(found, list), found
    ours = np.stack([here.render(source, *drive) for drive in drives]).astype(int)
    theirs = np.stack([np.frombuffer(bytes.fromhex(one["frame"]), np.uint8).reshape(SIZE, SIZE, 3) for one in found])
    assert min(decibels(a, b) for a, b in zip(ours, theirs)) > LEAST
    for one in found:  # of the torch form, step by step
        assert min(one["decibels"].values()) > 50, one["decibels"]
        assert one["flow"] < 0.01, "mean difference in pixels"
        assert max(one["seen"].values()) < 0.005
    steady = [np.abs(np.diff(frames[3:].astype(int), 2, axis=0)).mean() for frames in (ours, theirs)]
    assert steady[1] < 1.05 * steady[0]


@pytest.mark.slow
@pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM.")
def test_a_frame_is_marked_pasted_recorded_and_survives_a_lost_context(tmp_path: Path) -> None:
    _, there = generators()
    avatar = Avatar.default(SIZE)
    source = there.prepare(avatar.crop, avatar.mesh)
    written(tmp_path, there, source, moved(source.landmarks, source.pose)[:1], stages=False)
    with served(tmp_path) as address:
        found = asyncio.run(told(address, "shown()"))
    assert isinstance(found, dict), found
    assert found["marked"] > 20, "levels that the corner's mean changes by"
    assert found["beside"] == 0, "levels that the rest changes by"
    assert found["pasted"] == [2 * SIZE, 2 * SIZE]
    assert found["outside"] == 0
    assert found["lost"] is False and found["restored"] is True
    assert found["again"] == 0, "levels by which the picture after the loss differs"
    assert found["passes"] < 40


@pytest.mark.slow
@pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM.")
@pytest.mark.parametrize("engine", ["webgl2", "plain"])
def test_a_renderer_draws_a_scene_keeps_the_newest_motion_and_comes_back(engine: str, tmp_path: Path) -> None:
    _, there = generators()
    avatar = Avatar.default(SIZE)
    source = there.prepare(avatar.crop, avatar.mesh)
    written(tmp_path, there, source, [], stages=False)
    (tmp_path / "own.scene").write_bytes(packed(source).bytes())
    pose = source.pose
    told_pose = [*map(float, pose.angles), *map(float, pose.translation), float(pose.scale)]
    motion = {"landmarks": source.landmarks.ravel().tolist(), "pose": told_pose}
    (tmp_path / "motion.json").write_text(json.dumps(motion))
    with served(tmp_path) as address:
        found = asyncio.run(told(address, f"renderer('{engine}')"))
    assert isinstance(found, dict), found
    shown, asked, pixels = found["still"]
    assert shown and asked == 0, "the portrait is there before any network"
    assert decibels(np.array(pixels).reshape(SIZE, SIZE, 3), source.crop) > 32
    assert found["newest"] == [True, True, False, True], "two at once, and the newest of the others"
    order, away = found["lanes"]
    assert order == [0, 1] and max(away) == 0, "two at once are each of them, and shown in their order"
    assert found["names"] == ["landmarks2latents_compact", "compact_mouth", "compact_eyes"]
    assert found["time"] > 0 and found["chosen"] == "plain", "the processor plays this browser's graphics unit"
    assert decibels(np.array(found["frame"]).reshape(SIZE, SIZE, 3), source.crop) > 32, "the portrait at rest"
    assert found["live"] == "live"
    if engine == "plain":
        assert found["closed"] == [False, False], "neither what was being drawn nor what comes later fails"
        return
    assert found["events"] == ["onlost", "onrestored"]
    assert [found["while"], found["after"], found["closed"]] == [False, True, False]
    assert found["again"] == 0


@pytest.mark.skipif(node.NODE is None, reason="no node found")
def test_what_is_worked_out_beside_the_shaders(tmp_path: Path) -> None:
    from speechhead.generators.compact.windows import MOUTH, apart, near

    random = np.random.default_rng(3)
    shapes = random.random((2, MOUTH.height, MOUTH.width)).astype(np.float32)
    painted = random.random((4, MOUTH.height, MOUTH.width)).astype(np.float32)
    square = [[1, 1], [5, 1], [5, 4], [1, 4], [1, 4]]
    found = node.run(
        """
        const { toned } = await load("draw/paint/tones.js"), { halves, over } = await load("draw/outlines.js");
        const { quads, tableOf } = await load("draw/paint/glsl.js");
        const how = { shapes: Float32Array.from(given.shapes), tone: Float32Array.of(1, 1, 1), grey: 0 };
        const { hull, sides } = halves(Float32Array.from(given.square.flat()));
        const from = ([x, y], k) => hull[3 * k] * x + hull[3 * k + 1] * y + hull[3 * k + 2];
        const away = (place) => Math.max(...[...Array(sides)].map((_, k) => from(place, k)));
        return {
          toned: [...toned("mouth", Float32Array.from(given.painted), how)],
          away: [[3, 2], [7, 2], [1, 2]].map(away),
          over: [...over(Float32Array.of(1, 5, 3, 6), 100)],
          quads: [...quads([1, 2, 3, 4], 2)],
          table: [...tableOf([[7, 8, 9]]).slice(0, 4)],
        };
        """,
        tmp_path,
        shapes=shapes.ravel().tolist(),
        painted=painted.ravel().tolist(),
        square=square,
    )
    wanted = painted * (near(shapes[1]) * apart(shapes[0]) * MOUTH.edge())
    made = np.array(found["toned"], np.float32).reshape(MOUTH.height, MOUTH.width, 4).transpose(2, 0, 1)
    assert np.abs(made - wanted).max() < 1e-5
    assert found["away"] == pytest.approx([-1, 2, 0])
    assert found["over"] == [-1000, 5, 1, 5, 3, 6, 1100, 6, 1100, -1000, -1000, -1000]
    assert found["quads"] == [1, 2, 0, 0, 3, 4, 0, 0]
    assert found["table"] == [7, 8, 9, 0]
