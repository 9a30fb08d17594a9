"""Pictures on a device: made from bytes, resized, mixed, laid into others, and turned to what encoders eat.

All of it is in float32, on pictures [B, 3, H, W] in 0..1. The same operations run on a CPU and on a GPU.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from speechhead.core.arrays import Array
from speechhead.media.image import RGB_TO_YUV

BT709 = RGB_TO_YUV
"""R'G'B' 0..255 to Y'CbCr 16..235 of BT.709, as files have it."""

BT601 = np.array(
    [
        [0.256788, 0.504129, 0.097906, 16],
        [-0.148223, -0.290993, 0.439216, 128],
        [0.439216, -0.367788, -0.071427, 128],
    ],
    np.float32,
)
"""The same of BT.601, as decoders of WebRTC assume it."""


def as_bytes(images: Tensor) -> Tensor:
    """Images [B, C, H, W], in 0..1 or a little beyond, to uint8 [B, H, W, C] on the same device."""
    return (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous()


def resized(images: Tensor, side: int) -> Tensor:
    """Square images at another size: averaged where they shrink, cubic where they grow, never out of 0..1.

    The same weights as `cv2.resize`: what this does to the rows of the identity is the matrix of it.
    """
    present = images.shape[-1]
    if present == side:
        return images
    matrix = on_device(_weights(present, side), images.device)
    return (matrix @ images @ matrix.mT).clamp(0, 1)


@lru_cache(maxsize=32)
def _weights(present: int, side: int) -> Array:
    """Weights [side, present] of the samples of a line that is resized."""
    how = cv2.INTER_AREA if side < present else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.eye(present, dtype=np.float32), (present, side), interpolation=how), np.float32)


def on_device(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """An array that is read alone, as a tensor on a device."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)


class Laying:
    """Squares laid into a part of a picture, turned as an affine matrix says, fading out at their border.

    Parameters
    ----------
    matrix : float64 [2, 3]; pixels of the square to pixels of the part
    region : uint8 [h, w, 3], the part
    weight : float32 [S, S]; how much of each pixel of the square is seen
    """

    def __init__(
        self, matrix: NDArray[np.float64], region: NDArray[np.uint8], weight: Array, device: torch.device
    ) -> None:
        height, width = region.shape[:2]
        side = len(weight)
        inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
        rows, columns = np.mgrid[:height, :width].astype(np.float64)
        places = np.stack([columns, rows, np.ones_like(rows)], -1) @ inverse.T
        self._grid = on_device((places * (2 / (side - 1)) - 1).astype(np.float32), device)[None]
        self._region = on_device(region, device).permute(2, 0, 1)[None].float() / 255
        self._weight = self._read(on_device(weight, device)[None, None])

    def __call__(self, squares: Tensor) -> Tensor:
        """The part [B, 3, h, w] with squares [B, 3, S, S] in it."""
        return torch.lerp(self._region, self._read(squares), self._weight)

    def _read(self, squares: Tensor) -> Tensor:
        grid = self._grid.expand(len(squares), -1, -1, -1)
        return F.grid_sample(squares, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def i420(pictures: Tensor, matrix: Array = BT709, averaged: bool = True) -> Tensor:
    """Bytes RGB [B, H, W, 3] of even sides to planar Y'CbCr 4:2:0, bytes [B, H * 3 / 2, W].

    Parameters
    ----------
    matrix : float32 [3, 4], R'G'B' 0..255 to Y'CbCr
    averaged : a chroma sample is of the mean of four pixels, as in `media.image.yuv420`; else of the upper left one, as
        OpenCV has it
    """
    batch, height, width = pictures.shape[:3]
    weights = on_device(matrix, pictures.device)
    colours = pictures.float()
    luma = (colours * weights[0, :3]).sum(-1) + weights[0, 3]
    quads = colours.view(batch, height // 2, 2, width // 2, 2, 3)
    quarter = quads.mean((2, 4)).round() if averaged else quads[:, :, 0, :, 0]
    chroma = (quarter[:, None] * weights[1:, None, None, :3]).sum(-1) + weights[1:, 3, None, None]
    planes = torch.cat([luma.flatten(1), chroma.flatten(1)], 1)
    return planes.round().clamp(0, 255).byte().view(batch, height * 3 // 2, width)
