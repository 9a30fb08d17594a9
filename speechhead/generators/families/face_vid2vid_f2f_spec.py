"""face-vid2vid's second public form to the rest of the library."""

from __future__ import annotations

from .face_vid2vid_spec import LOSSES
from .spec import FamilySpec, PublishedWeights

SPEC = FamilySpec(
    name="face-vid2vid-f2f",
    model="speechhead.generators.families.face_vid2vid_f2f:FaceVid2VidF2F",
    parts={name: name for name in ("afe", "ckd", "hpe_ede", "mfe", "generator")},
    marks=("hpe_ede",),
    form_of="face-vid2vid",
    free_view=True,
    published=PublishedWeights("https://github.com/zhengkw18/face-vid2vid", "none stated"),
    losses=LOSSES,
)
