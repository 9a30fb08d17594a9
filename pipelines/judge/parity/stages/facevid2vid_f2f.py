"""face-vid2vid's stages against those of zhengkw18/face-vid2vid."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi
from typing import Any

import torch
from torch import Tensor

from pipelines.judge.parity.fixtures import Arrays, Weights
from speechhead.generators.families.face_vid2vid_f2f import FaceVid2VidF2F
from speechhead.generators.families.face_vid2vid_f2f_config import FaceVid2VidF2FConfig

NOISE = {"prediction_unclipped_b0": 1e-3, "prediction_unclipped_b1_sub2": 1e-3}
"""As the fixture's README states."""


def load(config: dict[str, Any], weights: Weights) -> FaceVid2VidF2F:
    """The family with a fixture's weights."""
    model = FaceVid2VidF2F(FaceVid2VidF2FConfig.from_published(config)).eval().requires_grad_(False)
    for group in ("afe", "ckd", "hpe_ede", "mfe", "generator"):
        weights.load(group, getattr(model, group))
    return model


def stages(config: dict[str, Any], weights: Weights, io: Arrays) -> Iterator[tuple[str, Tensor]]:
    """Small configurations, stage by stage."""
    model = load(config, weights)
    image = io.recorded("source_u8")
    yield "ckd_logits", model.ckd.logits(image)[:1]
    yield "kp_canonical", model.ckd(image)
    motions = {}
    for who in ("source", "driving"):
        head = model.hpe_ede(io.recorded(f"{who}_u8"))
        yield f"rad_{who}_yaw_pitch_roll", head["angles"] * (pi / 180)
        yield f"t_{who}", head["translation"]
        yield f"delta_{who}", head["expression"]
        motion = model.posed(
            canonical=io.recorded("kp_canonical"),
            angles=io.recorded(f"rad_{who}_yaw_pitch_roll") * (180 / pi),
            translation=io.recorded(f"t_{who}"),
            expression=io.recorded(f"delta_{who}"),
        )
        yield f"kp_{who}", motion["value"]
        yield f"rot_{who}", motion["rotation"]
        motions[who] = {"value": io.recorded(f"kp_{who}"), "rotation": io.recorded(f"rot_{who}")}
        if who == "source":
            frontal = model.turned(
                {key: value[:1] for key, value in motion.items()}, torch.zeros(1, 3, device=io.device)
            )
            yield "kp_source_frontalised_b0", frontal["value"]
            yield "rot_source_frontalised_b0", frontal["rotation"]
    volume = model.afe(image)
    yield "afe_feature3d", volume[:1]
    field = model.mfe(volume, motions["driving"], motions["source"])
    yield "sparse_motion", field.flows[:1, :, ::2]
    yield "mask", field.mask[:1]
    yield "deformation", field.deformation[:1]
    yield "occlusion", field.occlusion
    features = model.generator.features(volume, field.deformation)
    yield "generator_mid", features[:1, :4]
    picture = model.generator(volume, field.deformation, field.occlusion)
    yield "prediction_unclipped_b0", picture[:1]
    yield "prediction_unclipped_b1_sub2", picture[1:2, :, ::2, ::2]
