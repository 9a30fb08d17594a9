"""Families on a device: batches, precisions, orders of memory and graphs give the same picture, and memory may end."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
from support.small_families import PUBLISHED, small  # noqa: E402

from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.core.errors import DeviceError, DeviceMemoryError  # noqa: E402
from speechhead.engines import running  # noqa: E402
from speechhead.engines.running import Running  # noqa: E402
from speechhead.face.landmarks import Pose  # noqa: E402
from speechhead.generators.driven import DrivenGenerator  # noqa: E402
from speechhead.generators.families.engine import FamilyEngine  # noqa: E402
from speechhead.generators.families.latents import FamilyLatents, LatentsConfig  # noqa: E402
from speechhead.generators.protocol import PlanarGenerator  # noqa: E402

CPU = Running(torch.device("cpu"))
HALF = 3.0
"""Levels of 255 by which a picture of bf16 differs in the mean, most of these small random networks less."""


@pytest.fixture(scope="module")
def avatars():
    return [Avatar.open(name, 128) for name in ("grace_hopper", "eileen_collins")]


def driven(name: str, how: Running = CPU) -> DrivenGenerator:
    """A small family with Landmarks2Latents that move it, always the same."""
    model = small(name).requires_grad_(False)
    size = model.to_latent(model.motion(torch.rand(1, 3, model.image_size, model.image_size))).shape[1]
    torch.manual_seed(1)
    network = FamilyLatents(LatentsConfig(name, size, 16)).eval().requires_grad_(False)
    network.linear.weight.normal_(std=0.05)
    return DrivenGenerator(model, network, 128, FamilyEngine(model, how))


def asked(generator, avatars, count=4):
    """Sources, landmarks and poses of frames of both portraits by turns, the mouth ever more open."""
    places = [i % len(avatars) for i in range(count)]
    sources = [avatars[i].source(generator) for i in places]
    faces = np.stack([avatars[i].neutral for i in places])
    faces[:, 55:60, 1] += np.linspace(0, 0.3, count, dtype=np.float32)[:, None]
    moved = [
        Pose(pose.rotation, pose.translation + np.float32([3 * k, 0, 0]), pose.scale)
        for k, pose in enumerate(avatars[i].pose for i in places)
    ]
    return sources, faces, moved


def levels(one, other) -> int:
    return int(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_batch_of_two_portraits_is_as_each_frame_alone(name, avatars):
    generator = driven(name)
    sources, faces, poses = asked(generator, avatars)
    together = generator.render_many(sources, faces, poses)
    alone = [generator.render(*one) for one in zip(sources, faces, poses)]
    assert levels(together, alone) <= 1
    assert levels(together[0], together[2]) > 2 and generator.render_many([], faces[:0], []) == []
    same = generator.render_many(sources[:1] * 3, faces[:1].repeat(3, 0), poses[:1] * 3)
    assert levels(same, alone[:1] * 3) <= 1


@pytest.mark.parametrize("name", PUBLISHED)
def test_half_precision_and_channels_last_draw_the_same_picture(name, avatars):
    plain, half = driven(name), driven(name, replace(CPU, dtype=torch.bfloat16))
    ordered = driven(name, replace(CPU, channels_last=True))
    expected = plain.render_many(*asked(plain, avatars))
    assert levels(ordered.render_many(*asked(ordered, avatars)), expected) <= 1
    found = half.render_many(*asked(half, avatars))
    assert np.abs(np.subtract(found, expected, dtype=np.float32)).mean() < HALF and levels(found, expected) > 0
    ours, theirs = avatars[0].source(half), avatars[0].source(plain)
    for key, value in theirs.motion.items():  # what keypoints and poses are made of is float32, bit for bit
        assert ours.motion[key].dtype == torch.float32 and torch.equal(ours.motion[key], value), key


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_a_trace_draws_every_frame_bit_for_bit(name, avatars):
    plain, traced = driven(name), driven(name, Running.of("cpu"))
    assert traced.running.graph == "trace"
    for expected, made in zip(zip(*asked(plain, avatars, 3)), zip(*asked(traced, avatars, 3))):
        assert np.array_equal(traced.render(*made), plain.render(*expected))
    steady = traced._pictures._steady
    assert [found is not steady._function for found in steady._traced.values()] == [True]  # none fell back, one for all


def test_planes_leave_the_device_as_opencv_makes_them(avatars):
    generator = driven("fomm")
    assert isinstance(generator, PlanarGenerator)
    given = asked(generator, avatars)
    expected = [cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420) for picture in generator.render_many(*given)]
    planes = generator.render_planar(*given)
    assert planes[0].shape == (192, 128) and levels(planes, expected) <= 1


def test_memory_that_ends_is_a_refusal_and_frees(avatars, monkeypatch):
    generator = driven("fomm")
    given, held, draw = asked(generator, avatars), [], generator.model.draw
    expected = generator.render_many(*given)
    most = 1

    def short_of_memory(appearance, source, driving):
        taken = torch.zeros(1000)
        held.append(weakref.ref(taken))
        if len(driving["value"]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return draw(appearance, source, driving)

    monkeypatch.setattr(generator.model, "draw", short_of_memory)
    assert levels(generator.render_many(*given), expected) <= 1 and len(held) == 7  # 4, and 2 + 1 + 1 twice
    most = 0
    with pytest.raises(
        DeviceMemoryError,
        match=r"device 'cpu': no memory is left for a frame\. Use a smaller --size or --batch, fewer sessions\.",
    ) as failed:
        generator.render_many(*given)
    assert "\n" not in str(failed.value) and not any(taken() is not None for taken in held)


def test_a_generator_that_nobody_has_goes_at_once(avatars):
    generator = driven("fomm")
    generator.render_many(*asked(generator, avatars))
    held = [weakref.ref(one) for one in (generator, generator.engine, generator.model)]
    gc.disable()
    try:
        del generator
        assert not any(one() is not None for one in held)
    finally:
        gc.enable()


def test_what_suits_a_device(monkeypatch):
    assert Running.of("cpu") == replace(CPU, graph="trace") and Running.of("cpu", "bf16") == replace(
        CPU, dtype=torch.bfloat16, channels_last=True
    )
    monkeypatch.setattr(running, "torch_device", torch.device)
    for capability, dtype in (((9, 0), torch.bfloat16), ((7, 5), torch.float16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, found=capability: found)
        there = Running.of("cuda:1")
        assert there == Running(torch.device("cuda:1"), dtype, True, "cuda", True)
        assert Running.of("cuda:1", "fp32", "none") == replace(there, dtype=torch.float32, graph="none")
    before = torch.backends.cudnn.allow_tf32
    with there.exact():
        assert not torch.backends.cudnn.allow_tf32 and not torch.is_autocast_enabled("cuda")
    assert torch.backends.cudnn.allow_tf32 == before


def test_what_can_not_be_had_is_said():
    with pytest.raises(DeviceError, match="precision 'fp8' is unknown. Choose auto, fp32, bf16, fp16"):
        Running.of("cpu", "fp8")
    with pytest.raises(DeviceError, match="graph 'cuda' is unknown. Choose auto, none, compile"):
        Running.of("cpu", graph="cuda")
    assert str(Running.of("cpu")) == "cpu, fp32, traced"
    assert str(Running(torch.device("cuda:0"), torch.bfloat16, True, "cuda")) == (
        "cuda:0, bf16, channels-last, CUDA graphs"
    )
