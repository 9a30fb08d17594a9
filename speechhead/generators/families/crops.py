"""Square crops of faces as the generator families were trained on them, and frames laid back into the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.crop import crop_square
from speechhead.face.landmarks import Pose, from_mesh, remove_pose
from speechhead.media.image import Picture, border_ramp

FADE = 0.12
"""Width of the border in which a generated crop fades into the picture, in parts of the crop. A family redraws the
whole crop, background included: its border is not the portrait's own."""


@dataclass(frozen=True)
class Crop:
    """A square of a picture. x, y: its centre in pixels; side: px; angle: degrees by which it is turned clockwise."""

    x: float
    y: float
    side: int
    angle: float = 0.0

    def scaled(self, factor: float) -> Crop:
        """The same square of a picture that is `factor` times as large."""
        return replace(self, x=self.x * factor, y=self.y * factor, side=max(2, round(self.side * factor)))

    def matrix(self) -> NDArray[np.float64]:
        """Crop pixels to picture pixels, [2, 3]; both count from the centre of the first pixel."""
        turn = np.deg2rad(self.angle)
        linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        middle = (self.side - 1) / 2
        return np.column_stack([linear, np.array([self.x, self.y]) - linear @ np.array([middle, middle])])

    def cut(self, picture: Picture, size: int) -> Picture:
        """The square at `size` pixels a side; border pixels are repeated where it reaches over the picture's border."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        sides = (self.side, self.side)
        square = cv2.warpAffine(picture, self.matrix(), sides, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return resized(np.asarray(square, np.uint8), size)


def middle_square(picture: Picture) -> Crop:
    """The largest square in the middle of a picture."""
    height, width = picture.shape[:2]
    return Crop((width - 1) / 2, (height - 1) / 2, min(height, width))


class Pasting:
    """Frames of a crop laid back into its picture, fading out at the crop's border.

    rows, columns : of the part of the picture that changes; matrix : pixels of the crop to pixels of that part
    ramp : float32 [side, side], how much of the crop is seen
    """

    def __init__(self, picture: Picture, crop: Crop) -> None:
        self.picture, self.side = picture, crop.side
        matrix, side = crop.matrix(), crop.side
        corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ matrix.T
        height, width = picture.shape[:2]
        left, top = (max(0, int(v)) for v in np.floor(corners.min(0)))
        right, bottom = (min(n, int(v) + 1) for n, v in zip((width, height), np.ceil(corners.max(0))))
        self.rows, self.columns = slice(top, bottom), slice(left, right)
        matrix[:, 2] -= [left, top]
        self.matrix, self._shape = matrix, (right - left, bottom - top)
        self.ramp = border_ramp(side, side, FADE)
        self._weight = self._laid(self.ramp)[..., None]

    def __call__(self, frame: Picture) -> Picture:
        """The full picture [H, W, 3] with a generated crop [S, S, 3], of any size, in its place."""
        full = self.picture.copy()
        face = self._laid(resized(frame, self.side).astype(np.float32))
        region = full[self.rows, self.columns]
        region[:] = np.round(face * self._weight + region * (1 - self._weight))
        return full

    def _laid(self, square: Array) -> Array:
        flags = cv2.INTER_LINEAR
        laid = cv2.warpAffine(square, self.matrix, self._shape, flags=flags, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(laid, np.float32)


def head_crop(mesh: Array, driver: bool = False) -> Crop:
    """Head with hair and neck, as in VoxCeleb, which most published models saw: the crop of our training clips.

    Parameters
    ----------
    mesh : float32 [478, 3]; the face in picture pixels
    driver : the crop is of a driving video, not of the portrait; it is the same
    """
    left, top, side = crop_square(remove_pose(from_mesh(mesh)[None])[1][0])
    return Crop(left + side / 2, top + side / 2, round(side))


def resized(square: Picture | Array, side: int) -> NDArray[Any]:
    """A square picture at another resolution: averaged when it shrinks, cubic when it grows."""
    present = square.shape[0]
    if present == side:
        return square
    how = cv2.INTER_AREA if side < present else cv2.INTER_CUBIC
    grown = cv2.resize(square, (side, side), interpolation=how)
    return np.clip(grown, 0, 255).astype(square.dtype) if square.dtype != np.uint8 else np.asarray(grown, np.uint8)


def crop_pose(pose: Pose, size: float) -> Pose:
    """A pose in pixels of a square crop to crop units: [-1, 1] across the crop, as the families' keypoints are.

    Depth has the same unit. Landmarks under such a pose do not depend on the crop's resolution.
    """
    translation = np.asarray(pose.translation, np.float32) * (2 / size) - np.array([1, 1, 0], np.float32)
    return Pose(pose.rotation, translation, pose.scale * 2 / size)
