"""How a driver moves a portrait: regions, relative and absolute motion, stitching, eyes and lips."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from speechhead.core.errors import ControlError  # noqa: E402
from speechhead.generators.families.head_pose import LIVEPORTRAIT  # noqa: E402
from speechhead.generators.families.retargeting import (  # noqa: E402
    LIP_KEYPOINTS,
    Openings,
    Retargeting,
    RetargetingConfig,
    drive,
)
from speechhead.generators.families.retargeting_options import RetargetingOptions  # noqa: E402

COUNT = 21


def keypoints(motion):
    return motion["scale"][..., None] * (motion["canonical"] @ motion["rotation"] + motion["expression"])


def motion(count: int, seed: int) -> dict:
    torch.manual_seed(seed)
    made = {
        "canonical": torch.randn(count, COUNT, 3) / 3,
        "rotation": LIVEPORTRAIT.rotation(torch.randn(count, 3) * 10),
        "translation": torch.randn(count, 3) / 9,
        "expression": torch.randn(count, COUNT, 3) / 20,
        "scale": 1 + torch.rand(count, 1) / 9,
    }
    return {**made, "value": keypoints(made)}


SOURCE, DRIVER = motion(1, 0), motion(4, 1)
FIRST = {key: value[:1] for key, value in DRIVER.items()}
OPEN = Openings(torch.tensor([[0.3, 0.3]]), torch.tensor([[0.2]]))
DRIVER_OPEN = Openings(torch.rand(4, 2), torch.rand(4, 1))


@pytest.fixture(scope="module")
def fresh() -> Retargeting:
    return Retargeting(RetargetingConfig((126, 8, 65), (65, 8, 63), (66, 8, 63)))


@pytest.fixture(scope="module")
def lively() -> Retargeting:
    torch.manual_seed(2)
    networks = Retargeting(RetargetingConfig((126, 8, 65), (65, 8, 63), (66, 8, 63)))
    for parameter in networks.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return networks.requires_grad_(False)


def run(networks, **options):
    parts, value = drive(networks, keypoints, SOURCE, DRIVER, FIRST, RetargetingOptions(**options), OPEN, DRIVER_OPEN)
    return parts, value


@pytest.mark.parametrize("friendly", [False, True])
def test_first_frame_of_a_relative_driver_is_the_portrait(fresh, friendly: bool) -> None:
    _, value = run(fresh, expression_friendly=friendly)
    assert value.shape == (4, COUNT, 3)
    assert torch.allclose(value[0], SOURCE["value"][0], atol=1e-6)
    assert not torch.allclose(value[1], SOURCE["value"][0], atol=1e-2)


def test_fresh_networks_change_nothing(fresh) -> None:
    x = torch.randn(3, COUNT, 3)
    assert torch.equal(fresh.stitch(SOURCE["value"], x), x)
    assert not fresh.eye_delta(SOURCE["value"], torch.rand(1, 3)).any()
    assert not fresh.lip_delta(SOURCE["value"], torch.rand(1, 2)).any()


def test_stitching_shifts_all_keypoints_in_the_plane(fresh) -> None:
    x = torch.zeros(1, COUNT, 3)
    last = fresh.retarget_shoulder.mlp[-1]
    with torch.no_grad():
        last.bias[-2:] = torch.tensor([0.1, -0.2])
    moved = fresh.stitch(x, x)
    torch.nn.init.zeros_(last.bias)
    assert torch.allclose(moved, torch.tensor([0.1, -0.2, 0]).expand(1, COUNT, 3))


def test_regions_move_what_they_name(fresh) -> None:
    lips, _ = run(fresh, region="lip")
    moved = (lips["expression"] - SOURCE["expression"]).abs().sum((0, 2)) > 1e-6
    assert moved.nonzero().flatten().tolist() == list(LIP_KEYPOINTS)
    assert torch.equal(lips["rotation"], SOURCE["rotation"].expand(4, 3, 3))
    pose, _ = run(fresh, region="pose")
    assert torch.equal(pose["expression"], SOURCE["expression"].expand(4, -1, -1))
    assert not torch.equal(pose["rotation"][1], SOURCE["rotation"][0])
    face, _ = run(fresh, region="exp")
    assert torch.equal(face["scale"], SOURCE["scale"].expand(4, 1))


def test_absolute_motion_is_the_drivers_pose(fresh) -> None:
    parts, _ = run(fresh, relative=False)
    assert torch.equal(parts["rotation"], DRIVER["rotation"])
    assert torch.equal(parts["expression"][:, 0], SOURCE["expression"][:, 0].expand(4, 3))
    assert torch.equal(parts["expression"][:, 20], DRIVER["expression"][:, 20])
    assert torch.equal(parts["scale"], SOURCE["scale"].expand(4, 1))


def test_multiplier_scales_the_way_from_the_portrait(lively) -> None:
    _, once = run(lively)
    _, twice = run(lively, multiplier=2.0)
    assert torch.allclose(twice - SOURCE["value"], 2 * (once - SOURCE["value"]), atol=1e-5)


def test_open_lips_are_closed_first_and_shut_ones_left(lively) -> None:
    _, closed = run(lively)
    _, plain = run(lively, normalise_lip=False)
    wanted = lively.lip_delta(SOURCE["value"], torch.tensor([[0.2, 0.0]]))
    assert torch.allclose(closed - plain, wanted.expand_as(plain), atol=1e-5)
    shut = Openings(OPEN.eyes, torch.tensor([[0.01]]))
    _, left = drive(lively, keypoints, SOURCE, DRIVER, FIRST, RetargetingOptions(), shut)
    assert torch.equal(left, plain)
    assert torch.equal(run(lively, relative=False)[1], run(lively, relative=False, normalise_lip=False)[1])


def test_eyes_and_lips_follow_the_drivers_openings(lively) -> None:
    _, value = run(lively, eye_retargeting=True, lip_retargeting=True, stitching=False)
    eyes = torch.cat([OPEN.eyes.expand(4, 2), DRIVER_OPEN.eyes[:, :1]], dim=1)
    lips = torch.cat([OPEN.lips.expand(4, 1), DRIVER_OPEN.lips], dim=1)
    x = SOURCE["value"]
    assert torch.allclose(value, x + lively.eye_delta(x, eyes) + lively.lip_delta(x, lips), atol=1e-5)


def test_openings_of_landmarks() -> None:
    marks = torch.zeros(1, 70, 2)
    marks[0, 36], marks[0, 39] = torch.tensor([0.0, 0]), torch.tensor([10.0, 0])
    marks[0, [37, 38], 1], marks[0, [40, 41], 1] = -2.0, 3.0
    marks[0, 54, 0], marks[0, 66, 1] = 20.0, 5.0
    opening = Openings.from_landmarks70(marks)
    assert opening.eyes[0].tolist() == pytest.approx([0.5, 0])
    assert opening.lips[0].item() == pytest.approx(0.25)


def test_relative_motion_needs_its_start(fresh) -> None:
    with pytest.raises(ControlError, match="first frame"):
        drive(fresh, keypoints, SOURCE, DRIVER, None, RetargetingOptions())
    with pytest.raises(ControlError, match="region 'nose'"):
        RetargetingOptions(region="nose")
    for wrong in (9, -1, float("nan"), "1"):
        with pytest.raises(ControlError, match=r"^multiplier \S+ is not usable. Give 0 to 5\.$"):
            RetargetingOptions(multiplier=wrong)
    with pytest.raises(ControlError, match=r"^normalise lip 'no' is not usable. Give True or False\.$"):
        RetargetingOptions(normalise_lip="no")
    with pytest.raises(ControlError, match="openings"):
        drive(fresh, keypoints, SOURCE, DRIVER, FIRST, RetargetingOptions(eye_retargeting=True), OPEN)
