"""DaGAN: depth, RGBD keypoints, cross-modal attention, both generators, published keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.published import own_keys, published_keys  # noqa: E402

from speechhead.core.errors import ImageError  # noqa: E402
from speechhead.generators.checkpoints import stored  # noqa: E402
from speechhead.generators.families.dagan import (  # noqa: E402
    CrossModalAttention,
    Dagan,
    DaganConfig,
    DaganGeneratorConfig,
    SpadeConfig,
)
from speechhead.generators.families.depth import RESNET50, DepthConfig  # noqa: E402
from speechhead.generators.families.fomm_config import FommKeypointConfig, FommMotionConfig  # noqa: E402

DENSE = FommMotionConfig(4, 12, 2, 0.25)
SMALL = DaganConfig(
    num_kp=5,
    kp_detector=FommKeypointConfig(4, 12, 2, scale_factor=0.25),
    generator=DaganGeneratorConfig(4, 16, 2, 1, DENSE, estimate_occlusion_map=True),
    depth=DepthConfig(encoder_widths=(4, 4, 6, 8, 8), decoder_widths=(3, 4, 5, 6, 7), classes=10),
    image_size=64,
)
FORMS = {
    "plain": SMALL,
    "spade": replace(SMALL, generator=replace(SMALL.generator, spade=SpadeConfig(16, 3, 2, 5))),
    "no occlusion": replace(
        SMALL, generator=replace(SMALL.generator, spade=SpadeConfig(16, 4), estimate_occlusion_map=False)
    ),
    "ResNet50, ten keypoints": replace(
        SMALL, num_kp=10, depth=DepthConfig(RESNET50, (4, 3, 4, 5, 6), (3, 4, 5, 6, 7), 10)
    ),
}


def make(config: DaganConfig) -> Dagan:
    torch.manual_seed(0)
    model = Dagan(config)
    torch.nn.init.normal_(model.kp_detector.kp.weight, std=0.3)
    torch.nn.init.constant_(model.generator.AttnModule.gamma, 0.5)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.rand(3, 3, 96, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("config", FORMS.values(), ids=FORMS.keys())
def test_from_picture_to_picture(config: DaganConfig, pictures: torch.Tensor, tmp_path: Path) -> None:
    model = make(config)
    depth = model.depth(pictures)
    assert depth.shape == (3, 1, 96, 64)
    assert 0 < depth.min() < depth.max() < 1
    source, driver = model.motion(pictures[:1]), model.motion(pictures[1:])
    frames = model.render(model.appearance(pictures[:1]), source, model.transfer(source, driver))
    assert frames.shape == (2, 3, 96, 64)
    latent = model.to_latent(driver)
    back = model.from_latent(latent, source)
    assert all(torch.equal(back[key], driver[key]) for key in driver)
    assert SMALL.fitted_to(model.state_dict()) == config
    opened = stored.open_family(stored.save_family(model, tmp_path / "dagan.safetensors"))
    assert torch.equal(opened.render(model.appearance(pictures[:1]), source, driver), frames)


def test_depth_decides_the_keypoints(pictures: torch.Tensor) -> None:
    model = make(SMALL)
    before = model.motion(pictures)["value"]
    model.depth_decoder.decoder[10].conv.bias += 3
    assert not torch.allclose(model.motion(pictures)["value"], before, atol=1e-4)


def test_the_least_picture(pictures: torch.Tensor) -> None:
    model = make(SMALL)
    assert model.motion(pictures[..., :64, :])["value"].isfinite().all()
    for picture in (pictures[..., :48, :], pictures[..., :32, :32]):
        with pytest.raises(ImageError, match="multiples of 32 from 64 on"):
            model.motion(picture)


def test_attention() -> None:
    torch.manual_seed(0)
    module = CrossModalAttention(16)
    depth, warped = torch.rand(2, 16, 4, 6), torch.rand(2, 16, 4, 6)
    attended, attention = module(depth, warped)
    assert attention.shape == (2, 24, 24)
    assert torch.allclose(attention.sum(-1), torch.ones(2, 24))
    assert torch.equal(attended, warped)  # gamma begins at 0
    with torch.no_grad():
        module.gamma.fill_(1)
        module.value_conv.weight.zero_()
        module.value_conv.bias.fill_(2)
    assert torch.allclose(module(depth, warped)[0], warped + 2)  # a mean of equal values is that value


def test_full_size_has_the_published_keys() -> None:
    published = published_keys("dagan", Path())
    folders = {18: "depth/models/weights_19", 50: "depth_face_model_Voxceleb2_10w"}
    forms = {False: "generator (DepthAwareGenerator)", True: "generator (SPADEDepthAwareGenerator)"}
    for layers, spade in ((18, False), (50, True)):
        with torch.device("meta"):
            model = Dagan(DaganConfig.full_size(spade, layers))
        assert {name: own_keys(network) for name, network in model.named_children()} == {
            "kp_detector": published["kp_detector"],
            "generator": published[forms[spade]],
            "depth_encoder": published[f"{folders[layers]}/encoder.pth (ResNet{layers})"],
            "depth_decoder": published[f"{folders[layers]}/depth.pth (for ResNet{layers})"],
        }
        assert DaganConfig.full_size().fitted_to(model.state_dict()) == model.config
