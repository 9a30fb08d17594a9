"""The compact generator on a device draws what it draws on the CPU: mouth, lids, gaze, turns and smiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.acting import ActedFaces  # noqa: E402

from speechhead.avatar.named import SHIPPED  # noqa: E402
from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.core.errors import DeviceError, DeviceMemoryError  # noqa: E402
from speechhead.engines.running import Running  # noqa: E402
from speechhead.engines.steady import Steady  # noqa: E402
from speechhead.face.landmarks import Pose  # noqa: E402
from speechhead.generators.compact.device import generator as module  # noqa: E402
from speechhead.generators.compact.device import picture, portrait  # noqa: E402
from speechhead.generators.compact.device.generator import CompactOnDevice  # noqa: E402
from speechhead.generators.compact.device.networks import window_painters  # noqa: E402
from speechhead.generators.compact.device.portrait import HeldSource  # noqa: E402
from speechhead.generators.compact.generator import CompactGenerator  # noqa: E402
from speechhead.generators.open import open_generator  # noqa: E402
from speechhead.generators.protocol import DeviceGenerator, PlanarGenerator  # noqa: E402
from speechhead.motion.rest import SMILE, rest_system  # noqa: E402

SIZE = 192
LEAST = 44.0
"""Peak signal to noise ratio of the two forms, dB."""

CPU = Running(torch.device("cpu"))


@pytest.fixture(scope="module")
def here() -> CompactGenerator:
    return CompactGenerator.load(SIZE, threads=1)


@pytest.fixture(scope="module")
def there() -> CompactOnDevice:
    made = open_generator("compact", SIZE, engine="torch", device="cpu")
    assert isinstance(made, CompactOnDevice)
    return made


@pytest.fixture(scope="module")
def plain() -> Avatar:
    return Avatar.default(SIZE)


@pytest.fixture(scope="module")
def smiling() -> Avatar:
    return Avatar.from_image(SHIPPED / "eileen_collins.jpg", size=SIZE).resampled(SIZE)


@pytest.fixture(scope="module")
def drawn_one() -> Avatar:
    """A portrait whose irises are found, so that its eyeballs turn."""
    return Avatar.from_image(SHIPPED / "mara.jpg", size=SIZE)


@pytest.fixture(scope="module")
def held(there: CompactOnDevice, plain: Avatar) -> HeldSource:
    return there.prepare(plain.crop, plain.mesh)


@pytest.fixture(scope="module")
def held_smile(there: CompactOnDevice, smiling: Avatar) -> HeldSource:
    return there.prepare(smiling.crop, smiling.mesh)


def moved(base: np.ndarray, pose: Pose) -> list[tuple[np.ndarray, Pose]]:
    """The portrait itself, an open mouth, a blink, a smile in a turned head, and a look aside."""
    acted, smile = ActedFaces.of(base, pose), (base + 0.5 * rest_system()[2][SMILE]).astype(np.float32)
    return [(base, pose), (acted.opened, pose), (acted.shut, pose), (smile, acted.turned), (acted.aside, pose)]


def alike(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.square(a.astype(float) - b).mean(), 1e-9)))


def test_pictures_and_mattes_are_those_of_the_cpu(
    here: CompactGenerator, there: CompactOnDevice, held: HeldSource, held_smile: HeldSource, drawn_one: Avatar
) -> None:
    balls = there.prepare(drawn_one.crop, drawn_one.mesh)
    for source, kinds in ((held, slice(1, None)), (held_smile, slice(1, None)), (balls, slice(2, None, 2))):
        drives = moved(source.landmarks, source.pose)[kinds]
        ours = [here.render(source, *drive) for drive in drives]  # the CPU form draws the same portrait
        theirs = there.render_many([source] * len(drives), np.stack([f for f, _ in drives]), [p for _, p in drives])
        assert all(alike(a, b) > LEAST for a, b in zip(ours, theirs))
    frame, matte = there.render_with_matte(balls, *drives[1])
    assert np.abs(frame.astype(int) - theirs[1]).max() <= 1
    assert np.abs(matte.astype(int) - here.render_with_matte(balls, *drives[1])[1]).mean() < 0.5


def test_between_frames_no_more_moves_than_on_the_cpu(
    here: CompactGenerator, there: CompactOnDevice, held_smile: HeldSource
) -> None:
    base, (ajar, pose) = held_smile.landmarks, moved(held_smile.landmarks, held_smile.pose)[1]
    yaw, pitch, roll = pose.angles
    steps = [0.05 * k * np.array([1, 0, 0], np.float32) for k in range(4)]
    poses = [Pose.from_angles(yaw + 2 * s[0], pitch, roll, pose.translation + s, pose.scale) for s in steps]
    drives = [((base + 0.8 * s[0] * (ajar - base)).astype(np.float32), pose) for s, pose in zip(steps, poses)]
    ours = np.stack([here.render(held_smile, *drive) for drive in drives]).astype(int)
    theirs = np.stack([there.render(held_smile, *drive) for drive in drives]).astype(int)
    flicker = [np.abs(np.diff(frames, 2, axis=0)).mean() for frames in (ours, theirs)]
    assert flicker[1] < 1.05 * flicker[0]


def test_a_batch_of_two_portraits_is_each_of_them(
    there: CompactOnDevice, held: HeldSource, held_smile: HeldSource
) -> None:
    pair = [held, held_smile]
    drives = [moved(one.landmarks, one.pose)[k] for k, one in enumerate(pair, 1)]
    single = [there.render(one, *drive) for one, drive in zip(pair, drives)]
    both = there.render_many(pair, np.stack([f for f, _ in drives]), [p for _, p in drives])
    assert all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(single, both))
    assert there.render_many([], np.zeros((0, 70, 3), np.float32), []) == []


def test_a_mouth_out_of_the_frame_leaves_it_whole(there: CompactOnDevice, plain: Avatar, held: HeldSource) -> None:
    away = Pose(plain.pose.rotation, plain.pose.translation + np.array([0, 2 * SIZE, 0], np.float32), plain.pose.scale)
    frame = there.render(held, held.landmarks, away)
    assert np.abs(frame[0].astype(int) - plain.crop[0]).max() <= 1


def test_planes_are_those_of_the_picture(there: CompactOnDevice, plain: Avatar, held: HeldSource) -> None:
    assert isinstance(there, DeviceGenerator) and isinstance(there, PlanarGenerator) and there.device == "cpu"
    planes = there.render_planar([held], held.landmarks[None], [plain.pose])[0]
    frame = there.render(held, held.landmarks, plain.pose).astype(np.float32)
    luma = frame @ np.array([0.2568, 0.5041, 0.0979], np.float32) + 16
    assert planes.shape == (SIZE * 3 // 2, SIZE) and np.abs(planes[:SIZE] - luma).max() < 1


def test_another_size_has_the_same_networks(there: CompactOnDevice) -> None:
    other = there.sized(128)
    avatar = Avatar.default(128)
    held = other.prepare(avatar.crop, avatar.mesh)
    assert other.render(held, held.landmarks, avatar.pose).shape == (128, 128, 3)
    assert other._painters is there._painters


def test_a_graph_is_made_once_for_all_frames_of_a_kind(
    monkeypatch: pytest.MonkeyPatch, there: CompactOnDevice, held: HeldSource
) -> None:
    recorded = []

    def recorder(run: Callable[[], Any], _: Any) -> tuple[Callable[[], None], Any]:
        made = run()
        recorded.append(made.shape)
        return lambda: made.copy_(run()), made

    monkeypatch.setattr(module, "Steady", partial(Steady, recorder=recorder))
    drawn = there.sized(SIZE)
    drawn.running = replace(CPU, graph="cuda")
    drives = moved(held.landmarks, held.pose)
    for face, pose in (drives[1], drives[1], drives[3], drives[1]):
        assert np.abs(drawn.render(held, face, pose).astype(int) - there.render(held, face, pose)).max() <= 1
    assert 1 <= len(recorded) <= 3


def test_nothing_is_left_on_the_cpu(there: CompactOnDevice, held_smile: HeldSource) -> None:
    """The meta device mixes with the CPU as little as CUDA does."""
    meta = torch.device("meta")
    source = portrait.hold(held_smile, meta)
    base, pose = source.landmarks, source.pose
    drives = [moved(base, pose)[k] for k in (1, 2, 4)]
    rows = there._rows([source] * 3, np.stack([face for face, _ in drives]), [pose for _, pose in drives])
    plan = picture.planned(*rows, SIZE)
    frames, flow = picture.drawn(picture.uploaded(plan, *rows, meta), plan, window_painters(meta))
    assert frames.shape == (3, 3, SIZE, SIZE) and frames.device == flow.device == meta


def test_full_memory_halves_a_batch_and_then_says_so(
    monkeypatch: pytest.MonkeyPatch, there: CompactOnDevice, plain: Avatar, held: HeldSource
) -> None:
    whole, most = picture.drawn, 1

    def drawn(parts: Any, plan: Any, painters: Any, mark: Any) -> Any:
        if len(parts["numbers"]) > most:
            raise torch.OutOfMemoryError("full")
        return whole(parts, plan, painters, mark)

    monkeypatch.setattr(module, "drawn", drawn)
    faces, poses = np.stack([held.landmarks] * 3), [plain.pose] * 3
    assert len(there.render_many([held] * 3, faces, poses)) == 3
    most = 0
    with pytest.raises(DeviceMemoryError, match="no memory is left"):
        there.render_many([held] * 2, faces[:2], poses[:2])


def test_who_asks_for_a_gpu_gets_one_or_an_error() -> None:
    assert type(open_generator("compact", SIZE, device="cpu")) is CompactGenerator
    with pytest.raises(DeviceError, match="torch or auto"):
        open_generator("compact", SIZE, engine="onnx", device="cuda")
    if torch.cuda.is_available():
        assert isinstance(open_generator("compact", SIZE), CompactOnDevice)
        return
    assert type(open_generator("compact", SIZE)) is CompactGenerator
    with pytest.raises(DeviceError, match="no GPU"):
        open_generator("compact", SIZE, device="cuda")


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_compiling_is_for_families_and_a_line_says_so(engine: str, caplog: pytest.LogCaptureFixture) -> None:
    generator = open_generator("compact", 64, engine, "cpu", 1, "fp32", "compile")
    assert [record.getMessage() for record in caplog.records] == [
        "generator 'compact': --graph compile is for families; it runs with --graph auto."
    ]
    running = getattr(generator, "running", None)
    assert (engine == "torch") == (running is not None) and (running is None or running.graph == "none")
