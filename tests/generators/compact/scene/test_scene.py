"""A scene holds a portrait whole: what is drawn from the file is what is drawn from the portrait itself."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from speechhead.avatar.named import SHIPPED
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import ImageError
from speechhead.face.landmarks import Pose, to_pixels
from speechhead.generators.compact.generator import CompactGenerator, Source
from speechhead.generators.compact.relief import Raise, Relief
from speechhead.generators.compact.scene.file import SceneFile, SceneWriter
from speechhead.generators.compact.scene.opened import from_scene
from speechhead.generators.compact.scene.pack import packed
from speechhead.motion.blink import LID_PAIRS

SIZE = 192
LEAST = 60.0
"""Peak signal to noise ratio of pictures from the file, dB; they differ by a level here and there."""


@pytest.fixture(scope="module")
def compact() -> CompactGenerator:
    return CompactGenerator.load(SIZE, threads=1)


@pytest.fixture(scope="module")
def smiling(compact: CompactGenerator) -> Source:
    return shown(compact, "eileen_collins")


@pytest.fixture(scope="module")
def drawn_one(compact: CompactGenerator) -> Source:
    """A portrait whose irises are found, so that its eyeballs turn."""
    return shown(compact, "mara")


def shown(compact: CompactGenerator, name: str) -> Source:
    avatar = Avatar.from_image(SHIPPED / f"{name}.jpg", size=SIZE).resampled(SIZE)
    return compact.prepare(avatar.crop, avatar.mesh)


def moved(source: Source) -> list[tuple[np.ndarray, Pose]]:
    """An open mouth in a turned head, a blink with a look aside."""
    base, pose = source.landmarks, source.pose
    opened, shut = base.copy(), base.copy()
    opened[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += 0.15
    for upper, lower in LID_PAIRS[:2]:
        shut[upper] = base[lower]
    shut[[68, 69], 0] += 0.03
    turned = Pose.from_angles(*(np.array(pose.angles) + [12, 6, 4]), pose.translation, pose.scale)
    return [(opened, turned), (shut, pose)]


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.square(one.astype(np.float64) - other).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("name", ["smiling", "drawn_one"])
def test_the_same_is_drawn_from_the_file(compact, name, request):
    source = request.getfixturevalue(name)
    data = packed(source).bytes()
    read = from_scene(data)
    assert (read.smile is None) == (source.smile is None) and len(data) < 400_000
    assert [lid and lid.ball is not None for lid in read.lids] == [lid and lid.ball is not None for lid in source.lids]
    for face, pose in moved(source):
        frames = [compact.render(one, face, pose) for one in (source, read)]
        assert psnr(*frames) > LEAST


def test_an_eye_that_has_no_layers_has_none_in_the_file_and_spectacles_are_in_it(smiling):
    relief, mesh = smiling.relief, to_pixels(smiling.canonical, smiling.pose)
    raising = Raise.of(mesh, smiling.pose, np.linspace(-3, 0, len(mesh), dtype=np.float32))
    goes = np.linspace(0, 1, relief.depth.size, dtype=np.float32).reshape(relief.depth.shape)
    relief = Relief((relief.depth, relief.rigid), raising, mesh, smiling.pose, SIZE, goes)
    source = replace(smiling, lids=(None, None), relief=relief)
    data = packed(source).bytes()
    assert from_scene(data).lids == (None, None)
    assert np.allclose(from_scene(data).relief.held()["worn"], relief.held()["worn"])
    assert np.abs(from_scene(data).relief.places - relief.places).max() < 0.02
    assert not any(name.startswith(("lids.", "balls.")) for name in SceneFile(data).within(""))


def test_pictures_come_back_in_steps():
    scene, rng = SceneWriter(), np.random.default_rng(1)
    colours = rng.integers(0, 256, (9, 7, 4)).astype(np.float32)
    colours[..., 3] /= 255
    given = {"grey": colours[..., 0], "red": colours[..., :3], "cut": colours, "signed": colours[..., 0] - 128}
    for name, picture in given.items():
        scene.put_picture(name, picture, 1.0, -128.0 if name == "signed" else 0.0)
    scene.put_steps("fine", colours[..., 0] - 100, np.int16)
    read = SceneFile(scene.bytes())
    for name, picture in given.items():
        assert np.allclose(read.array(name), picture, atol=1e-5), name
    assert np.abs(read.array("fine") - (colours[..., 0] - 100)).max() < 0.01
    assert "grey" in read and "other" not in read


def test_what_is_no_scene_is_refused():
    whole = SceneWriter({"a": 1}, {"b": np.zeros(3, np.float32)}).bytes()
    assert SceneFile(whole).told["a"] == 1
    for broken in (b"", b"no scene at all", whole[:-4], whole.replace(b"speechhead-scene", b"speechhead-scenf")):
        with pytest.raises(ImageError, match="no scene"):
            SceneFile(broken)
    newer = whole.replace(json.dumps({"version": "1"})[1:-1].replace(" ", "").encode(), b'"version":"9"')
    with pytest.raises(ImageError, match="Update"):
        SceneFile(newer)
