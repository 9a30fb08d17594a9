"""The square crop of a face: how large it is, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechhead.core.errors import ImageError

from .landmarks import Pose, to_pixels

if TYPE_CHECKING:
    pass


CROP_EYES = 3.66
"""Side of the face crop in outer eye distances: the head with its hair, and the neck; as in the training clips."""

CROP_CENTRE = (0.0, 0.157, 0.0)
"""Centre of the crop in normalised space (x right, y down, z away from the camera), as in the training clips."""

SIZES = (64, 2048)
"""Smallest and largest side of the face crop."""


def crop_square(pose: Pose) -> tuple[float, float, float]:
    """Left, top and side in pixels of the square crop of a face, from its pose in the picture."""
    centre = to_pixels(CROP_CENTRE, pose)
    side = float(pose.scale) * CROP_EYES
    return float(centre[0]) - side / 2, float(centre[1]) - side / 2, side


def check_size(size: int) -> int:
    """A usable side of the face crop: even, 64..2048; ImageError otherwise."""
    if size % 2 or not SIZES[0] <= size <= SIZES[1]:
        raise ImageError(f"size {size} is not usable. Give an even number from {SIZES[0]} to {SIZES[1]}.")
    return size
