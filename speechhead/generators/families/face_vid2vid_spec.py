"""face-vid2vid to the rest of the library, as One-Shot_Free-View published it."""

from __future__ import annotations

from .spec import FamilySpec, PublishedWeights

LOSSES = {
    "adversarial": 1.0,
    "equivariance_value": 20.0,
    "head_pose": 20.0 / 90,  # the paper's 20 is for angles in units of 90 degrees
    "deformation": 5.0,
    "prior": 10.0,
}
"""Wang et al., 2021, sup. mat. A."""

SPEC = FamilySpec(
    name="face-vid2vid",
    model="speechhead.generators.families.face_vid2vid:FaceVid2Vid",
    parts={name: name for name in ("generator", "kp_detector", "he_estimator")},
    marks=("he_estimator",),
    free_view=True,
    published=PublishedWeights(
        "https://github.com/zhanglonghao1992/One-Shot_Free-View_Neural_Talking_Head_Synthesis", "CC BY-NC 4.0"
    ),
    losses=LOSSES,
)
