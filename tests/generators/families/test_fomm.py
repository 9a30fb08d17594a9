"""First Order Motion Model: its equations, its sizes, its published keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.published import own_keys, published_keys  # noqa: E402

from speechhead.core.errors import ControlError, ImageError  # noqa: E402
from speechhead.generators.checkpoints import stored  # noqa: E402
from speechhead.generators.families.fomm import Fomm  # noqa: E402
from speechhead.generators.families.fomm_config import (  # noqa: E402
    FommConfig,
    FommGeneratorConfig,
    FommKeypointConfig,
    FommMotionConfig,
)

SMALL = FommConfig(
    num_kp=5,
    kp_detector=FommKeypointConfig(4, 12, 2, scale_factor=0.25),
    generator=FommGeneratorConfig(4, 12, 2, 1, FommMotionConfig(4, 12, 2, 0.25), estimate_occlusion_map=True),
    image_size=64,
)


def make(config: FommConfig = SMALL, seed: int = 0) -> Fomm:
    torch.manual_seed(seed)
    model = Fomm(config)
    for parameter in (model.kp_detector.kp.weight, model.generator.dense_motion_network.mask.weight):
        torch.nn.init.normal_(parameter, std=0.3)  # keypoints apart from each other
    if config.estimate_jacobian:
        torch.nn.init.normal_(model.kp_detector.jacobian.weight, std=0.05)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model() -> Fomm:
    return make()


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.rand(3, 3, 96, 64, generator=torch.Generator().manual_seed(1))  # not square: x and y differ


def test_training_begins_with_identity_jacobians(pictures: torch.Tensor) -> None:
    jacobians = Fomm(SMALL).eval().motion(pictures)["jacobian"]
    assert torch.allclose(jacobians, torch.eye(2).expand(3, 5, 2, 2), atol=1e-5)


def test_frames_together_are_frames_one_by_one(model: Fomm, pictures: torch.Tensor) -> None:
    appearance, source = model.appearance(pictures[:1]), model.motion(pictures[:1])
    driver = model.motion(pictures[1:])
    assert driver["value"].shape == (2, 5, 2)
    assert driver["jacobian"].shape == (2, 5, 2, 2)
    together = model.render(appearance, source, model.transfer(source, driver))
    assert together.shape == (2, 3, 96, 64)
    assert 0 <= together.min() < together.max() <= 1
    for frame in range(2):
        one = {key: value[frame : frame + 1] for key, value in driver.items()}
        assert torch.allclose(model.render(appearance, source, one), together[frame : frame + 1], atol=1e-5)


def test_relative_motion_starts_at_the_portrait(model: Fomm, pictures: torch.Tensor) -> None:
    source, driver = model.motion(pictures[:1]), model.motion(pictures[1:2])
    still = model.transfer(source, driver, first=driver)
    assert torch.allclose(still["value"], source["value"])
    assert torch.allclose(still["jacobian"], source["jacobian"], atol=1e-4)


def test_relative_motion_follows_the_driver(model: Fomm, pictures: torch.Tensor) -> None:
    source, first = model.motion(pictures[:1]), model.motion(pictures[1:2])
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    driver = {"value": first["value"] + 0.1, "jacobian": turn @ first["jacobian"]}
    moved = model.transfer(source, driver, first, adapt_scale=False)
    assert torch.allclose(moved["value"], source["value"] + 0.1, atol=1e-6)
    assert torch.allclose(moved["jacobian"], turn @ source["jacobian"], atol=1e-4)
    twice = {**source, "value": 2 * first["value"]}
    adapted = model.transfer(twice, driver, first)  # a portrait of twice the driver's size moves twice as far
    assert torch.allclose(adapted["value"], twice["value"] + 0.2, atol=1e-5)
    assert torch.equal(model.transfer(source, driver)["value"], driver["value"])  # absolute
    with pytest.raises(ControlError, match="option 'wink' is unknown to fomm"):
        model.transfer(source, driver, wink=True)


def test_occlusion_hides_features(model: Fomm, pictures: torch.Tensor) -> None:
    appearance = model.appearance(pictures[:1])
    field = {"deformation": torch.zeros(1, 24, 16, 2), "occlusion_map": torch.ones(1, 1, 24, 16)}
    seen = model.generator.deform(appearance["features"], field)
    assert torch.equal(seen, model.generator.deform(appearance["features"], {"deformation": field["deformation"]}))
    hidden = model.generator.deform(appearance["features"], {**field, "occlusion_map": torch.zeros(1, 1, 24, 16)})
    assert seen.abs().max() > 0
    assert hidden.abs().max() == 0


def test_latent_and_back(model: Fomm, pictures: torch.Tensor) -> None:
    source = model.motion(pictures)
    latent = model.to_latent(source)
    assert latent.shape == (3, 30)
    back = model.from_latent(latent, source)
    assert back.keys() == source.keys()
    assert all(torch.equal(back[key], source[key]) for key in source)


OTHERS = {
    "zeroth order": replace(SMALL, estimate_jacobian=False),
    "aligned": replace(SMALL, align_corners=True),
    "ten keypoints, whole pictures": replace(
        SMALL,
        num_kp=10,
        kp_detector=FommKeypointConfig(3, 8, 3, temperature=0.2),
        generator=FommGeneratorConfig(5, 40, 1, 2, FommMotionConfig(3, 9, 3)),
    ),
    "deep, half size": replace(
        SMALL,
        kp_detector=FommKeypointConfig(4, 16, 3, scale_factor=0.5),
        generator=FommGeneratorConfig(4, 16, 3, 0, FommMotionConfig(4, 16, 1, 0.5), estimate_occlusion_map=True),
    ),
}


@pytest.mark.parametrize("config", OTHERS.values(), ids=OTHERS.keys())
def test_other_sizes(config: FommConfig, pictures: torch.Tensor, tmp_path: Path) -> None:
    model = make(config)
    source, driver = model.motion(pictures[:1]), model.motion(pictures[1:])
    relative = model.transfer(source, driver, first={key: value[:1] for key, value in driver.items()})
    frames = model.render(model.appearance(pictures[:1]), source, relative)
    assert frames.shape == (2, 3, 96, 64)
    latent = model.to_latent(driver)
    assert torch.equal(model.from_latent(latent, source)["value"], driver["value"])
    # The weights tell the sizes, and a file alone rebuilds the model.
    assert set(model.state_dict()) == set(Fomm(SMALL.fitted_to(model.state_dict())).state_dict())
    opened = stored.open_family(stored.save_family(model, tmp_path / "fomm.safetensors"))
    assert opened.config == config
    assert torch.equal(opened.render(model.appearance(pictures[:1]), source, relative), frames)


def test_fitted_config_is_what_made_the_weights() -> None:
    for config in (SMALL, FommConfig.full_size()):
        with torch.device("meta"):
            state = Fomm(config).state_dict()
        assert config.fitted_to(state) == config
        other = replace(OTHERS["deep, half size"], image_size=config.image_size).fitted_to(state)
        with torch.device("meta"):
            assert own_keys(Fomm(other)) == own_keys(Fomm(config))


def test_gradients_reach_the_detector(pictures: torch.Tensor) -> None:
    model = Fomm(SMALL)
    motion = model.motion(pictures[:2])
    source, driver = ({key: value[i : i + 1] for key, value in motion.items()} for i in range(2))
    model.render(model.appearance(pictures[:1]), source, driver).sum().backward()
    for head in (model.kp_detector.kp, model.kp_detector.jacobian):
        assert head.weight.grad.abs().max() > 0


def test_a_picture_that_does_not_fit_is_one_clear_line(model: Fomm) -> None:
    with pytest.raises(
        ImageError, match=r"70x64 does not fit .* Resize to 64x64, or to multiples of 16 from 32"
    ) as error:
        model.motion(torch.rand(1, 3, 64, 70))
    assert "\n" not in str(error.value)
    with pytest.raises(ImageError, match="16x16"):
        model.appearance(torch.rand(1, 3, 16, 16))
    assert model.motion(torch.rand(1, 3, 32, 32))["value"].isfinite().all()


def test_full_size_has_the_published_keys() -> None:
    with torch.device("meta"):
        model = Fomm(FommConfig.full_size())
    published = published_keys("fomm", Path())
    assert {name: own_keys(network) for name, network in model.named_children()} == {
        name: published[name] for name in ("kp_detector", "generator")
    }


def test_published_yaml() -> None:
    yaml = {
        "dataset_params": {"frame_shape": [256, 256, 3]},
        "model_params": {
            "common_params": {"num_kp": 10, "num_channels": 3, "estimate_jacobian": True},
            "kp_detector_params": {
                "temperature": 0.1,
                "block_expansion": 32,
                "max_features": 1024,
                "scale_factor": 0.25,
                "num_blocks": 5,
            },
            "generator_params": {
                "block_expansion": 64,
                "max_features": 512,
                "num_down_blocks": 2,
                "num_bottleneck_blocks": 6,
                "estimate_occlusion_map": True,
                "dense_motion_params": {
                    "block_expansion": 64,
                    "max_features": 1024,
                    "num_blocks": 5,
                    "scale_factor": 0.25,
                },
            },
        },
    }
    assert FommConfig.from_published(yaml) == FommConfig.from_published(yaml["model_params"]) == FommConfig.full_size()


def nearest(scale: float = 0.5) -> Fomm:
    motion = FommMotionConfig(4, 12, 2, scale, nearest=True)
    generator = FommGeneratorConfig(4, 12, 1, 1, motion, estimate_occlusion_map=True)
    torch.manual_seed(0)
    detector = FommKeypointConfig(4, 12, 2, scale_factor=0.25)
    return Fomm(FommConfig(8, detector, generator, estimate_jacobian=False, align_corners=True, image_size=64)).eval()


@torch.no_grad()
def test_nearest_keypoints_move_the_portrait_before_anything_is_learnt() -> None:
    model = nearest()
    image = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), size=64, mode="bicubic").clamp(0, 1)
    appearance = model.appearance(image)
    source = {
        "value": torch.tensor(
            [[[-0.5, -0.4], [0.5, -0.4], [-0.5, 0.8], [0.5, 0.8], [-0.4, 0.3], [0.4, 0.3], [0.0, 0.3], [0.0, 0.35]]]
        )
    }
    still = model.draw(appearance, source, source)
    assert (still.picture - image).abs().mean() < 0.05  # some of the decoder's, which knows nothing, is in it
    opened = {
        "value": source["value"] + torch.tensor([0, 0, 0, 0, 0, 0, 0, 0.15])[None, :, None] * torch.tensor([0.0, 1.0])
    }
    drawn = model.draw(appearance, source, opened)
    assert drawn.flow is not None and drawn.visible is not None and drawn.torn is not None
    assert drawn.flow.shape == (1, 1, 64, 64, 2)
    places = opened["value"][:, None]
    read = torch.nn.functional.grid_sample(drawn.flow[:, 0].movedim(-1, 1), places, align_corners=True)
    assert (read[0, :, 0].T - source["value"][0]).abs().max() < 0.03
    mouth_and_brow = torch.tensor([[[[0.0, 0.4], [0.0, -0.4]]]])
    seen, torn = (
        torch.nn.functional.grid_sample(part, mouth_and_brow, align_corners=True)[0, 0, 0]
        for part in (drawn.visible, drawn.torn)
    )
    assert seen[0] < 0.3 < 0.9 < seen[1] and torn[1] < 0.1 < 0.7 < torn[0]  # the portrait has no open mouth
