"""Stages of the FOMM fixtures (first-order-model)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from pipelines.judge.parity.fixtures import Arrays, Weights
from speechhead.generators.families.family import Motion
from speechhead.generators.families.fomm import Fomm
from speechhead.generators.families.fomm_config import FommConfig
from speechhead.generators.nets.discriminator import DiscriminatorConfig, MultiScaleDiscriminator

Stages = Iterator[tuple[str, Tensor]]


def model(config: FommConfig, weights: Weights) -> Fomm:
    """The family with the fixture's weights."""
    family = Fomm(config)
    weights.load("kp_detector", family.kp_detector)
    weights.load("generator", family.generator)
    return family.eval()


def recorded_motion(io: Arrays, name: str, jacobian: bool = True) -> Motion:
    """Keypoints `<name>_value` and `<name>_jacobian` as recorded."""
    motion = {"value": io.recorded(f"{name}_value")}
    if jacobian and f"{name}_jacobian" in io:
        motion["jacobian"] = io.recorded(f"{name}_jacobian")
    return motion


def motion_stages(name: str, motion: Motion) -> Stages:
    """Computed keypoints under their recorded names."""
    for key, tensor in motion.items():
        yield f"{name}_{key}", tensor


def stages(config: dict[str, Any], weights: Weights, io: Arrays) -> Stages:
    """Detector, generator, its variants, relative motion, discriminator."""
    published = FommConfig.from_published(config)
    family = model(published, weights)
    image = {name: io.recorded(f"{name}_u8") for name in ("source", "driving", "driving_initial")}

    detector = family.kp_detector
    yield "kp_source_down", detector.down(image["source"])
    features = detector.predictor(detector.down(image["source"]))
    yield "kp_source_logits", detector.kp(features)
    if detector.jacobian is not None:
        yield "kp_source_jacobian_map", detector.jacobian(features)
    for name, picture in image.items():
        yield from motion_stages(f"kp_{name}", detector(picture))

    source, driving, first = (recorded_motion(io, f"kp_{name}") for name in image)
    appearance = family.generator.appearance(image["source"])
    yield "gen_encoded", appearance["features"][:, :8]
    out = family.generator(appearance, source, driving)
    yield "dm_heatmap", out["heatmap"][:, :, None]
    yield "dm_sparse_motion", out["sparse_motion"]
    yield "gen_warped_occluded", out["warped"][:, :8]
    for name in ("mask", "occlusion_map", "sparse_deformed", "deformation"):
        if name in out:
            yield f"out_{name}", out[name]
    yield "out_deformed", out["deformed"][..., ::2, ::2]
    yield "out_prediction_b0", out["prediction"][:1]
    yield "out_prediction_b1_sub2", out["prediction"][1:2, :, ::2, ::2]

    plain_source, plain_driving = ({"value": motion["value"]} for motion in (source, driving))
    plain = family.generator(appearance, plain_source, plain_driving)
    yield "nojac_prediction", plain["prediction"][..., ::2, ::2]
    yield "nojac_deformation", plain["deformation"]

    yield from motion_stages("relative", family.transfer(source, driving, first, adapt_scale=False))
    yield from motion_stages("relative_adapt", family.transfer(source, driving, first))
    adapted = family.generator(appearance, source, recorded_motion(io, "relative_adapt"))
    yield "relative_adapt_prediction", adapted["prediction"][..., ::2, ::2]

    if weights.has("discriminator"):
        discriminator = weights.load(
            "discriminator", MultiScaleDiscriminator(DiscriminatorConfig.from_published(config))
        )
        judgement = discriminator(image["driving"], driving["value"])[0]
        yield "disc_prediction_map", judgement.realness
        for i, feature in enumerate(judgement.features):
            yield f"disc_feature_{i}", feature[:, :4, :: 1 if i else 4, :: 1 if i else 4]

    aligned = model(replace(published, align_corners=True), weights)
    yield "alignTrue_prediction", aligned.render(appearance, source, driving)[..., ::2, ::2]


def full_size(config: dict[str, Any], weights: Weights, io: Arrays) -> Stages:
    """The published configuration, absolute keypoints."""
    family = model(FommConfig.from_published(config), weights)
    source_image, driving_image = enlarged(io)
    yield from motion_stages("kp_source", family.motion(source_image))
    yield from motion_stages("kp_driving", family.motion(driving_image))
    source, driving = recorded_motion(io, "kp_source"), recorded_motion(io, "kp_driving")
    out = family.generator(family.appearance(source_image), source, driving)
    yield "mask_sub4", out["mask"][..., ::4, ::4]
    yield "occlusion_map_sub2", out["occlusion_map"][..., ::2, ::2]
    yield "deformation_sub4", out["deformation"][:, ::4, ::4]
    yield "prediction_sub8", out["prediction"][..., ::8, ::8]
    yield "prediction_rows120_124", out["prediction"][..., 120:124, :]


def enlarged(io: Arrays) -> tuple[Tensor, Tensor]:
    """Source and driving picture of a full-size fixture: 64 px, every pixel repeated to 256."""
    images = io.recorded("images64_u8").repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    return images[:1], images[1:2]
