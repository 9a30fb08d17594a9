"""face-vid2vid in both published codes: keypoints, relative motion, free view, latents, checkpoints' keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from support.published import own_keys, published_keys  # noqa: E402

from speechhead.core.errors import SpeechheadError  # noqa: E402
from speechhead.generators.families import face_vid2vid as osfv  # noqa: E402
from speechhead.generators.families import face_vid2vid_f2f as f2f  # noqa: E402
from speechhead.generators.families import face_vid2vid_f2f_config as f2f_config  # noqa: E402
from speechhead.generators.nets.discriminator import DiscriminatorConfig, MultiScaleDiscriminator  # noqa: E402
from speechhead.generators.nets.volumes import DenseMotion3dConfig  # noqa: E402

DENSE = DenseMotion3dConfig(block_expansion=4, max_features=8, num_blocks=2, reshape_depth=3, compress=2)
SMALL = osfv.FaceVid2VidConfig(
    num_kp=5,
    kp_detector=osfv.CanonicalKeypointConfig(
        block_expansion=4, max_features=8, num_blocks=2, reshape_channel=24, reshape_depth=3
    ),
    he_estimator=osfv.HeadPoseConfig(block_expansion=4, stages=(8, 8, 12, 16)),
    generator=osfv.VolumeGeneratorConfig(
        block_expansion=2,
        max_features=12,
        reshape_channel=4,
        reshape_depth=3,
        num_resblocks=1,
        dense_motion=DENSE,
        spade_channels=8,
        spade_out_channels=3,
        spade_hidden=4,
    ),
)
SMALL_F2F = f2f_config.FaceVid2VidF2FConfig(
    afe=f2f_config.F2FAppearanceConfig(down_seq=(4, 6, 8), n_res=1, C=4, D=3),
    ckd=f2f_config.F2FKeypointConfig(down_seq=(3, 6, 8), up_seq=(8, 6, 4), D=3, K=5),
    hpe_ede=f2f_config.F2FHeadConfig(n_filters=(4, 8, 8, 12, 16), n_blocks=(1, 0, 1, 0), K=5),
    mfe=f2f_config.MotionConfig(down_seq=(18, 6, 8), up_seq=(8, 6, 4), K=5, D=3, C1=4, C2=2),
    generator=f2f_config.F2FGeneratorConfig(n_res=1, up_seq=(8, 6, 4), D=3, C=4),
)


def build(which: str):
    torch.manual_seed(0)
    if which == "f2f":
        return f2f.FaceVid2VidF2F(SMALL_F2F).eval().requires_grad_(False)
    return osfv.FaceVid2Vid(replace(SMALL, form=which)).eval().requires_grad_(False)


@pytest.fixture(params=["original", "spade", "f2f"])
def model(request):
    return build(request.param)


@pytest.fixture
def motions(model):
    torch.manual_seed(1)
    return model.motion(torch.rand(1, 3, 64, 64)), model.motion(torch.rand(3, 3, 64, 64))


def test_a_portrait_and_drivers_to_pictures(model, motions) -> None:
    source, driver = motions
    appearance = model.appearance(torch.rand(1, 3, 64, 64))
    picture = model.render(appearance, source, model.transfer(source, driver))
    assert picture.shape == (3, 3, 64, 64)
    assert picture.min() >= 0 and picture.max() <= 1


def test_relative_motion_of_a_still_driver_leaves_the_portrait(model, motions) -> None:
    source, driver = motions
    still = model.transfer(source, driver, first=driver)
    assert torch.allclose(still["value"], source["value"].expand(3, -1, -1), atol=1e-6)
    assert torch.allclose(still["rotation"], source["rotation"].expand(3, -1, -1), atol=1e-6)


def test_own_motion_is_the_identity_of_absolute_transfer(model, motions) -> None:
    source, driver = motions
    assert torch.allclose(model.transfer(source, source)["value"], source["value"], atol=1e-6)
    assert torch.equal(model.transfer(source, driver)["canonical"][0], source["canonical"][0])


def test_free_view(model, motions) -> None:
    source, _ = motions
    assert torch.allclose(model.rotate(source)["value"], source["value"], atol=1e-6)
    turned = model.rotate(source, yaw=25, roll=-5)
    assert torch.allclose(turned["angles"] - source["angles"], torch.tensor([[-25.0, 0, -5]]), atol=1e-4)
    assert torch.allclose(turned["value"], model.keypoints(turned), atol=1e-5)
    back = model.rotate(turned, yaw=-25, roll=5)
    assert torch.allclose(back["value"], source["value"], atol=1e-5)


def test_latents_are_inverted(model, motions) -> None:
    source, driver = motions
    latent = model.to_latent(source)
    assert latent.shape == (1, 5 * 3 + 9)
    again = model.from_latent(latent, source)
    assert torch.allclose(again["value"], source["value"], atol=1e-5)
    assert model.from_latent(model.to_latent(driver), source)["value"].shape == (3, 5, 3)
    assert torch.allclose(again["angles"], source["angles"], atol=1e-3)


def test_unknown_option_is_named(model, motions) -> None:
    with pytest.raises(SpeechheadError, match="option 'lips'"):
        model.transfer(*motions, lips=1)


def test_frontal_view_of_f2f() -> None:
    model = build("f2f")
    motion = model.motion(torch.rand(2, 3, 64, 64))
    frontal = model.turned(motion, torch.zeros(2, 3))
    assert torch.allclose(frontal["rotation"], torch.eye(3).expand(2, 3, 3))
    assert torch.allclose(frontal["value"][..., 2].mean(1), torch.full((2,), 0.33), atol=1e-6)


def test_yaw_and_roll_of_the_head_are_crossed() -> None:
    head = osfv.HeadPoseEstimator(SMALL.he_estimator, 5).eval()
    torch.nn.init.constant_(head.fc_roll.bias, 7.0)
    torch.nn.init.zeros_(head.fc_roll.weight)
    assert torch.equal(head(torch.rand(1, 3, 64, 64))["yaw"], torch.full((1, 66), 7.0))


def test_keypoints_follow_a_gradient() -> None:
    model = build("original").requires_grad_(True).train()
    source, driver = model.motion(torch.rand(2, 3, 64, 64)), model.motion(torch.rand(2, 3, 64, 64))
    picture = model.render(model.appearance(torch.rand(2, 3, 64, 64)), source, model.transfer(source, driver))
    picture.mean().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("form", ["original", "spade"])
def test_full_size_has_the_published_keys(form: str, shared) -> None:
    published = published_keys("facevid2vid_osfv", shared)
    with torch.device("meta"):
        model = osfv.FaceVid2Vid(osfv.FaceVid2VidConfig.full_size(form))
        beta = osfv.FaceVid2Vid(osfv.FaceVid2VidConfig.beta(form))
        critic = MultiScaleDiscriminator(DiscriminatorConfig(scales=(1,), num_kp=15, sn=True))
    assert own_keys(model.kp_detector) == published["kp_detector"]
    assert own_keys(model.he_estimator) == published["he_estimator"]
    assert own_keys(model.generator) == published[f"generator_{form}"]
    assert own_keys(critic) == published["discriminator"]
    assert set(own_keys(model)) - set(own_keys(beta)) == {"kp_detector.down.weight"}
    assert model.config.fitted_to(model.state_dict()) == model.config
    assert osfv.FaceVid2VidConfig.full_size().fitted_to(beta.state_dict()) == beta.config


def test_full_size_of_f2f_has_the_published_keys(shared) -> None:
    published = published_keys("facevid2vid_f2f", shared)
    with torch.device("meta"):
        model = f2f.FaceVid2VidF2F(f2f_config.FaceVid2VidF2FConfig.full_size())
        networks = {**dict(model.named_children()), "discriminator": f2f.F2FDiscriminator()}
    assert {name: own_keys(network) for name, network in networks.items()} == published


def test_widths_are_read_off_the_weights() -> None:
    model = build("spade")
    blank = replace(SMALL, he_estimator=osfv.HeadPoseConfig(block_expansion=4))
    blank = replace(blank, generator=replace(SMALL.generator, spade_channels=1, spade_out_channels=1, spade_hidden=1))
    assert blank.fitted_to(model.state_dict()) == model.config


def test_discriminator_of_f2f_judges_patches() -> None:
    (judged,) = f2f.F2FDiscriminator(5, (4, 6))(torch.rand(2, 3, 32, 32), torch.rand(2, 5, 3))
    assert judged.realness.shape == (2, 1, 8, 8)
    assert [feature.shape[1] for feature in judged.features] == [4, 6]
