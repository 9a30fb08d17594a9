"""The inside of a mouth for families that have none: teeth, tongue and dark where lips are torn open.

A family whose keypoints are landmarks parts the portrait's lips, and what it draws between them is one colour unless it
has learnt long. The compact generator's inside is not learnt from clips: rows of a head model in the portrait's light
(`compact.teeth`). It is drawn at the portrait's resolution on the CPU, and laid on the device where the family says
that the portrait is torn open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from speechhead.core.arrays import Array
from speechhead.core.stages import stage
from speechhead.face.landmarks import INNER_LIPS, Pose, from_mesh, remove_pose, to_normalised, to_pixels
from speechhead.media.image import Picture

from .compact.latents import CompactLatents
from .compact.teeth import Inside, Teeth, parted
from .families.family import Drawn
from .families.full_resolution import Rest, displacement, eased, enlarged, moved

WINDOW = 0.32
"""Side of the square around the mouth in which its inside is drawn, in parts of the crop's side."""

OVERHANG = 0.0
"""Of lips, in parts of the compact generator's: a family's lips end at their landmarks, and a small opening that these
overhung would be shut."""

TORN = 0.02, 0.25
"""How much of a place is torn open from which on its inside is seen, and is all that is seen."""


@dataclass(frozen=True)
class LentMouth:
    """The inside of a portrait's mouth, and the portrait's mesh, float32 [478, 3] in normalised space."""

    inside: Inside
    canonical: Array


class MouthLender:
    """Draws insides of mouths into squares around them; may be called from several threads."""

    def __init__(self) -> None:
        self._teeth, self._latents = Teeth(), CompactLatents()

    def prepare(self, crop: Picture, mesh: Array) -> LentMouth:
        """The inside of a portrait's mouth, of its crop uint8 [S, S, 3] and its mesh [478, 3] in crop pixels."""
        pose = remove_pose(from_mesh(mesh)[None])[1][0]
        canonical = to_normalised(mesh, pose)
        return LentMouth(self._teeth.prepare(crop, mesh, canonical, pose), canonical)

    def squares(
        self, mouths: Sequence[LentMouth], faces: Array, poses: Sequence[Pose], size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The insides of mouths in N frames of `size` pixels a side.

        Parameters
        ----------
        faces : float32 [N, 70, 3], or with more rows; driving landmarks in normalised space
        poses : driving, in crop pixels

        Returns
        -------
        uint8 [N, W, W, 4], colours and how much of them; int64 [N, 2], pixels (x, y) of the frame where a square begins
        """
        side = min(size, 2 * round(size * WINDOW / 2))
        squares, corners = np.zeros((len(poses), side, side, 4), np.uint8), np.zeros((len(poses), 2), np.int64)
        with stage("composite"):
            for square, corner, mouth, face, pose in zip(squares, corners, mouths, faces, poses):
                middle = to_pixels(face[INNER_LIPS], pose)[:, :2].mean(0)
                corner[:] = np.clip(np.round(middle - side / 2), 0, size - side)
                self._draw(square, corner, mouth, face[:70], pose)
        return squares, corners

    def _draw(
        self, square: NDArray[np.uint8], corner: NDArray[np.int64], mouth: LentMouth, face: Array, pose: Pose
    ) -> None:
        if parted(face) <= 0:
            return
        keypoints = self._latents.keypoints(face[None], mouth.canonical)[0]
        there = Pose(pose.rotation, pose.translation - np.array([*corner, 0], np.float32), pose.scale)
        layer = self._teeth.layer(len(square), mouth.inside, keypoints, there, OVERHANG)
        if layer is not None:
            where, colours, share = layer
            square[where] = np.clip(np.round(np.concatenate([colours, 255 * share], -1)), 0, 255)


def with_inside(frames: Tensor, torn: Tensor, squares: Tensor, corners: Tensor) -> Tensor:
    """Frames [B, 3, S, S] in 0..1 with insides of mouths where lips are torn open.

    Parameters
    ----------
    torn : [B, 1, h, h] in 0..1; how much of a place is torn open
    squares, corners : of `MouthLender.squares`, on the frames' device
    """
    size, side = frames.shape[-1], squares.shape[1]
    x, y = (corners[:, k, None] + torch.arange(side, device=frames.device) for k in (0, 1))
    grid = torch.stack([x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], -1)
    there = F.grid_sample(torn, (2 * grid.to(torn) + 1) / size - 1, padding_mode="border", align_corners=False)
    layer = _layer(squares)
    share = layer[:, 3:] * _open(there)
    places = (y[:, :, None] * size + x[:, None]).flatten(1)[:, None].expand(-1, 3, -1)
    flat = frames.flatten(2)
    joined = torch.lerp(flat.gather(2, places), layer[:, :3].flatten(2), share.flatten(2))
    return flat.scatter(2, places, joined).view(frames.shape)


def mended(drawn: Drawn, rest: Rest, squares: Tensor, corners: Tensor) -> Drawn:
    """A family's pictures in which nothing is made up where lips are torn open.

    What is torn is as wide as the network's pixels and the skin that is drawn wide with a lip. Only what lies between
    the landmarks is open; the rest is a lip, the portrait's own under the motion. So no made-up colour is left around
    the opening, nor gets into the bands of which pictures of full size are joined.
    """
    if drawn.torn is None or drawn.flow is None or drawn.visible is None:
        return drawn
    still = rest.spread(len(drawn.picture))
    layer = _layer(squares)
    colours = torch.cat([layer[:, :3] * layer[:, 3:], layer[:, 3:]], 1)
    within = _at_size(colours, corners, rest.size, drawn.picture.shape[-1])
    torn = _open(enlarged(drawn.torn, drawn.picture.shape[-1]))
    lips = torch.lerp(drawn.picture, moved(still.picture, displacement(drawn.flow, still.picture, drawn.picture)), torn)
    picture = lips * (1 - within[:, 3:] * torn) + within[:, :3] * torn
    return drawn._replace(
        picture=picture,
        visible=torch.maximum(drawn.visible, enlarged(torn * (1 - within[:, 3:]), drawn.visible.shape[-1])),
    )


def _open(torn: Tensor) -> Tensor:
    """How much of what is torn open is seen to be so."""
    return eased((torn - TORN[0]) / (TORN[1] - TORN[0]))


def _layer(squares: Tensor) -> Tensor:
    """Squares as [B, 4, W, W] in 0..1."""
    return squares.permute(0, 3, 1, 2).float() / 255


def _at_size(layer: Tensor, corners: Tensor, size: int, side: int) -> Tensor:
    """Squares [B, C, W, W] of frames of `size` pixels in whole pictures of fewer, [B, C, side, side]; else nothing."""
    step = size / side
    fine = 2 * (int(step) // 2) + 1
    calm = F.avg_pool2d(layer, fine, stride=1, padding=fine // 2)
    at = (torch.arange(side, device=layer.device) + 0.5) * step
    across, down = ((at - corners[:, k, None]) * (2 / layer.shape[-1]) - 1 for k in (0, 1))
    grid = torch.stack([across[:, None].expand(-1, side, -1), down[:, :, None].expand(-1, -1, side)], -1)
    return F.grid_sample(calm, grid, padding_mode="zeros", align_corners=False)
