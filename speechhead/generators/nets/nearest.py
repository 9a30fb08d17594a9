"""What moves a portrait by keypoints that are places of a face: masks of the nearest, gaps that are torn open."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import coordinate_grid

SEEN = 3.0
"""Logit of the occlusion map with which training begins where masks begin with `nearness`."""

MOST_MOVED, MOST_SEEN = 1.0, 6.0
"""Largest logits that a network adds to masks that begin with `nearness`, and that their occlusion map has."""

THROUGH = 0.1
"""Part of a decoder's picture that is seen in training wherever the portrait itself is shown."""

LIPS = (6, 7, 16, 17, 18, 19)
"""Keypoints on the inner lips, of those that are landmarks (`families/guides.py`)."""

TORN = 0.5, 0.8
"""Shares of its area between which a place is seen more and more: skin around a mouth keeps more, its gap less."""


def begin_with(head: nn.Module, bias: float) -> None:
    """A last convolution that says the same everywhere before it is trained."""
    nn.init.zeros_(head.get_parameter("weight"))
    nn.init.constant_(head.get_parameter("bias"), bias)


def bounded(x: Tensor, most: float) -> Tensor:
    """`x` where it is small, never beyond `most`."""
    return most * torch.tanh(x / most)


def nearness(keypoints: Tensor, shape: tuple[int, int], core: float = 0.02, background: float = 0.35) -> Tensor:
    """Logits of masks that give every place to the keypoints nearest to it: inverse distance weighting.

    A softmax of them weighs a keypoint by 1 / (r^2 + core^2)^2 (Shepard, 1968). Two lips that touch are parted between
    them, where Gaussians wide enough for a cheek would be one.

    Parameters
    ----------
    keypoints : [B, K, 2] in [-1, 1]
    core : distance within which a keypoint is as near as can be
    background : distance from which on the background is nearer than one keypoint

    Returns
    -------
    [B, K + 1, *shape], that of the background first
    """
    grid = coordinate_grid(shape, keypoints)
    across = (grid[0, :, 0] - keypoints[:, :, :1]).square()[:, :, None]
    down = (grid[:, 0, 1] - keypoints[:, :, 1:]).square()[..., None]
    near = -2 * (across + down + core**2).log()
    return torch.cat([torch.full_like(near[:, :1], -2 * math.log(background**2 + core**2)), near], dim=1)


def carried(mask: Tensor, source: Tensor, driving: Tensor) -> Tensor:
    """`combine_motions` of `sparse_motions` without Jacobians in two dimensions, for less: z + sum_k M_k (s_k - d_k).

    Parameters
    ----------
    mask : [B, K + 1, H, W]; sums to 1 over the motions, the background's first
    source, driving : [B, K, 2]

    Returns
    -------
    [B, H, W, 2]
    """
    ways = [(mask[:, 1:] * way[..., None, None]).sum(1) for way in (source - driving).unbind(-1)]
    return coordinate_grid(mask.shape[2:], mask) + torch.stack(ways, -1)


def untorn(deformation: Tensor, mask: Tensor) -> Tensor:
    """How much of a place of the picture the source can show: 0 where it is torn open between lips, else 1.

    Where a mouth opens, all of the gap reads the line between the lips: the source does not show what is there. A
    network has little say in that (`MOST_MOVED`): lips drawn wide are nearly right from the first step on, so that they
    would be chosen for good, and what should be between them never learnt.

    Parameters
    ----------
    deformation : [B, H, W, 2]; where the source is read, in [-1, 1]
    mask : [B, K + 1, H, W]; a place counts as far as it moves with the keypoints LIPS: a cheek that turns is drawn wide
        too, and is seen

    Returns
    -------
    [B, 1, H, W]; by the share of its own area that a place is drawn from, 0 up to the first of TORN, 1 from the second
    """
    height, width = deformation.shape[1:3]
    places = deformation.movedim(-1, 1)
    across, down = places.diff(dim=3) * ((width - 1) / 2), places.diff(dim=2) * ((height - 1) / 2)
    across, down = (across[:, :, 1:] + across[:, :, :-1]) / 2, (down[..., 1:] + down[..., :-1]) / 2
    share = across[:, :1] * down[:, 1:] - across[:, 1:] * down[:, :1]  # of the squares between four pixels
    least = -F.max_pool2d(-F.pad(share, (1, 1, 1, 1), mode="replicate"), 2, stride=1)  # a gap may be one pixel high
    whole = ((least - TORN[0]) / (TORN[1] - TORN[0])).clamp(0, 1)
    between = mask[:, [1 + lip for lip in LIPS if 1 + lip < mask.shape[1]]].sum(1, keepdim=True)
    return 1 - (1 - whole * whole * (3 - 2 * whole)) * between


def shown(made: Tensor, moved: Tensor, visible: Tensor, training: bool) -> Tensor:
    """What a decoder made, and the portrait itself under the motion where that is to be seen.

    In training a part of what is made shows through everywhere (`THROUGH`): a decoder that only ever fills gaps learns
    nothing of the faces around them.

    Parameters
    ----------
    made, moved : [B, 3, S, S]
    visible : [B, 1, S, S] in 0..1
    """
    return torch.lerp(made, moved, visible * (1 - THROUGH) if training else visible)
