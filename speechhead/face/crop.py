"""The square crop of a face: how large it is, where it lies, and cut out."""

from __future__ import annotations

import numpy as np

from speechhead.media.image import Picture

from .landmarks import Pose, to_pixels

CROP_EYES = 3.66
"""Side of the face crop in outer eye distances: the head with its hair, and the neck; as in the training clips."""

CROP_CENTRE = (0.0, 0.157, 0.0)
"""Centre of the crop in normalised space (x right, y down, z away from the camera), as in the training clips."""


def crop_square(pose: Pose) -> tuple[float, float, float]:
    """Left, top and side in pixels of the square crop of a face, from its pose in the picture."""
    centre = to_pixels(CROP_CENTRE, pose)
    side = float(pose.scale) * CROP_EYES
    return float(centre[0]) - side / 2, float(centre[1]) - side / 2, side


def cut_square(picture: Picture, left: int, top: int, side: int) -> Picture:
    """A square of a picture uint8 [H, W, 3]; the border's pixels are repeated where it reaches over the border."""
    rows = np.clip(np.arange(top, top + side), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, picture.shape[1] - 1)
    return np.ascontiguousarray(picture[rows[:, None], columns])
