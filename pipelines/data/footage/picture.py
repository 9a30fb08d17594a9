"""How good the picture of a face is: sharpness, light, fields of interlaced video, repeated pictures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from speechhead.face.landmarks import Pose
from speechhead.generators.families.crops import Crop
from speechhead.media.image import Picture

from .settings import SAME

PATCH = 140
"""Side of the face patch that is judged: two outer eye distances, as large as they are in a sample of 256."""


@dataclass(frozen=True)
class Look:
    """Numbers of one picture of a face.

    sharpness : variance of the Laplacian over that of the grey levels; mean : grey level; white : share of pixels of
    250 and more; combs : roughness from row to row over that from every other row, high where two fields disagree.
    """

    sharpness: float
    mean: float
    white: float
    combs: float


def look_at(picture: Picture, pose: Pose) -> Look:
    """Judge the face under a pose."""
    x, y = float(pose.translation[0]), float(pose.translation[1]) + 0.4 * pose.scale
    face = Crop(x, y, max(8, round(2 * pose.scale)))
    grey = cv2.cvtColor(face.cut(picture, PATCH), cv2.COLOR_RGB2GRAY)
    spread = max(float(grey.std()), 1.0) ** 2
    sharpness = float(cv2.Laplacian(grey, cv2.CV_32F).var()) / spread
    return Look(sharpness, float(grey.mean()), float((grey >= 250).mean()), _combs(region(picture, pose)))


def region(picture: Picture, pose: Pose) -> Picture:
    """Green channel of the face's square in the picture's own pixels, cut off at the border: [h, w]."""
    x, y = pose.translation[0], pose.translation[1] + 0.4 * pose.scale
    left, top = max(0, int(x - pose.scale)), max(0, int(y - pose.scale))
    return picture[top : max(top, int(y + pose.scale)), left : max(left, int(x + pose.scale)), 1]


def same(one: Picture, other: Picture, pose: Pose) -> bool:
    """Whether two pictures show the same in the face's square: a repeated picture."""
    if one is other:
        return True
    a, b = region(one, pose), region(other, pose)
    return a.size > 0 and float(cv2.absdiff(a, b).mean()) < SAME


def _combs(rows: Picture) -> float:
    """Second differences of neighbouring rows over those of rows of one field."""
    x = rows.astype(np.int16)
    if len(x) < 16:
        return 0.0
    near = np.abs(2 * x[2:-2] - x[1:-3] - x[3:-1]).mean()
    far = np.abs(2 * x[2:-2] - x[:-4] - x[4:]).mean()
    return float(near / max(far, 0.5))
