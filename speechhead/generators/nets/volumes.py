"""The appearance volume and the 3-D motion field that face-vid2vid and LivePortrait share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import (
    ConvBlock,
    DownBlock,
    Hourglass,
    ResBlock,
    batch_norm,
    combine_motions,
    conv,
    exact,
    heatmap_differences,
    resize,
    sparse_motions,
    warp,
    warp_each,
    widths,
)
from .nearest import MOST_MOVED, MOST_SEEN, SEEN, begin_with, bounded, carried, nearness, shown, untorn


@dataclass(frozen=True)
class DenseMotion3dConfig:
    """Published `dense_motion_params`.

    block_expansion, num_blocks, max_features : of the hourglass
    reshape_depth : depth of the volume
    compress : channels that the volume keeps for finding the motion
    kernel : of the last convolutions, which find masks and occlusion
    nearest : for keypoints that are places of a face, see `FommMotionConfig`: masks begin with how near a place of the
        picture is to each, what is torn open is hidden, and what is not is the portrait itself
    """

    block_expansion: int = 32
    max_features: int = 1024
    num_blocks: int = 5
    reshape_depth: int = 16
    compress: int = 4
    kernel: int = 7
    nearest: bool = False


class MotionField(NamedTuple):
    """What the dense motion network finds; flows, heatmaps and candidates are its own inputs.

    deformation [B, D, H, W, 3]; mask [B, K + 1, D, H, W]; occlusion [B, 1, H, W] or None;
    flows [B, K + 1, D, H, W, 3]; heatmaps [B, K + 1, 1, D, H, W]; candidates [B, K + 1, compress, D, H, W].
    portrait : [B, S, S, 2] with `nearest`; where a place of the picture is read in the portrait, of the picture's size
    torn : [B, 1, S, S] in 0..1 with `nearest`; how much of a place is torn open between lips
    """

    deformation: Tensor
    mask: Tensor
    occlusion: Tensor | None
    flows: Tensor
    heatmaps: Tensor
    candidates: Tensor
    portrait: Tensor | None = None
    torn: Tensor | None = None


class DenseMotion3d(nn.Module):
    """Keypoints to one motion field (face-vid2vid, section 3.3; FOMM eq. 4, 6 and 7 in three dimensions)."""

    def __init__(self, config: DenseMotion3dConfig, num_kp: int, channels: int, occlusion: bool = True) -> None:
        super().__init__()
        motions = num_kp + 1
        self.hourglass = Hourglass(
            3,
            config.block_expansion,
            motions * (config.compress + 1),
            config.num_blocks,
            config.max_features,
            last_conv=True,
        )
        self.mask = conv(3, self.hourglass.outputs, motions, config.kernel)
        self.compress = conv(3, channels, config.compress, 1)
        self.norm = batch_norm(3, config.compress)
        wide = self.hourglass.outputs * config.reshape_depth
        self.occlusion = conv(2, wide, 1, config.kernel) if occlusion else None
        self.nearest = config.nearest
        if self.nearest:
            begin_with(self.mask, 0.0)
            if self.occlusion is not None:
                begin_with(self.occlusion, SEEN)

    def forward(self, volume: Tensor, driving: Tensor, source: Tensor, size: int = 0) -> MotionField:
        """Field for a source volume [B, C, D, H, W] and keypoints [B, K, 3]; `size` : side of the picture, px."""
        shape = volume.shape[2:]
        # w_k(z) = z - x_d,k + x_s,k; face-vid2vid leaves FOMM's Jacobians out.
        flows = sparse_motions(source, driving, shape)
        heatmaps = heatmap_differences(source, driving, shape)[:, :, None]
        # Only a few channels are warped by every flow, for memory's sake.
        candidates = warp_each(F.relu(self.norm(self.compress(volume))), flows)
        seen = self.hourglass(torch.cat([heatmaps, candidates], dim=2).flatten(1, 2))
        # w(z) = sum_k m_k(z) w_k(z)
        logits = self.mask(seen)
        if self.nearest:
            logits = bounded(exact(logits), MOST_MOVED)
            near = nearness(exact(driving[..., :2]), (shape[1], shape[2]))[:, :, None]
            mask = torch.softmax(logits + near, dim=1)
        else:
            mask = torch.softmax(logits, dim=1)
        deformation = combine_motions(mask, flows)
        # Occlusion is a matter of the picture: depth is folded into channels.
        visible = self.occlusion(seen.flatten(1, 2)) if self.occlusion is not None else None
        occlusion = None if visible is None else torch.sigmoid(visible)
        portrait = torn = None
        if self.nearest:
            portrait, near_lips = self._in_the_portrait(logits.mean(2), driving[..., :2], source[..., :2], (size, size))
            whole = untorn(portrait.detach(), near_lips.detach())
            torn = 1 - whole
            if visible is not None:
                seen_there = torch.sigmoid(bounded(exact(visible), MOST_SEEN))
                occlusion = resize(seen_there, (size, size)) * whole
        return MotionField(deformation, mask, occlusion, flows, heatmaps, candidates, portrait, torn)

    @staticmethod
    def _in_the_portrait(
        logits: Tensor, driving: Tensor, source: Tensor, shape: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """The motion in the picture's plane and its masks, as fine as its pixels: lips part by less than a cell."""
        mask = torch.softmax(resize(logits, shape) + nearness(exact(driving), shape), dim=1)
        return carried(mask, exact(source), exact(driving)), mask


class VolumeEncoder(nn.Module):
    """Appearance feature extractor: picture [B, 3, H, W] to f_s, [B, C, D, H / 4, W / 4] (face-vid2vid, section 3.1).

    Its 2-D features are seen as a volume, then refined by 3-D residual blocks. `first_kernel` is 7 in the plain
    generator and 3 in those with SPADE. Halvings are `num_down_blocks` (2 in all published ones).
    """

    def __init__(
        self,
        block_expansion: int,
        num_down_blocks: int,
        max_features: int,
        reshape_channel: int,
        reshape_depth: int,
        num_resblocks: int,
        first_kernel: int = 3,
        image_channel: int = 3,
    ) -> None:
        super().__init__()
        self.volume = (reshape_channel, reshape_depth)
        self.first = ConvBlock(2, image_channel, block_expansion, first_kernel)
        steps = widths(block_expansion, max_features, num_down_blocks)
        self.down_blocks = nn.ModuleList(DownBlock(2, a, b) for a, b in zip(steps, steps[1:]))
        self.second = conv(2, steps[-1], max_features, 1)
        self.resblocks_3d = named("3dr", num_resblocks, partial(ResBlock, 3, reshape_channel))

    def encode(self, image: Tensor) -> Tensor:
        x = self.first(image)
        for block in self.down_blocks:
            x = block(x)
        return self.resblocks_3d(self.second(x).unflatten(1, self.volume))

    def forward(self, image: Tensor) -> Tensor:
        return self.encode(image)


def completed(made: Tensor, portrait: Tensor | None, field: MotionField, training: bool) -> Tensor:
    """What was made [B, 3, S, S]; with `nearest` the portrait [B, 3, s, s] under the motion, where that is seen."""
    if portrait is None or field.portrait is None or field.occlusion is None:
        return made
    moved = warp(resize(portrait, made.shape[2:]), field.portrait, align_corners=True)
    return shown(made, moved, field.occlusion, training)


def flow(field: MotionField) -> Tensor:
    """The field in the picture's plane, as `Drawn` has it."""
    return field.deformation[..., :2] if field.portrait is None else field.portrait[:, None]


def leaky_block(inputs: int, outputs: int) -> ConvBlock:
    """The convolution block after the warp, `third`; slope 0.01."""
    return ConvBlock(2, inputs, outputs, activation=F.leaky_relu)


def named(prefix: str, count: int, make: Callable[[], nn.Module]) -> nn.Sequential:
    """`count` blocks one after the other, called prefix0, prefix1, ..."""
    blocks = nn.Sequential()
    for index in range(count):
        blocks.add_module(f"{prefix}{index}", make())
    return blocks


def warp_volume(volume: Tensor, field: MotionField, third: nn.Module, fourth: nn.Module) -> Tensor:
    """Warp f_s, fold its depth into channels, and fade what the source does not show: [B, C', h, w].

    face-vid2vid, section 3.3: w(f_s) goes to the generator with the occlusion map.
    """
    features = fourth(third(warp(volume, field.deformation).flatten(1, 2)))
    if field.occlusion is None:
        return features
    return features * resize(field.occlusion, features.shape[2:])
