"""SPADE: normalisation whose gain and shift come from a feature map, and the picture decoder made of it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import exact


class _Spectral(nn.Module):
    """Spectral normalisation of a convolution's weight (Miyato et al., 2018): W / sigma, sigma = u^T W v.

    Keys `weight_orig`, `weight_u` and `weight_v`, as published checkpoints have them. In training u and v take one step
    of power iteration per pass (algorithm 1); in eval the stored ones are used as they are, for a checkpoint's pictures
    depend on them.
    """

    weight_orig: Tensor
    weight_u: Tensor
    weight_v: Tensor

    def _split_weight(self) -> None:
        weight = self._parameters.pop("weight")
        assert weight is not None
        self.register_parameter("weight_orig", nn.Parameter(weight.detach()))
        rows, columns = weight.flatten(1).shape
        self.register_buffer("weight_u", F.normalize(torch.randn(rows), dim=0, eps=1e-12))
        self.register_buffer("weight_v", F.normalize(torch.randn(columns), dim=0, eps=1e-12))

    def normalised_weight(self) -> Tensor:
        """W / sigma, of the convolution's own shape."""
        matrix = self.weight_orig.flatten(1)
        u, v = self.weight_u, self.weight_v
        # Sums of products, not matrix products: autocast would round those to half precision.
        if self.training:
            with torch.no_grad():
                v.copy_(F.normalize((matrix * u[:, None]).sum(0), dim=0, eps=1e-12))
                u.copy_(F.normalize((matrix * v).sum(1), dim=0, eps=1e-12))
            # The next pass overwrites the buffers, but this pass's gradient needs them.
            u, v = u.clone(), v.clone()
        return self.weight_orig / ((matrix * v).sum(1) * u).sum()


class SpectralConv2d(_Spectral, nn.Conv2d):
    """2-D convolution with spectral normalisation."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._split_weight()

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.normalised_weight(), self.bias)


class SpectralConv3d(_Spectral, nn.Conv3d):
    """3-D convolution with spectral normalisation."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._split_weight()

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.normalised_weight(), self.bias)


class Spade(nn.Module):
    """Spatially-adaptive normalisation (Park et al., 2019, equation 1).

    gamma(s) * (x - mean) / deviation + beta(s), with the mean and deviation of each picture and channel, the gain
    written as 1 + gamma, and the segmentation s here any feature map, [B, labels, h, w].
    """

    def __init__(self, channels: int, labels: int, hidden: int = 128) -> None:
        super().__init__()
        self.param_free_norm = nn.InstanceNorm2d(channels, eps=1e-5, affine=False)
        self.mlp_shared = nn.Sequential(nn.Conv2d(labels, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, segmentation: Tensor) -> Tensor:
        shared = self.mlp_shared(F.interpolate(segmentation, size=x.shape[2:], mode="nearest"))
        return self.param_free_norm(x) * (1 + self.mlp_gamma(shared)) + self.mlp_beta(shared)


class SpadeBlock(nn.Module):
    """Residual block of SPADE norms and spectral convolutions (Park et al., 2019, figure 4).

    The shortcut is learned where the widths differ; it has its own norm and no activation.
    """

    def __init__(self, channels: int, out_channels: int, labels: int, hidden: int = 128) -> None:
        super().__init__()
        between = min(channels, out_channels)
        self.conv_0 = SpectralConv2d(channels, between, 3, padding=1)
        self.conv_1 = SpectralConv2d(between, out_channels, 3, padding=1)
        self.norm_0 = Spade(channels, labels, hidden)
        self.norm_1 = Spade(between, labels, hidden)
        self.learned_shortcut = channels != out_channels
        if self.learned_shortcut:
            self.conv_s = SpectralConv2d(channels, out_channels, 1, bias=False)
            self.norm_s = Spade(channels, labels, hidden)

    def forward(self, x: Tensor, segmentation: Tensor) -> Tensor:
        shortcut = self.conv_s(self.norm_s(x, segmentation)) if self.learned_shortcut else x
        residual = self.conv_0(F.leaky_relu(self.norm_0(x, segmentation), 0.2))
        residual = self.conv_1(F.leaky_relu(self.norm_1(residual, segmentation), 0.2))
        return shortcut + residual


class SpadeDecoder(nn.Module):
    """Feature map to picture, the map steering every norm: 4 times its side, or 4 * upscale times.

    Parameters
    ----------
    channels : of the feature map
    out_channels : before the last convolution
    labels : channels of the segmentation; None means the feature map itself is the segmentation
    hidden : width inside the SPADE norms
    middle : blocks at the map's own size
    upscale : further enlargement by a pixel shuffle (LivePortrait)
    """

    def __init__(
        self,
        channels: int = 256,
        out_channels: int = 64,
        labels: int | None = None,
        hidden: int = 128,
        middle: int = 6,
        upscale: int = 1,
    ) -> None:
        super().__init__()
        labels = channels if labels is None else labels
        self.middle = middle
        self.fc = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        for index in range(middle):
            self.add_module(f"G_middle_{index}", SpadeBlock(2 * channels, 2 * channels, labels, hidden))
        self.up_0 = SpadeBlock(2 * channels, channels, labels, hidden)
        self.up_1 = SpadeBlock(channels, out_channels, labels, hidden)
        if upscale > 1:
            wide = nn.Conv2d(out_channels, 3 * upscale * upscale, 3, padding=1)
            self.conv_img: nn.Module = nn.Sequential(wide, nn.PixelShuffle(upscale))
        else:
            self.conv_img = nn.Conv2d(out_channels, 3, 3, padding=1)

    def forward(self, features: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """Pictures in [0, 1] from features [B, channels, h, w], [B, 3, 4h, 4w]."""
        segmentation = features if segmentation is None else segmentation
        x = self.fc(features)
        for index in range(self.middle):
            x = self.get_submodule(f"G_middle_{index}")(x, segmentation)
        x = self.up_0(F.interpolate(x, scale_factor=2, mode="nearest"), segmentation)
        x = self.up_1(F.interpolate(x, scale_factor=2, mode="nearest"), segmentation)
        return torch.sigmoid(exact(self.conv_img(F.leaky_relu(x, 0.2))))  # half precision has steps of a level
