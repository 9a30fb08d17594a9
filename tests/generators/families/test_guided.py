"""Keypoints that are landmarks: the portrait itself moves by them, in volumes as in pictures, and in every family."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.family_models import MODELS  # noqa: E402
from support.small_families import installed  # noqa: E402

from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.core import weights  # noqa: E402
from speechhead.face.landmarks import REFERENCE  # noqa: E402
from speechhead.generators.checkpoints import imported  # noqa: E402
from speechhead.generators.checkpoints.stored import config_from_json  # noqa: E402
from speechhead.generators.driven import DrivenGenerator  # noqa: E402
from speechhead.generators.families import registry  # noqa: E402
from speechhead.generators.families.family import Family  # noqa: E402
from speechhead.generators.families.guides import GUIDES, placed  # noqa: E402
from speechhead.generators.families.latents import FamilyLatents  # noqa: E402

POINTS = torch.tensor(
    [[-0.5, -0.4], [0.5, -0.4], [-0.5, 0.8], [0.5, 0.8], [-0.4, 0.3], [0.4, 0.3], [0.0, 0.3], [0.0, 0.35]]
)
COUNT = len(POINTS)
POSED = ("face-vid2vid", "liveportrait")


def small(name: str, nearest: bool = True) -> Family:
    """A tiny family with fresh weights."""
    config = config_from_json(registry.config_class(name), MODELS[name])
    part = "generator" if name == "face-vid2vid" else "warping"
    owner = getattr(config, part)
    dense = dataclasses.replace(owner.dense_motion, nearest=nearest, kernel=3)
    torch.manual_seed(0)
    config = dataclasses.replace(config, **{part: dataclasses.replace(owner, dense_motion=dense)})
    if name == "face-vid2vid":
        config = dataclasses.replace(config, num_kp=COUNT)
    else:
        config = dataclasses.replace(config, warping=dataclasses.replace(config.warping, num_kp=COUNT))
    return registry.build(name, config).eval().requires_grad_(False)


def read(flow: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """What a map [1, C, H, W] has at places [K, 2]."""
    return torch.nn.functional.grid_sample(flow, places[None, None], align_corners=True)[0, :, 0].T


@pytest.mark.parametrize("name", POSED)
@torch.no_grad()
def test_volumes_move_the_portrait_itself_before_anything_is_learnt(name: str) -> None:
    model = small(name)
    image = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), size=64, mode="bicubic").clamp(0, 1)
    appearance, motion = model.appearance(image), model.motion(image)
    value = motion["value"].clone()
    value[:, :COUNT, :2] = POINTS
    source = model.moved_to(motion, value)
    down = value.clone()
    down[:, 7, 1] += 0.15
    drawn = model.draw(appearance, source, model.moved_to(motion, down))
    side = drawn.picture.shape[-1]
    assert drawn.flow is not None and drawn.visible is not None
    assert drawn.flow.shape == (1, 1, side, side, 2) and drawn.visible.shape == (1, 1, side, side)
    found = read(drawn.flow[:, 0].movedim(-1, 1), down[0, :COUNT, :2])
    assert (found - POINTS).abs().max() < 0.05
    seen = read(drawn.visible, torch.tensor([[0.0, 0.4], [0.0, -0.4]]))
    assert seen[0, 0] < 0.3 < 0.9 < seen[1, 0]
    torn = read(drawn.torn, torch.tensor([[0.0, 0.4], [0.0, -0.4]]))
    assert torn[0, 0] > 0.7 and torn[1, 0] < 0.1
    plain = small(name, nearest=False)
    flat = plain.draw(plain.appearance(image), motion, motion)
    assert set(plain.appearance(image)) == {"volume"} and flat.flow.ndim == 5 and flat.torn is None


@pytest.mark.parametrize("name", ["fomm", "dagan", *POSED])
@torch.no_grad()
def test_keypoints_put_on_landmarks_stay_there_as_latents(name: str) -> None:
    torch.manual_seed(1)
    model = registry.build(name, config_from_json(registry.config_class(name), MODELS[name])).eval()
    motion = model.motion(torch.rand(2, 3, model.image_size, model.image_size))
    marks = torch.from_numpy(REFERENCE)[None].repeat(2, 1, 1) * 0.4
    moved = placed(model, motion, marks, 12)
    guides = GUIDES[: min(12, moved["value"].shape[1])]
    again = model.from_latent(model.to_latent(moved), moved)["value"]
    assert torch.allclose(again[:, : len(guides), :2], marks[:, guides, :2], atol=1e-5)
    assert torch.allclose(again, moved["value"], atol=1e-5)


def test_a_portraits_keypoints_lie_where_the_tracker_sees_its_landmarks(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path))
    path, avatar = installed("fomm", tmp_path), Avatar.default(128)
    plain = avatar.source(DrivenGenerator.load("fomm", 128))
    fitted = imported.latents_path(path)
    network = FamilyLatents.open(fitted)
    network.config = dataclasses.replace(network.config, guided=3)
    network.save(fitted)
    (tmp_path / "plain").touch()
    assert fitted.stat().st_mode == (tmp_path / "plain").stat().st_mode, "whoever serves need not be who fitted"
    source = avatar.source(DrivenGenerator.load("fomm", 128))
    marks = avatar.pose.scale * avatar.neutral @ avatar.pose.rotation.T + avatar.pose.translation
    wanted = marks[GUIDES[:3], :2] * (2 / 128) - 1
    assert np.allclose(source.motion["value"][0, :3].numpy(), wanted, atol=0.02)
    assert torch.equal(source.motion["value"][:, 3:], plain.motion["value"][:, 3:])
