"""LivePortrait's stages against the published implementation's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.judge.parity.fixtures import Arrays, Weights
from speechhead.generators.families.family import Motion
from speechhead.generators.families.liveportrait import LivePortrait, LivePortraitConfig
from speechhead.generators.families.retargeting import Openings, drive
from speechhead.generators.families.retargeting_options import RetargetingOptions

INPUTS = ("tmpl_*", "source_landmarks203", "eye_ratio", "lip_ratio")
"""Besides pictures."""

_RETARGETING = "stitching_retargeting_module"
_FLAGS = {
    "flag_relative_motion": "relative",
    "flag_stitching": "stitching",
    "flag_normalize_lip": "normalise_lip",
    "flag_eye_retargeting": "eye_retargeting",
    "flag_lip_retargeting": "lip_retargeting",
    "animation_region": "region",
    "driving_multiplier": "multiplier",
}


def load(config: dict[str, Any], weights: Weights) -> LivePortrait:
    """The family with a fixture's weights, submodule by submodule."""
    model = LivePortrait(LivePortraitConfig.from_published(config)).eval().requires_grad_(False)
    for group in ("appearance_feature_extractor", "motion_extractor", "warping_module", "spade_generator"):
        weights.load(group, getattr(model, group))
    for group in ("retarget_shoulder", "retarget_mouth", "retarget_eye"):
        weights.load(f"{_RETARGETING}.{group}", getattr(model.retargeting, group))
    return model


def stages(config: dict[str, Any], weights: Weights, io: Arrays) -> Iterator[tuple[str, Tensor]]:
    """Small configurations, stage by stage."""
    model = load(config, weights)
    for who in ("source", "driving"):
        for name, raw in model.motion_extractor(io.recorded(f"{who}_u8")).items():
            yield f"raw_{who}_{name}", raw
        motion = _recorded_motion(model, io, who)
        yield f"deg_{who}_pitch_yaw_roll", motion["angles"][:, [1, 0, 2]]
        yield f"rot_{who}", motion["rotation"]
        yield f"x_{who}", motion["value"]
    networks = model.retargeting
    source, driving = io.recorded("x_source"), io.recorded("x_driving")
    yield "stitch_delta", networks.stitch_delta(source, driving)
    yield "x_driving_stitched", networks.stitch(source, driving)
    yield "eye_delta", networks.eye_delta(source, io.recorded("eye_ratio"))
    yield "lip_delta", networks.lip_delta(source, io.recorded("lip_ratio"))
    yield from _picture(model, io, source)
    yield from _drives(model, config, io)


def _recorded_motion(model: LivePortrait, io: Arrays, who: str) -> Motion:
    names = ("pitch", "yaw", "roll", "t", "exp", "scale", "kp")
    return model.posed(**model.parts({name: io.recorded(f"raw_{who}_{name}") for name in names}))


def _picture(model: LivePortrait, io: Arrays, source: Tensor) -> Iterator[tuple[str, Tensor]]:
    volume = model.appearance(io.recorded("source_u8"))["volume"]
    yield "feature3d", volume[:1]
    field = model.warping_module.field(volume, io.recorded("x_driving_stitched"), source)
    yield "warp_sparse_motion", field.flows[:1, :, ::2]
    yield "warp_heatmap", field.heatmaps[:1]
    yield "warp_mask", field.mask[:1]
    yield "warp_deformation", field.deformation[:1]
    if field.occlusion is not None:
        yield "warp_occlusion_map", field.occlusion
    warped = model.warping_module.warped(volume, field)
    yield "warp_out", warped[:1]
    picture = model.spade_generator(warped)
    height, width = picture.shape[2:]
    yield "prediction_b0_crop", picture[:1, :, height // 4 : -(height // 4), width // 4 : -(width // 4)]
    yield "prediction_sub4", picture[:, :, ::4, ::4]


def _drives(model: LivePortrait, config: dict[str, Any], io: Arrays) -> Iterator[tuple[str, Tensor]]:
    source = {key: value[:1] for key, value in _recorded_motion(model, io, "source").items()}
    yield "drive_x_s", source["value"]
    opening = Openings.from_landmarks203(io.recorded("source_landmarks203")[None])
    yield "source_lip_ratio", opening.lips[0]
    yield "source_eye_ratio", opening.eyes[0]
    template = {
        key: io.recorded(f"tmpl_{name}")
        for key, name in {"rotation": "R", "expression": "exp", "translation": "t", "scale": "scale"}.items()
    }
    first = {key: value[:1] for key, value in template.items()}
    driver_open = Openings(io.recorded("tmpl_c_d_eyes_lst"), io.recorded("tmpl_c_d_lip_lst"))
    networks = model.retargeting
    for mode, flags in config["drive_modes"].items():
        options = drive_options(flags)
        _, value = drive(networks, model.keypoints, source, template, first, options, opening, driver_open)
        yield f"drive_{mode}_x_d", value


def drive_options(flags: dict[str, Any]) -> RetargetingOptions:
    """Ours, from the published pipeline's arguments."""
    chosen = {_FLAGS[name]: value for name, value in flags.items() if name in _FLAGS}
    friendly = flags.get("driving_option") == "expression-friendly"
    return RetargetingOptions(**chosen, expression_friendly=friendly)


def full_size(config: dict[str, Any], weights: Weights, io: Arrays) -> Iterator[tuple[str, Tensor]]:
    """The published configuration, end to end."""
    model = load(config, weights)
    images = F.interpolate(io.recorded("images64_u8"), scale_factor=4, mode="nearest")
    source, driving = model.motion(images[:1]), model.motion(images[1:])
    yield "deg_source_pitch_yaw_roll", source["angles"][:, [1, 0, 2]]
    yield "kp_source_canonical", source["canonical"]
    yield "exp_source", source["expression"]
    yield "t_source", source["translation"]
    yield "scale_source", source["scale"]
    yield "x_source", source["value"]
    yield "x_driving", driving["value"]
    networks, at_rest = model.retargeting, source["value"]
    stitched = networks.stitch(at_rest, driving["value"])
    yield "x_driving_stitched", stitched
    yield (
        "eye_delta_ratio_031_028_012",
        networks.eye_delta(at_rest, torch.tensor([[0.31, 0.28, 0.12]], device=io.device)),
    )
    yield "lip_delta_ratio_017_005", networks.lip_delta(at_rest, torch.tensor([[0.17, 0.05]], device=io.device))
    volume = model.appearance(images[:1])["volume"]
    yield "feature3d_sub", volume[:, ::4, ::4, ::8, ::8]
    field = model.warping_module.field(volume, stitched, at_rest)
    yield "deformation_sub", field.deformation[:, ::4, ::8, ::8]
    if field.occlusion is not None:
        yield "occlusion_map_sub2", field.occlusion[:, :, ::2, ::2]
    warped = model.warping_module.warped(volume, field)
    yield "warp_out_sub", warped[:, ::16, ::8, ::8]
    picture = model.spade_generator(warped)
    yield "prediction512_sub16", picture[:, :, ::16, ::16]
    yield "prediction512_rows240_242", picture[:, :, 240:242]
