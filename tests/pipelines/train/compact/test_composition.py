"""The composition in torch that trains the compact generator gives the picture that onnxruntime gives at run time.

Shipped weights and the default portrait, its jaw dropped and its head turned; fields and
patches agree to rounding, pictures to how two libraries shrink them.
"""

from __future__ import annotations

import contextlib
import io

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from pipelines.train.compact import learn_motion, learn_windows  # noqa: E402
from pipelines.train.compact.data import Driven, motion_inputs, window_inputs  # noqa: E402
from pipelines.train.compact.networks import CompactNetworks  # noqa: E402
from pipelines.train.compact.train import begin_with  # noqa: E402
from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.core import weights  # noqa: E402
from speechhead.face.landmarks import Pose, to_pixels  # noqa: E402
from speechhead.generators.compact.generator import CompactGenerator, Source  # noqa: E402
from speechhead.generators.compact.meshwarp import MeshWarp  # noqa: E402
from speechhead.generators.compact.windows import WINDOWS, near  # noqa: E402

SIZE, FIELD = 256, 128


@pytest.fixture(scope="module")
def networks() -> CompactNetworks:
    """The shipped weights in torch."""
    model = CompactNetworks().eval().requires_grad_(False)
    with contextlib.redirect_stdout(io.StringIO()):
        begin_with(model, weights.path("compact_motion.onnx").parent)
    return model


@pytest.fixture(scope="module")
def scene() -> tuple[CompactGenerator, Source, Driven]:
    """The generator with the default portrait, and the frame that both compositions are asked for."""
    avatar = Avatar.default(SIZE)
    generator = CompactGenerator.load(SIZE, threads=1)
    source = generator.prepare(avatar.crop, avatar.mesh)
    driving = source.landmarks.copy()
    driving[[*range(4, 13), *range(55, 60), *range(65, 68)], 1] += 0.09  # jaw and lower lip, outer eye distances
    yaw, pitch, roll = source.pose.angles
    pose = Pose.from_angles(yaw + 7, pitch - 3, roll + 3, source.translation + np.float32([4, -3, 0]), source.scale)
    keypoints = generator._latents.keypoints(driving[None], source.canonical)[0]
    return generator, source, Driven(source.crop, source.crop, source.canonical, keypoints, source.pose, pose)


def batch_of(item: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(np.ascontiguousarray(value, np.float32))[None] for key, value in item.items()}


def test_dense_motion_and_its_picture_are_the_same(networks, scene):
    generator, source, driven = scene
    layers = source.layers
    item = motion_inputs(driven, layers.alpha, layers.background.astype(np.uint8), networks.config.motion_resolution)
    picture, flow, _, _ = learn_motion.forward(networks, batch_of(item))

    warper = MeshWarp(source.canonical, source.pose, SIZE)
    prior, coverage = warper.flow(driven.keypoints, driven.pose, FIELD)
    ours = generator._dense(source, prior, coverage, *warper.rigid(driven.pose))
    theirs = flow[0].permute(1, 2, 0).numpy()
    assert np.abs(ours).max() > 0.05  # the frame does move
    assert np.abs(ours - theirs).max() * SIZE / 2 < 1e-3  # pixels of the crop

    small = cv2.resize(layers.moved(ours), (FIELD, FIELD), interpolation=cv2.INTER_AREA).astype(np.float32)
    difference = np.abs(small - 255 * picture[0].permute(1, 2, 0).clamp(0, 1).numpy())
    assert difference.mean() < 1.5  # levels of 255; read at half the resolution there, averaged here


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_painted_the_same(networks, scene, name):
    generator, source, driven = scene
    item = window_inputs(driven, to_pixels(driven.keypoints, driven.pose))
    batch = batch_of(item)
    wanted = learn_windows.forward(networks, batch).patches[name][0].numpy()

    feeds = {}
    for window in WINDOWS:
        for part in ("warped", "shapes", "motion", "source", "source_shapes"):
            feeds[f"{window}_{part}"] = batch[f"{window}_{part}"].numpy()
        for part in ("quarter", "eighth"):
            feeds[f"{window}_{part}"] = source.features[f"{window}_{part}"]
    painted = dict(zip(WINDOWS, generator._windows.run(None, feeds)))[name][0]
    if name == "mouth":
        painted = painted * near(item["mouth_shapes"][1])
    ours = (1 - painted[3:]) * item[f"{name}_warped"] + painted[:3]
    assert np.abs(ours - item[f"{name}_warped"]).max() > 0.02  # something is painted
    assert np.abs(ours - wanted).max() < 0.01 / 255
    for part in ("source", "source_shapes"):  # the portrait's own windows
        assert np.array_equal(source.features[f"{name}_{part}"][0], item[f"{name}_{part}"])
