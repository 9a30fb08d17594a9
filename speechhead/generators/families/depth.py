"""Depth of a face from one picture: Monodepth2's networks (Godard et al., 2019) in DaGAN's use, sigmoid disparity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RESNET18, RESNET50 = 18, 50
_BLOCKS = {RESNET18: (2, 2, 2, 2), RESNET50: (3, 4, 6, 3)}
_MEAN, _DEVIATION = 0.45, 0.225


@dataclass(frozen=True)
class DepthConfig:
    """layers: 18 or 50, the ResNet; encoder_widths: of its stem and of its four stages (before a bottleneck's
    fourfold widening); decoder_widths: from full resolution inwards; classes: of the ImageNet classifier, which is in
    the checkpoints but not used."""

    layers: int = RESNET18
    encoder_widths: tuple[int, ...] = (64, 64, 128, 256, 512)
    decoder_widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    classes: int = 1000

    @classmethod
    def from_published(cls, published: Mapping[str, Any], layers: int = RESNET18) -> DepthConfig:
        """The published networks; `patched_widths` and `depth_fc_classes`, if there, say what was made smaller."""
        patched, default = published.get("patched_widths", {}), cls()
        encoder = patched.get("depth_enc" if layers == RESNET18 else f"depth{layers}_enc", default.encoder_widths)
        return cls(
            layers,
            tuple(encoder),
            tuple(patched.get("depth_dec", default.decoder_widths)),
            published.get("depth_fc_classes", default.classes),
        )

    @property
    def feature_widths(self) -> tuple[int, ...]:
        """Channels of the encoder's five feature maps."""
        stem, *stages = self.encoder_widths
        return stem, *(width * _residual(self.layers).expansion for width in stages)


def _residual(layers: int) -> type[_Basic] | type[_ResnetBottleneck]:
    return _Basic if layers == RESNET18 else _ResnetBottleneck


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class _Basic(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + shortcut)


class _ResnetBottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut; the stride is the middle one's."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


class _Resnet(nn.Module):
    """ResNet (He et al., 2016), layers and names as everywhere."""

    def __init__(self, config: DepthConfig) -> None:
        super().__init__()
        block = _residual(config.layers)
        inputs, *stages = config.encoder_widths
        self.conv1 = nn.Conv2d(3, inputs, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        for number, (width, count) in enumerate(zip(stages, _BLOCKS[config.layers]), start=1):
            layers: list[nn.Module] = []
            for index in range(count):
                layers.append(block(inputs, width, stride=2 if index == 0 and number > 1 else 1))
                inputs = width * block.expansion
            self.add_module(f"layer{number}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, config.classes)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [F.relu(self.bn1(self.conv1(x)))]
        x = F.max_pool2d(features[0], 3, 2, 1)
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
            features.append(x)
        return features


class DepthEncoder(nn.Module):
    """Pictures [B, 3, H, W] in [0, 1] to five feature maps, of half to a 32nd of the size."""

    def __init__(self, config: DepthConfig) -> None:
        super().__init__()
        self.encoder = _Resnet(config)

    def forward(self, image: Tensor) -> list[Tensor]:
        return self.encoder((image - _MEAN) / _DEVIATION)


class _Conv3x3(nn.Module):
    """3x3 convolution whose border is the picture mirrored."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (1, 1, 1, 1), mode="reflect"))


class _EluBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = _Conv3x3(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(self.conv(x))


class DepthDecoder(nn.Module):
    """Feature maps to disparities in 0..1: U-Net with a sigmoid head at each of the four finest sizes."""

    def __init__(self, config: DepthConfig) -> None:
        super().__init__()
        encoder, decoder = config.feature_widths, config.decoder_widths
        blocks: list[nn.Module] = []
        inputs = encoder[-1]
        for level in reversed(range(5)):
            blocks.append(_EluBlock(inputs, decoder[level]))
            blocks.append(_EluBlock(decoder[level] + (encoder[level - 1] if level else 0), decoder[level]))
            inputs = decoder[level]
        heads = [_Conv3x3(width, 1) for width in decoder[:4]]
        self.decoder = nn.ModuleList([*blocks, *heads])

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Disparities [B, 1, H / 2^s, W / 2^s] for s = 0..3. What DaGAN calls depth is the first, as it is."""
        x, disparities = features[-1], []
        for level in reversed(range(5)):
            reduce, merge = self.decoder[2 * (4 - level)], self.decoder[2 * (4 - level) + 1]
            x = F.interpolate(reduce(x), scale_factor=2.0, mode="nearest")
            x = merge(torch.cat([x, features[level - 1]], dim=1) if level else x)
            if level < 4:
                disparities.append(torch.sigmoid(self.decoder[10 + level](x)))
        return disparities[::-1]
