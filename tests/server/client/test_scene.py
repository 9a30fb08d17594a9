"""The scene in JavaScript is what it is in Python."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support import node

from speechhead.avatar.named import SHIPPED
from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import to_pixels
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.relief import Raise, Relief
from speechhead.generators.compact.scene.file import SceneFile
from speechhead.generators.compact.scene.opened import from_scene
from speechhead.generators.compact.scene.pack import packed

pytestmark = pytest.mark.skipif(node.NODE is None, reason="node is not installed.")

SIZE = 96

READ = """
const {readScene} = await load("draw/scene.js");
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const scene = await readScene(bytes(given.scene), async (_, name) => bytes(given.pixels[name]));
const text = (data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
const told = ({shape, data}) => ({shape, data: text(data)});
const arrays = Object.fromEntries(given.names.map((name) => [name, told(scene.array(name))]));
const same = scene.array("person") === scene.array("person");
scene.forget("person");
return {meta: scene.meta, same, kept: [scene.has("person"), scene.has("nothing")], arrays};
"""

REFUSED = """
const {readScene} = await load("draw/scene.js");
const said = [];
for (const text of given.files) {
  const read = readScene(new Uint8Array(Buffer.from(text, "base64")), async () => []);
  said.push(await read.catch((error) => error.message));
}
return said;
"""


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_what_is_derived_is_what_python_derives(tmp_path):
    avatar = Avatar.from_image(SHIPPED / "eileen_collins.jpg", size=SIZE).resampled(SIZE)
    source = CompactGenerator.load(SIZE, threads=1).prepare(avatar.crop, avatar.mesh)
    goes = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[:, None], 64, 1)  # as of hair that the crop cuts
    relief, mesh = source.relief, to_pixels(source.canonical, source.pose)
    relief = Relief((relief.depth, relief.rigid), Raise.of(mesh, source.pose), mesh, source.pose, SIZE, goes)
    data = packed(replace(source, relief=relief)).bytes()
    file, read = SceneFile(data), from_scene(data)
    raw = file.within("")
    pixels = {name: coded(file.pixels(name).tobytes()) for name in file.told["pictures"]}
    plate, warper = read.lips.plate, read.warper
    wanted = {
        "person": (read.layers.person, 1e-3),
        "background": (read.layers.background, 0),
        "lip_upper": (plate.upper, 1),
        "lip_lower": (plate.lower, 1),
        "vertices": (warper.source[:546], 1e-6),
        "places": (read.relief.places, 1e-4),
        "shades": (read.room.shades, 1e-5),
        "light": (raw["light"], 1e-5),
        "lower": (read.inside.lower.colour, 1e-5),
        "depth": (raw["depth"], 1e-4),
        "numbers.canonical": (read.canonical, 0),
        **{name: (array[0], 1e-6) for name, array in read.features.items()},
    }
    found = node.run(READ, tmp_path, scene=coded(data), pixels=pixels, names=list(wanted))
    assert found["meta"]["size"] == SIZE and found["meta"]["lids"][0]["iris"] == 468
    assert found["same"] and found["kept"] == [True, False]
    for name, (array, far) in wanted.items():
        other = found["arrays"][name]
        assert other["shape"] == list(array.shape), name
        values = np.frombuffer(base64.b64decode(other["data"]), np.float32).reshape(array.shape)
        assert np.abs(values - np.asarray(array, np.float32)).max() <= far, name


def test_what_is_no_scene_is_refused(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    said = node.run(REFUSED, tmp_path, files=[coded(buffer.getvalue()), coded(b"")])
    assert all("no scene" in line for line in said), said
