"""ConvNeXt V2, LivePortrait's motion extractor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-6


class ChannelNorm(nn.Module):
    """Layer norm over the channels of [B, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias, EPS).movedim(-1, 1)


class ResponseNorm(nn.Module):
    """Global response normalisation of [B, H, W, C] (Woo et al., 2023, GRN).

    Each channel's L2 norm over the picture, relative to the mean of all channels' norms, scales that channel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        response = x.square().sum((1, 2), keepdim=True).sqrt()
        relative = response / (response.mean(-1, keepdim=True) + EPS)
        return self.gamma * (x * relative) + self.beta + x


class Block(nn.Module):
    """Depthwise 7x7, layer norm, four times wider with GELU and response norm, and back; added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPS)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.grn = ResponseNorm(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.pwconv2(self.grn(F.gelu(self.pwconv1(y))))
        return x + y.permute(0, 3, 1, 2)


class ConvNextV2(nn.Module):
    """Picture [B, 3, H, W] to a feature vector [B, dims[-1]], and LivePortrait's seven heads upon it.

    `num_bins` is the width of the three heads of the pose.
    """

    def __init__(self, dims: Sequence[int], depths: Sequence[int], num_kp: int, num_bins: int = 66) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, dims[0], 4, stride=4), ChannelNorm(dims[0]))
        halvings = [
            nn.Sequential(ChannelNorm(before), nn.Conv2d(before, after, 2, stride=2))
            for before, after in zip(dims, dims[1:])
        ]
        self.downsample_layers = nn.ModuleList([stem, *halvings])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(depth))) for width, depth in zip(dims, depths)
        )
        self.norm = nn.LayerNorm(dims[-1], eps=EPS)
        self.fc_kp = nn.Linear(dims[-1], 3 * num_kp)
        self.fc_scale = nn.Linear(dims[-1], 1)
        self.fc_pitch = nn.Linear(dims[-1], num_bins)
        self.fc_yaw = nn.Linear(dims[-1], num_bins)
        self.fc_roll = nn.Linear(dims[-1], num_bins)
        self.fc_t = nn.Linear(dims[-1], 3)
        self.fc_exp = nn.Linear(dims[-1], 3 * num_kp)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Raw outputs: 'pitch', 'yaw', 'roll' [B, num_bins], 't' [B, 3], 'exp' and 'kp' [B, 3 K], 'scale' [B, 1]."""
        x = image
        for halve, stage in zip(self.downsample_layers, self.stages):
            x = stage(halve(x))
        features = self.norm(x.mean((2, 3)))
        heads = ("pitch", "yaw", "roll", "t", "exp", "scale", "kp")
        return {name: self.get_submodule(f"fc_{name}")(features) for name in heads}
