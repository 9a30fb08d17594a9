"""Keypoints that are landmarks: which ones `guidance` ties to which, and keypoints put where those are."""

from __future__ import annotations

from torch import Tensor

from speechhead.face.landmarks import INNER_LIPS, IRISES, OUTER_LIPS

from .family import Family, Motion

GUIDES = [
    *(36, 39, 42, 45, 48, 54),
    *range(INNER_LIPS.start + 2, INNER_LIPS.stop, 4),
    *range(IRISES.start, IRISES.stop),
    *(8, 33, OUTER_LIPS.start + 3, OUTER_LIPS.start + 9, 3, 13),
    *range(INNER_LIPS.start + 1, INNER_LIPS.stop, 2),
    *(19, 24),
]
"""Landmarks that the first keypoints follow under `guidance`: eye and mouth corners, mid inner lips, irises; then chin,
nose, mid outer lips, jaw; the rest of the inner lips; brows."""

GUIDED = "guided"
"""Metadata entry of weights that were trained with guidance: how many of their keypoints are landmarks."""


def placed(family: Family, motion: Motion, landmarks: Tensor, count: int, first: int | None = None) -> Motion:
    """Motion whose first keypoints are where their landmarks are, as the tracker sees them.

    A small detector reads lips that part as half as far apart: of two places that look alike it says the mean.

    Parameters
    ----------
    family : whose motion it is
    landmarks : float32 [B, 70, 3] in crop units
    count : keypoints, of those that there are
    first : so many pictures of the batch alone, None for all
    """
    value = motion["value"].clone()
    guides = GUIDES[: min(count, value.shape[1])]
    value[:first, : len(guides), :2] = landmarks[:first, guides, :2].to(value)
    return family.moved_to(motion, value)
