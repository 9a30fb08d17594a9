"""The compact face-vid2vid generator in torch: what is trained here, exported to ONNX and run by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechhead.generators.compact.device.networks import PainterResidual, WindowPainter, halved
from speechhead.generators.compact.windows import WINDOWS


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of the compact generator; stored in its checkpoint.

    window_width: base channels of the mouth and eye generators
    """

    window_width: int = 20


class Residual(PainterResidual):
    """As painted with; the last convolution starts at zero, so no normalisation layer is needed."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        begin_at_zero(self.body[3])


def begin_at_zero(layer: nn.Module) -> None:
    """Let a layer give nothing before it has learnt."""
    for values in layer.parameters():
        nn.init.zeros_(values)


class WindowEncoder(nn.Module):
    """Appearance of one window of the portrait, computed once: the person's lips, teeth, lids, colours.

    [N, 5, H, W] (picture and shapes) -> features at a quarter and at an eighth of the resolution.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        self.quarter = nn.Sequential(nn.Conv2d(5, w, 3, 1, 1), halved(w, 2 * w), halved(2 * w, 3 * w), Residual(3 * w))
        self.eighth = nn.Sequential(halved(3 * w, 4 * w), Residual(4 * w))

    def forward(self, image: Tensor, shapes: Tensor) -> tuple[Tensor, Tensor]:
        quarter = self.quarter(torch.cat([image, shapes], 1))
        return quarter, self.eighth(quarter)


def painter(width: int, motion: int, mouth: bool) -> WindowPainter:
    """The network of one window that draws nothing before it has learnt."""
    made = WindowPainter(width, motion, mouth)
    for module in made.modules():
        if isinstance(module, PainterResidual):
            begin_at_zero(module.body[3])
    begin_at_zero(made.last)
    return made


def as_seen(given: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What a painter reads, of the warped frame, its shapes, motion, the portrait, its shapes and its two features."""
    warped, shapes, motion, source, source_shapes, quarter, eighth = given
    return torch.cat([warped, shapes, source, source_shapes], 1), motion, quarter, eighth


def patch_of(network: WindowPainter, given: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """What to add and what to cover before, see `WindowPainter.drawn`, of what `as_seen` takes."""
    return network.drawn(*network.outlined(*as_seen(given)), given[1])


class CompactNetworks(nn.Module):
    """All networks of the compact generator."""

    def __init__(self, config: CompactConfig = CompactConfig()) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleDict({name: WindowEncoder(config.window_width) for name in WINDOWS})
        self.windows = nn.ModuleDict(
            {
                name: painter(config.window_width, window.motion_size, name == "mouth")
                for name, window in WINDOWS.items()
            }
        )


class Discriminator(nn.Module):
    """Patch discriminator of one window; returns its score map and its features.

    It is shown the shapes and the same window of the portrait: what is sharp for one camera is soft for another, so a
    blurred mouth betrays itself only beside its own source.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        w = width
        self.layers = nn.ModuleList(
            [nn.Conv2d(8, w, 4, 2, 1), nn.Conv2d(w, 2 * w, 4, 2, 1), nn.Conv2d(2 * w, 4 * w, 4, 2, 1)]
        )
        self.norms = nn.ModuleList([nn.Identity(), *(nn.InstanceNorm2d(c, affine=True) for c in (2 * w, 4 * w))])
        self.score = nn.Conv2d(4 * w, 1, 3, 1, 1)
        for layer in self.layers:  # full-size features from the first step on: they judge and are matched
            nn.init.kaiming_normal_(layer.get_parameter("weight"), 0.2)

    def forward(self, image: Tensor, shapes: Tensor, source: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, features = torch.cat([image * 2 - 1, shapes, source * 2 - 1], 1), []
        for layer, norm in zip(self.layers, self.norms):
            x = F.leaky_relu(norm(layer(x)), 0.2)
            features.append(x)
        return self.score(x), features
