"""DaGAN to the rest of the library."""

from __future__ import annotations

from .spec import MOTION, FamilySpec, PublishedWeights, TrainingStage

SPEC = FamilySpec(
    name="dagan",
    model="speechhead.generators.families.dagan:Dagan",
    parts={
        "generator": "generator",
        "kp_detector": "kp_detector",
        # Its depth networks are files of their own: encoder.pth and depth.pth.
        "encoder": "depth_encoder",
        "depth": "depth_decoder",
        "depth_encoder": "depth_encoder",
        "depth_decoder": "depth_decoder",
    },
    marks=("generator.src_first.",),
    published=PublishedWeights(
        "https://github.com/harlanhong/CVPR2022-DaGAN", "CC BY-NC 4.0; its depth part: Monodepth2's"
    ),
    # FOMM's (Siarohin et al., 2019, sup. mat. A), and Hong et al.'s L_D, which keeps keypoints apart.
    losses={"adversarial": 1.0, "equivariance_value": 10.0, "equivariance_jacobian": 10.0, "prior": 10.0},
    stages=(TrainingStage("depth", ("depth_encoder", "depth_decoder")), MOTION),
)
