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
    heatmap_differences,
    resize,
    sparse_motions,
    warp,
    warp_each,
    widths,
)


@dataclass(frozen=True)
class DenseMotion3dConfig:
    """Published `dense_motion_params`.

    block_expansion, num_blocks, max_features : of the hourglass
    reshape_depth : depth of the volume
    compress : channels that the volume keeps for finding the motion
    """

    block_expansion: int = 32
    max_features: int = 1024
    num_blocks: int = 5
    reshape_depth: int = 16
    compress: int = 4


class MotionField(NamedTuple):
    """What the dense motion network finds; the last three are its own inputs.

    deformation [B, D, H, W, 3]; mask [B, K + 1, D, H, W]; occlusion [B, 1, H, W] or None;
    flows [B, K + 1, D, H, W, 3]; heatmaps [B, K + 1, 1, D, H, W]; candidates [B, K + 1, compress, D, H, W].
    """

    deformation: Tensor
    mask: Tensor
    occlusion: Tensor | None
    flows: Tensor
    heatmaps: Tensor
    candidates: Tensor


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
        self.mask = conv(3, self.hourglass.outputs, motions, 7)
        self.compress = conv(3, channels, config.compress, 1)
        self.norm = batch_norm(3, config.compress)
        self.occlusion = conv(2, self.hourglass.outputs * config.reshape_depth, 1, 7) if occlusion else None

    def forward(self, volume: Tensor, driving: Tensor, source: Tensor) -> MotionField:
        """Field for a source volume [B, C, D, H, W] and keypoints [B, K, 3]."""
        shape = volume.shape[2:]
        # w_k(z) = z - x_d,k + x_s,k; face-vid2vid leaves FOMM's Jacobians out.
        flows = sparse_motions(source, driving, shape)
        heatmaps = heatmap_differences(source, driving, shape)[:, :, None]
        # Only a few channels are warped by every flow, for memory's sake.
        candidates = warp_each(F.relu(self.norm(self.compress(volume))), flows)
        seen = self.hourglass(torch.cat([heatmaps, candidates], dim=2).flatten(1, 2))
        # w(z) = sum_k m_k(z) w_k(z)
        mask = torch.softmax(self.mask(seen), dim=1)
        deformation = combine_motions(mask, flows)
        # Occlusion is a matter of the picture: depth is folded into channels.
        occlusion = torch.sigmoid(self.occlusion(seen.flatten(1, 2))) if self.occlusion is not None else None
        return MotionField(deformation, mask, occlusion, flows, heatmaps, candidates)


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
