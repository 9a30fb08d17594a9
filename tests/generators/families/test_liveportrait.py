"""LivePortrait: keypoints, pictures of twice the size, latents, and the published keys."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from support.published import own_keys, published_keys  # noqa: E402

from speechhead.core.errors import SpeechheadError  # noqa: E402
from speechhead.generators.families.liveportrait import (  # noqa: E402
    AppearanceConfig,
    DecoderConfig,
    ExtractorConfig,
    LivePortrait,
    LivePortraitConfig,
    WarpingConfig,
)
from speechhead.generators.families.retargeting import RetargetingConfig  # noqa: E402
from speechhead.generators.nets.volumes import DenseMotion3dConfig  # noqa: E402

DENSE = DenseMotion3dConfig(block_expansion=4, max_features=8, num_blocks=2, reshape_depth=3, compress=2)
SMALL = LivePortraitConfig(
    appearance=AppearanceConfig(
        block_expansion=2, max_features=12, reshape_channel=4, reshape_depth=3, num_resblocks=1
    ),
    extractor=ExtractorConfig(num_kp=21, dims=(4, 6, 8, 10), depths=(1, 1, 2, 1)),
    warping=WarpingConfig(num_kp=5, block_expansion=2, max_features=12, reshape_channel=4, dense_motion=DENSE),
    decoder=DecoderConfig(block_expansion=2, max_features=12, out_channels=4, hidden=3),
    retargeting=RetargetingConfig(stitching=(126, 8, 65), lip=(65, 8, 63), eye=(66, 8, 63)),
)


@pytest.fixture(scope="module")
def model() -> LivePortrait:
    torch.manual_seed(0)
    made = LivePortrait(SMALL).eval().requires_grad_(False)
    # Fresh heads say nearly nothing.
    torch.nn.init.normal_(made.motion_extractor.detector.fc_kp.weight, std=0.3)
    torch.nn.init.constant_(made.motion_extractor.detector.fc_scale.bias, 1.2)
    return made


def test_pictures_are_twice_as_large(model) -> None:
    source, driver = model.motion(torch.rand(1, 3, 64, 96)), model.motion(torch.rand(2, 3, 64, 96))
    picture = model.render(model.appearance(torch.rand(1, 3, 64, 96)), source, model.transfer(source, driver))
    assert picture.shape == (2, 3, 128, 192)
    assert picture.min() >= 0 and picture.max() <= 1


def test_depth_of_the_translation_does_nothing(model) -> None:
    motion = model.motion(torch.rand(1, 3, 64, 64))
    deeper = {**motion, "translation": motion["translation"] + torch.tensor([[0.0, 0, 5]])}
    assert torch.equal(model.keypoints(deeper), model.keypoints(motion))


def test_latents_are_inverted(model) -> None:
    motion = model.motion(torch.rand(2, 3, 64, 64))
    latent = model.to_latent(motion)
    assert latent.shape == (2, 21 * 3 + 10)
    assert torch.allclose(model.from_latent(latent, motion)["value"], motion["value"], atol=1e-5)


def test_free_view(model) -> None:
    motion = model.motion(torch.rand(1, 3, 64, 64))
    assert torch.allclose(model.rotate(motion)["value"], motion["value"], atol=1e-6)
    turned = model.rotate(motion, yaw=20, pitch=-10)
    assert torch.allclose(turned["value"], model.keypoints(turned), atol=1e-5)
    assert not torch.allclose(turned["value"], motion["value"], atol=1e-2)


def test_relative_motion_of_a_still_driver_leaves_the_portrait(model) -> None:
    source, driver = model.motion(torch.rand(1, 3, 64, 64)), model.motion(torch.rand(1, 3, 64, 64))
    still = model.transfer(source, driver, first=driver)
    assert torch.allclose(still["value"], source["value"], atol=1e-5)
    assert torch.allclose(model.transfer(source, source)["value"], source["value"], atol=1e-5)
    with pytest.raises(SpeechheadError, match="option 'wink'"):
        model.transfer(source, driver, wink=True)
    with pytest.raises(SpeechheadError, match="region 'nose'"):
        model.transfer(source, driver, region="nose")


def test_full_size_has_the_published_keys(shared) -> None:
    published = published_keys("liveportrait", shared)
    with torch.device("meta"):
        model = LivePortrait(LivePortraitConfig.full_size())
    small = model.stitching_retargeting_module
    networks = {
        f"{name}.pth": network for name, network in model.named_children() if name != "stitching_retargeting_module"
    }
    networks |= {f"stitching_retargeting_module.pth / {name}": network for name, network in small.named_children()}
    assert {name: own_keys(network) for name, network in networks.items()} == published
    assert model.config.fitted_to(model.state_dict()) == model.config
