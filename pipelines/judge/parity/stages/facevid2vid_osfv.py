"""face-vid2vid's stages against those of One-Shot_Free-View."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from pipelines.judge.parity.fixtures import Arrays, Weights
from speechhead.generators.families.face_vid2vid import FaceVid2Vid, FaceVid2VidConfig
from speechhead.generators.nets.layers import warp

FORMS = {"original": "orig", "spade": "spade"}
"""Forms of the generator, and what their arrays begin with."""


def load(config: dict[str, Any], weights: Weights, form: str) -> FaceVid2Vid:
    """The family with a fixture's weights and one of its generators."""
    settings = replace(FaceVid2VidConfig.from_published(config, form), rotation="osfv")
    model = FaceVid2Vid(settings).eval().requires_grad_(False)
    weights.load("kp_detector", model.kp_detector)
    weights.load("he_estimator", model.he_estimator)
    weights.load(f"generator_{form}", model.generator)
    return model


def stages(config: dict[str, Any], weights: Weights, io: Arrays) -> Iterator[tuple[str, Tensor]]:
    """Small configurations, stage by stage."""
    for form in FORMS:
        model = load(config, weights, form)
        if form == "original":
            yield from _keypoints(model, io)
        yield from _picture(model, io, form)


def _keypoints(model: FaceVid2Vid, io: Arrays) -> Iterator[tuple[str, Tensor]]:
    detector = model.kp_detector
    small = detector.down(io.recorded("source_u8"))
    yield "kp_down", small[:1]
    features = detector.predictor(small)
    yield "kp_features", features[:1, :2]
    yield "kp_logits", detector.logits(features)[:1]
    yield "kp_canonical", detector(io.recorded("source_u8"))
    for who in ("source", "driving", "driving_initial"):
        for name, raw in model.he_estimator(io.recorded(f"{who}_u8")).items():
            yield f"he_{who}_{name}", raw
        head = {name: io.recorded(f"he_{who}_{name}") for name in ("yaw", "pitch", "roll", "t", "exp")}
        motion = model.posed(canonical=io.recorded("kp_canonical"), **model.pose(head))
        yield f"deg_{who}_yaw_pitch_roll", motion["angles"]
        yield f"rot_{who}", motion["rotation"]
        yield f"kp_{who}", motion["value"]
    values = {who: {"value": io.recorded(f"kp_{who}")} for who in ("source", "driving", "driving_initial")}
    yield "kp_norm_relative_adapt", model.relative(values["source"], values["driving"], values["driving_initial"], True)


def _picture(model: FaceVid2Vid, io: Arrays, form: str) -> Iterator[tuple[str, Tensor]]:
    prefix, generator = FORMS[form], model.generator
    volume = generator.encode(io.recorded("source_u8"))
    yield f"{prefix}_feature3d", volume[:1]
    field = generator.dense_motion_network(volume, io.recorded("kp_driving"), io.recorded("kp_source"))
    yield f"{prefix}_deformation", field.deformation[:1]
    yield f"{prefix}_mask", field.mask[:1]
    if field.occlusion is not None:
        yield f"{prefix}_occlusion_map", field.occlusion
    if form == "original":
        yield "orig_heatmap", field.heatmaps[:1]
        yield "orig_sparse_motion", field.flows[:1, :, ::2]
        yield "orig_sparse_deformed", field.candidates[:1, ..., ::2, ::2]
        read = warp(volume, field.deformation)
        yield "orig_warped3d", read[:1, :2]
        yield "orig_fourth", generator.fourth(generator.third(read.flatten(1, 2)))[:1, :4]
    warped = generator.warped(volume, field)
    yield f"{prefix}_warped_occluded", warped[:1, :4]
    picture = generator.decode(warped)
    yield f"{prefix}_prediction_b0", picture[:1]
    yield f"{prefix}_prediction_b1_sub2", picture[1:2, :, ::2, ::2]


def full_size(config: dict[str, Any], weights: Weights, io: Arrays) -> Iterator[tuple[str, Tensor]]:
    """The published configuration, end to end; one generator in memory at a time."""
    images = F.interpolate(io.recorded("images64_u8"), scale_factor=4, mode="nearest")
    for form, prefix in FORMS.items():
        model = load(config, weights, form)
        source = model.motion(images[:1])
        head = model.he_estimator(images[1:])
        driving = model.posed(canonical=source["canonical"], **model.pose(head))
        if form == "original":
            yield "kp_canonical", source["canonical"]
            yield "deg_source_yaw_pitch_roll", source["angles"]
            yield "deg_driving_yaw_pitch_roll", driving["angles"]
            for name in ("yaw", "t", "exp"):
                yield f"he_driving_{name}", head[name]
            yield "kp_source", source["value"]
            yield "kp_driving", driving["value"]
        picture, field = model.generator.generate(
            model.appearance(images[:1])["volume"], driving["value"], source["value"]
        )
        yield f"{prefix}_mask_sub", field.mask[:, :, ::4, ::8, ::8]
        if field.occlusion is not None:
            yield f"{prefix}_occlusion_map_sub2", field.occlusion[:, :, ::2, ::2]
        yield f"{prefix}_prediction_sub8", picture[:, :, ::8, ::8]
        yield f"{prefix}_prediction_rows120_122", picture[:, :, 120:122]
        del model, picture, field
