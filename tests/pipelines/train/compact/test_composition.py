"""The composition in torch that trains the compact generator gives the picture that onnxruntime gives at run time.

Shipped weights and the default portrait, its jaw dropped and its head turned; fields and
patches agree to rounding, pictures to how two libraries shrink them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from unittest import mock

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from pipelines.train.compact import learn_windows  # noqa: E402
from pipelines.train.compact.data import Driven, window_inputs  # noqa: E402
from pipelines.train.compact.networks import CompactNetworks  # noqa: E402
from pipelines.train.compact.train import begin_with  # noqa: E402
from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.core import weights  # noqa: E402
from speechhead.face.landmarks import Pose, from_mesh, to_pixels  # noqa: E402
from speechhead.generators.compact.generator import CompactGenerator, Source  # noqa: E402
from speechhead.generators.compact.meshwarp import OVAL  # noqa: E402
from speechhead.generators.compact.shown import frame_inputs, read, with_lips, without_smile  # noqa: E402
from speechhead.generators.compact.windows import WINDOWS  # noqa: E402

SIZE = 256
Scene = tuple[CompactGenerator, Source, Driven]
Item = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def networks() -> CompactNetworks:
    """The shipped weights in torch."""
    model = CompactNetworks().eval().requires_grad_(False)
    with contextlib.redirect_stdout(io.StringIO()):
        begin_with(model, weights.path("compact_source.onnx").parent)
    return model


@pytest.fixture(scope="module")
def scene() -> Scene:
    """The generator with the default portrait, and the frame that both compositions are asked for.

    Its spectacles go with the skin here, as they do in training, which knows none.
    """
    avatar = Avatar.default(SIZE)
    generator = CompactGenerator.load(SIZE, threads=1)
    with mock.patch("speechhead.generators.compact.generator.worn", return_value=None):
        source = generator.prepare(avatar.crop, avatar.mesh)
    driving = source.landmarks.copy()
    driving[[*range(4, 13), *range(55, 60), *range(65, 68)], 1] += 0.09  # jaw and lower lip, outer eye distances
    yaw, pitch, roll = source.pose.angles
    pose = Pose.from_angles(yaw + 7, pitch - 3, roll + 3, source.translation + np.float32([4, -3, 0]), source.scale)
    keypoints = generator.keypoints(source, driving)
    return generator, source, Driven(source.crop, source.crop, source.canonical, keypoints, source.pose, pose)


def batch_of(item: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(np.ascontiguousarray(value, np.float32))[None] for key, value in item.items()}


@pytest.fixture(scope="module")
def item(scene: Scene) -> Item:
    """What training makes of the same frame."""
    generator, source, driven = scene
    own = to_pixels(source.canonical, source.pose)
    return window_inputs(driven, generator._latents, own, to_pixels(driven.keypoints, driven.pose), source.smile)


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_shown_the_frame_and_the_portrait_of_run_time(scene: Scene, item: Item, name: str) -> None:
    generator, source, driven = scene
    flow = generator._flow(source, driven.keypoints, driven.pose)
    middle = to_pixels(driven.keypoints, driven.pose)[OVAL, :2]
    middle = middle.mean(0) + 0.7 * (middle - middle.mean(0))
    within = cv2.fillPoly(np.zeros((SIZE, SIZE), np.float32), [np.round(middle).astype(np.int32)], 1.0)
    frame = with_lips(source.layers.moved(flow), source.lips, driven.keypoints, driven.pose)
    frame = without_smile(frame, source.smile, flow, driven.keypoints, driven.pose)
    inputs, matrices = frame_inputs(frame, source.canonical, driven.keypoints, driven.pose)
    face = read(within[..., None].repeat(2, 2), WINDOWS[name].grid(matrices[name]))[..., 0] > 0.999
    assert face.mean() > 0.4  # at the face's rim its surroundings have their say
    shown = np.abs(inputs[f"{name}_warped"] - item[f"{name}_warped"])[:, face]
    # Samples between pixels are rounded there, and stop at black and white.
    assert shown.max() < 6 / 255 and shown.mean() < 0.3 / 255
    assert np.array_equal(inputs[f"{name}_shapes"], item[f"{name}_shapes"])
    for part in ("source", "source_shapes"):  # the portrait's own windows
        assert np.array_equal(source.features[f"{name}_{part}"][0], item[f"{name}_{part}"])
    motion = WINDOWS[name].motion(source.seen, from_mesh(driven.keypoints), source.pose, driven.pose)
    assert np.array_equal(motion, item[f"{name}_motion"])


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_painted_the_same(networks: CompactNetworks, scene: Scene, item: Item, name: str) -> None:
    generator, source, _ = scene
    batch = batch_of(item)
    wanted = learn_windows.forward(networks, batch).patches[name][0].numpy()

    feeds = {f"{name}_{part}": batch[f"{name}_{part}"].numpy() for part in ("warped", "shapes", "motion", "source")}
    feeds[f"{name}_source_shapes"] = batch[f"{name}_source_shapes"].numpy()
    for part in ("quarter", "eighth"):
        feeds[f"{name}_{part}"] = source.features[f"{name}_{part}"]
    painted = generator.painters[name].run(None, feeds)[0][0]
    painted = painted * WINDOWS[name].reach(item[f"{name}_shapes"])
    ours = (1 - painted[3:]) * item[f"{name}_warped"] + painted[:3]
    assert np.abs(ours - item[f"{name}_warped"]).max() > 0.02  # something is painted
    away = 255 * np.abs(ours - wanted)
    assert np.sqrt(np.square(away).mean()) < 0.4 and away.max() < 6, "run time multiplies bytes, training does not"


def test_a_shut_eye_and_the_open_mouth_are_left_to_their_layers(scene: Scene, item: Item) -> None:
    generator, source, driven = scene
    opening, lips = item["mouth_shapes"]
    inside = cv2.erode(opening, np.ones((3, 3), np.uint8)) > 0.999
    beside = (lips > 0.999) & (cv2.dilate(opening, np.ones((11, 11), np.uint8)) == 0)
    assert inside.any() and beside.any()
    assert item["mouth_judged"][0][inside].max() == 0 and item["mouth_judged"][0][beside].min() > 0.9
    assert item["eyes_judged"].min() == 1
    blinking = driven.keypoints.copy()
    for upper, lower in ((159, 145), (160, 144), (158, 153), (386, 374), (387, 373), (385, 380)):
        blinking[upper] += 0.8 * (blinking[lower] - blinking[upper])
    shut = dataclasses.replace(driven, keypoints=blinking)
    own = to_pixels(source.canonical, source.pose)
    assert window_inputs(shut, generator._latents, own, to_pixels(blinking, driven.pose))["eyes_judged"].max() == 0
