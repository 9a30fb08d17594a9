"""What the window networks are shown of a portrait and of a frame, at run time and in training alike.

They see the person with the lips already laid as sheets, and the portrait as if its lips were shut: from closed lips
they paint all mouths alike; teeth of a smile they would carry over the lips.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.stages import staged
from speechhead.face.landmarks import Pose, from_mesh, to_pixels
from speechhead.motion.rest import rest_face

from .latents import CompactLatents
from .lips import LipSheets
from .meshwarp import MeshWarp, pixel_grid, sample, upsample
from .rest_plate import RestPlate
from .teeth import between
from .windows import WINDOWS

PRIOR_RESOLUTION = 128
"""Side of the field in which the landmark warp is drawn."""

KNOWN = 256
"""Pixels a side of the pictures whose sharpness the window networks know."""


def shut(latents: CompactLatents, canonical: Array, parted: float) -> Array:
    """A portrait's mesh [478, 3] with its lips closed, as far as they are parted (0 to 1, of `Plate`)."""
    if parted <= 0:
        return canonical
    rest = latents.keypoints(rest_face(from_mesh(canonical))[None], canonical)[0]
    return np.asarray(canonical + np.float32(parted) * (rest - canonical), np.float32)


def with_lips_shut(
    crop: NDArray[np.uint8], seen: Array, lips: LipSheets, warper: MeshWarp, smile: RestPlate | None = None
) -> NDArray[np.uint8]:
    """The portrait [S, S, 3] with its lips as in the mesh `seen` [478, 3], of `shut`, and its smile gone as far."""
    if lips.plate.parted <= 0:
        return crop
    flow, _ = warper.flow(seen, warper.pose, PRIOR_RESOLUTION)
    frame = with_lips(upsample(crop, flow), lips, seen, warper.pose)
    return without_smile(frame, smile, flow, seen, warper.pose)


@staged("composite")
def with_lips(frame: NDArray[np.uint8], lips: LipSheets, keypoints: Array, pose: Pose) -> NDArray[np.uint8]:
    """Lay a portrait's lips into the warped person [S, S, 3], in place; keypoints: float32 [478, 3], driving."""
    return lips.draw(frame, to_pixels(keypoints, pose), to_pixels(between(keypoints), pose), pose)


@staged("composite")
def without_smile(
    frame: NDArray[np.uint8], smile: RestPlate | None, flow: Array, keypoints: Array, pose: Pose
) -> NDArray[np.uint8]:
    """Take out of a frame [S, S, 3], in place, what of the portrait's smile the driving mesh [478, 3] has left; flow:
    float32 [N, N, 2], through which it was read from the portrait."""
    if smile is None:
        return frame
    return smile.draw(frame, flow, to_pixels(keypoints, pose), smile.amount(from_mesh(keypoints)))


def portrait_inputs(picture: NDArray[np.uint8], seen: Array, canonical: Array, pose: Pose) -> dict[str, Array]:
    """Per window the portrait: `{name}_source` [3, h, w] in 0..1 and `{name}_source_shapes` [2, h, w].

    Parameters
    ----------
    picture : uint8 [S, S, 3], of `with_lips_shut`; seen : float32 [478, 3], of `shut`
    canonical : float32 [478, 3], the portrait's mesh in normalised space; pose : its pose in crop pixels
    """
    size, shown = picture.shape[0], to_pixels(seen, pose)
    inputs, soft = {}, softened(picture)
    for name, window in WINDOWS.items():
        matrix = window.matrix(window.centre(canonical), pose, size)
        inputs[f"{name}_source"] = planes(read(soft, window.grid(matrix)))
        inputs[f"{name}_source_shapes"] = window.shapes(shown, matrix, pose, size)
    return inputs


def frame_inputs(
    frame: NDArray[np.uint8], canonical: Array, keypoints: Array, pose: Pose
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Per window the frame: `{name}_warped` [3, h, w] in 0..1 and `{name}_shapes` [2, h, w]; and where the windows lie,
    [2, 3] each (`Window.matrix`).

    Parameters
    ----------
    frame : uint8 [S, S, 3], of `with_lips`; canonical : float32 [478, 3], the portrait's mesh in normalised space
    keypoints : float32 [478, 3], driving, in normalised space; pose : driving, in crop pixels
    """
    size, posed = frame.shape[0], to_pixels(keypoints, pose)
    inputs, matrices, soft = {}, {}, softened(frame)
    for name, window in WINDOWS.items():
        matrix = matrices[name] = window.matrix(window.centre(canonical), pose, size)
        inputs[f"{name}_warped"] = planes(read(soft, window.grid(matrix)))
        inputs[f"{name}_shapes"] = window.shapes(posed, matrix, pose, size)
    return inputs, matrices


def softened(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [S, S, 3] at the sharpness that the window networks know, at most `KNOWN` pixels a side."""
    if image.shape[0] <= KNOWN:
        return image
    return np.asarray(cv2.resize(image, (KNOWN, KNOWN), interpolation=cv2.INTER_AREA), np.uint8)


def read(image: NDArray[Any], grid: Array) -> NDArray[Any]:
    """`image` [H, W, C] at positions [h, w, 2] in [-1, 1]."""
    return sample(image, np.asarray(grid - pixel_grid(*grid.shape[:2]), np.float32))


def planes(image: NDArray[np.uint8]) -> Array:
    """[H, W, 3] in 0..255 as [3, H, W] in 0..1."""
    return np.ascontiguousarray(image.astype(np.float32).transpose(2, 0, 1) / 255)
