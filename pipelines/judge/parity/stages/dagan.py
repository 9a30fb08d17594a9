"""Stages of the DaGAN fixtures (CVPR2022-DaGAN)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pipelines.judge.parity.fixtures import Arrays, Weights
from speechhead.generators.families.dagan import DaganConfig, DepthAwareGenerator
from speechhead.generators.families.depth import RESNET50, DepthConfig, DepthDecoder, DepthEncoder
from speechhead.generators.families.family import Appearance
from speechhead.generators.families.fomm import FommKeypointDetector

from .fomm import enlarged, motion_stages, recorded_motion

Stages = Iterator[tuple[str, Tensor]]


def depth_networks(config: DepthConfig, weights: Weights, name: str) -> tuple[DepthEncoder, DepthDecoder]:
    """The depth networks `<name>_encoder` and `<name>_decoder`."""
    encoder = weights.load(f"{name}_encoder", DepthEncoder(config))
    return encoder, weights.load(f"{name}_decoder", DepthDecoder(config))


def keypoint_detector(config: DaganConfig, weights: Weights) -> FommKeypointDetector:
    """The detector, which sees four channels."""
    detector = FommKeypointDetector(
        config.kp_detector, config.num_kp, config.num_channels + 1, config.estimate_jacobian
    )
    return weights.load("kp_detector", detector)


def generator(config: DaganConfig, weights: Weights, name: str) -> DepthAwareGenerator:
    """A generator, plain or SPADE as the config says."""
    made = DepthAwareGenerator(config.generator, config.num_kp, config.num_channels, config.align_corners)
    return weights.load(name, made)


def look(network: DepthAwareGenerator, image: Tensor, depth: Tensor) -> Appearance:
    """Appearance of a source whose depth is known."""
    return {**network.appearance(image), "depth_features": network.depth_features(depth)}


def stages(config: dict[str, Any], weights: Weights, io: Arrays) -> Stages:
    """Depth networks, keypoints, and both generators on the recorded keypoints."""
    published = DaganConfig.from_published(config)
    source_image, driving_image = io.recorded("source_u8"), io.recorded("driving_u8")
    encoder, decoder = depth_networks(published.depth, weights, "depth")
    features = encoder(source_image)
    for level, feature in enumerate(features):
        yield f"depth_enc_feature_{level}", feature[:1, :4]
    disparities = decoder(features)
    for level, disparity in enumerate(disparities):
        yield f"depth_source_disp_{level}", disparity if level else disparity[:1]
    source_depth, driving_depth = disparities[0], decoder(encoder(driving_image))[0]
    yield "depth_driving_disp_0_sub2", driving_depth[..., ::2, ::2]

    deep_encoder, deep_decoder = depth_networks(DepthConfig.from_published(config, RESNET50), weights, "depth50")
    features = deep_encoder(source_image)
    yield "depth50_enc_feature_4", features[4][:1]
    yield "depth50_source_disp_0_sub2", deep_decoder(features)[0][..., ::2, ::2]

    detector = keypoint_detector(published, weights)
    rgbd = torch.cat([source_image, source_depth], dim=1)
    yield "kp_source_logits", detector.kp(detector.predictor(detector.down(rgbd)))[:1]
    yield from motion_stages("kp_source", detector(rgbd))
    yield from motion_stages("kp_driving", detector(torch.cat([driving_image, driving_depth], dim=1)))

    source, driving = recorded_motion(io, "kp_source"), recorded_motion(io, "kp_driving")
    for name, spade in ("plain", False), ("spade", True):
        form = DaganConfig.from_published(config, spade=spade)
        network = generator(form, weights, "generator_spade" if spade else "generator")
        appearance = look(network, source_image, source_depth)
        yield f"{name}_source_depth_features", appearance["depth_features"][:1, :4]
        out = network(appearance, source, driving)
        yield f"{name}_mask", out["mask"][:1]
        yield f"{name}_deformation", out["deformation"][:1]
        if "occlusion_map" in out:
            yield f"{name}_occlusion_map", out["occlusion_map"]
        yield f"{name}_deformed", out["deformed"][..., ::2, ::2]
        yield f"{name}_attention_rows_b0", out["attention"][0, ::48]
        yield f"{name}_attended", out["attended"][:, :4]
        yield f"{name}_prediction_b0", out["prediction"][:1]
        yield f"{name}_prediction_b1_sub2", out["prediction"][1:2, :, ::2, ::2]


def full_size(config: dict[str, Any], weights: Weights, io: Arrays) -> Stages:
    """The published configuration with ResNet18, both generators."""
    published = DaganConfig.from_published(config)
    source_image, driving_image = enlarged(io)
    encoder, decoder = depth_networks(published.depth, weights, "depth")
    source_depth, driving_depth = (decoder(encoder(image))[0] for image in (source_image, driving_image))
    yield "depth_source_sub8", source_depth[..., ::8, ::8]
    detector = keypoint_detector(published, weights)
    yield from motion_stages("kp_source", detector(torch.cat([source_image, source_depth], dim=1)))
    yield from motion_stages("kp_driving", detector(torch.cat([driving_image, driving_depth], dim=1)))
    del detector, encoder, decoder

    source, driving = recorded_motion(io, "kp_source"), recorded_motion(io, "kp_driving")
    for name, spade in ("plain", False), ("spade", True):
        form = DaganConfig.from_published(config, spade=spade)
        network = generator(form, weights, "generator_spade" if spade else "generator")
        out = network(look(network, source_image, source_depth), source, driving)
        yield f"{name}_mask_sub8", out["mask"][..., ::8, ::8]
        yield f"{name}_occlusion_map_sub2", out["occlusion_map"][..., ::2, ::2]
        yield f"{name}_attention_sub", out["attention"][:, ::256, ::16]
        yield f"{name}_prediction_sub8", out["prediction"][..., ::8, ::8]
        yield f"{name}_prediction_rows120_122", out["prediction"][..., 120:122, :]
