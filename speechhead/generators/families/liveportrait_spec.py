"""LivePortrait to the rest of the library: its crop, what a user may choose, stitching, where its weights are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from speechhead.core.arrays import Array
from speechhead.face.landmarks import from_mesh, remove_pose

from .crops import Crop
from .face_vid2vid_spec import LOSSES
from .retargeting_options import RetargetingOptions
from .spec import MOTION, FamilySpec, PublishedWeights, TrainingStage

if TYPE_CHECKING:
    from torch import Tensor

    from .family import Motion

_BASE, _RETARGETING = "liveportrait/base_models", "liveportrait/retargeting_models"
_STITCHING = "stitching_retargeting_module"
_HEADS = ("retarget_shoulder", "retarget_mouth", "retarget_eye")
_NETWORKS = ("appearance_feature_extractor", "motion_extractor", "warping_module", "spade_generator")


def landmark_crop(mesh: Array, driver: bool = False) -> Crop:
    """LivePortrait's crop by landmarks from brows to chin (its `cropper.py`).

    2.3 times their larger extent, the middle raised by an eighth of that, turned with the head; of a driving video 2.2
    times, raised by a tenth, not turned.

    Parameters
    ----------
    mesh : float32 [478, 3]; the face in picture pixels
    driver : the crop is of a driving video, not of the portrait
    """
    landmarks = from_mesh(mesh)
    scale, raised = (2.2, 0.1) if driver else (2.3, 0.125)
    angle = 0.0 if driver else remove_pose(landmarks[None])[1][0].angles[2]
    turn = np.deg2rad(angle)
    across, down = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    points = landmarks[:68, :2]
    spans = [(float((points @ axis).min()), float((points @ axis).max())) for axis in (across, down)]
    side = scale * max(high - low for low, high in spans)
    middle = [(low + high) / 2 for low, high in spans]
    centre = middle[0] * across + (middle[1] - raised * side) * down
    return Crop(float(centre[0]), float(centre[1]), round(side), angle)


def openings(landmarks: Tensor) -> dict[str, Any]:
    """How far the portrait's eyes and lips are open, so that open lips can be closed first."""
    from .retargeting import Openings

    return {"source_open": Openings.from_landmarks70(landmarks)}


def stitched(model: Any, source: Motion, driving: Motion) -> Motion:
    """The shoulders stay where they are (section 3.3), if there is a network for it."""
    networks = model.stitching_retargeting_module
    if networks is None:
        return driving
    return {**driving, "value": networks.stitch(source["value"], driving["value"])}


SPEC = FamilySpec(
    name="liveportrait",
    model="speechhead.generators.families.liveportrait:LivePortrait",
    parts={
        **{name: name for name in _NETWORKS},
        # One file, three entries.
        **{name: f"{_STITCHING}.{name}" for name in _HEADS},
    },
    marks=("spade_generator", "appearance_feature_extractor"),
    optional=tuple(f"{_STITCHING}.{name}" for name in _HEADS),
    crop=landmark_crop,
    options=RetargetingOptions,
    free_view=True,
    portrait_options=openings,
    settle=stitched,
    published=PublishedWeights(
        page="https://huggingface.co/KwaiVGI/LivePortrait",
        licence="MIT (Kuaishou). Its InsightFace models, for non-commercial research only, are not needed and not"
        " fetched. Do not use it to deceive: get the consent of whom you animate.",
        repo="KwaiVGI/LivePortrait",
        files=(
            *(f"{_BASE}/{name}.pth" for name in _NETWORKS),
            f"{_RETARGETING}/{_STITCHING}.pth",
        ),
    ),
    losses={**LOSSES, "guidance": 10.0},  # Guo et al., 2024, section 3.2: landmarks guide the implicit keypoints
    stages=(MOTION, TrainingStage("retargeting", (_STITCHING,))),
)
