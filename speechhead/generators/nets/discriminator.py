"""The families' multi-scale discriminator, with the feature maps that feature matching compares (pix2pixHD)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import KEYPOINT_VARIANCE, AntiAliasDown, gaussian, widths
from .spade import SpectralConv2d


class Judgement(NamedTuple):
    """What one scale says. features: a map per block, for feature matching; realness: [B, 1, h, w], LSGAN's D(x)."""

    features: list[Tensor]
    realness: Tensor


@dataclass(frozen=True)
class DiscriminatorConfig:
    """scales: sizes at which a picture is judged, of the whole; use_kp: the discriminator also sees the keypoints'
    Gaussians; sn: spectral norm (face-vid2vid)."""

    scales: tuple[float, ...] = (1,)
    block_expansion: int = 32
    max_features: int = 512
    num_blocks: int = 4
    use_kp: bool = False
    sn: bool = False
    num_channels: int = 3
    num_kp: int = 10
    kp_variance: float = KEYPOINT_VARIANCE

    @classmethod
    def from_published(cls, published: Mapping[str, Any]) -> DiscriminatorConfig:
        """From a published YAML's content, or its `model_params` alone."""
        params = published.get("model_params", published)
        common, own = params["common_params"], params["discriminator_params"]
        channels = common.get("num_channels", common.get("image_channel", 3))
        return cls(**{"num_kp": common["num_kp"], "num_channels": channels, **own, "scales": tuple(own["scales"])})


class _Block(nn.Module):
    """4x4 convolution without padding, instance norm (but in the first block), leaky ReLU, halving."""

    def __init__(self, inputs: int, outputs: int, norm: bool, pool: bool, spectral: bool) -> None:
        super().__init__()
        self.conv = (SpectralConv2d if spectral else nn.Conv2d)(inputs, outputs, 4)
        self.norm = nn.InstanceNorm2d(outputs, affine=True) if norm else None
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = F.leaky_relu(x if self.norm is None else self.norm(x), 0.2)
        return F.avg_pool2d(x, 2) if self.pool else x


class PatchDiscriminator(nn.Module):
    """Patch discriminator at one scale."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.use_kp, self.variance = config.use_kp, config.kp_variance
        channels = widths(config.block_expansion, config.max_features, config.num_blocks)[1:]
        inputs = [config.num_channels + (config.num_kp if config.use_kp else 0), *channels]
        self.down_blocks = nn.ModuleList(
            _Block(a, b, norm=i > 0, pool=i < config.num_blocks - 1, spectral=config.sn)
            for i, (a, b) in enumerate(zip(inputs, channels))
        )
        self.conv = (SpectralConv2d if config.sn else nn.Conv2d)(channels[-1], 1, 1)

    def forward(self, image: Tensor, keypoints: Tensor | None = None) -> Judgement:
        """Judge pictures [B, C, H, W]; `keypoints` [B, K, 2] of the driving pictures where use_kp is set."""
        x = image
        if self.use_kp:
            if keypoints is None:
                raise ValueError("this discriminator sees keypoints (use_kp), give them")
            x = torch.cat([x, gaussian(keypoints.detach(), x.shape[2:], self.variance)], dim=1)
        features = []
        for block in self.down_blocks:
            x = block(x)
            features.append(x)
        return Judgement(features, self.conv(x))


class MultiScaleDiscriminator(nn.Module):
    """A discriminator for each scale; keys `discs.<scale>`, with a dash for the point ("0-5")."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        names = [str(scale).replace(".", "-") for scale in config.scales]
        self.discs = nn.ModuleDict({name: PatchDiscriminator(config) for name in names})
        # Not stored: the published state dicts have the discriminators alone.
        self.pyramid = nn.ModuleList(AntiAliasDown(config.num_channels, scale, stored=False) for scale in config.scales)

    def forward(self, image: Tensor, keypoints: Tensor | None = None) -> list[Judgement]:
        """The judgements of pictures [B, C, H, W] in [0, 1], in the order of the scales."""
        return [disc(down(image), keypoints) for disc, down in zip(self.discs.values(), self.pyramid)]
