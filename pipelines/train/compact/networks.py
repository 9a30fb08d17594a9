"""The compact face-vid2vid generator in torch: what is trained here, exported to ONNX and run by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechhead.generators.compact.windows import WINDOWS


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of the compact generator; stored in its checkpoint.

    window_width: base channels of the mouth and eye generators
    """

    window_width: int = 20


def _activation() -> nn.Module:
    return nn.LeakyReLU(0.2)


class Residual(nn.Module):
    """x + conv(conv(x)); the last convolution starts at zero, so no normalisation layer is needed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _activation(), nn.Conv2d(channels, channels, 3, 1, 1), _activation(), nn.Conv2d(channels, channels, 3, 1, 1)
        )
        for values in self.body[3].parameters():
            nn.init.zeros_(values)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def down(inside: int, outside: int) -> nn.Module:
    """Half the resolution."""
    return nn.Sequential(_activation(), nn.Conv2d(inside, outside, 4, 2, 1))


class Up(nn.Module):
    """Double the resolution and add the skip connection."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, 1, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.conv(F.leaky_relu(x, 0.2))
        return F.interpolate(x, scale_factor=2.0, mode="nearest") + skip


class WindowEncoder(nn.Module):
    """Appearance of one window of the portrait, computed once: the person's lips, teeth, lids, colours.

    [N, 5, H, W] (picture and shapes) -> features at a quarter and at an eighth of the resolution.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        self.quarter = nn.Sequential(nn.Conv2d(5, w, 3, 1, 1), down(w, 2 * w), down(2 * w, 3 * w), Residual(3 * w))
        self.eighth = nn.Sequential(down(3 * w, 4 * w), Residual(4 * w))

    def forward(self, image: Tensor, shapes: Tensor) -> tuple[Tensor, Tensor]:
        quarter = self.quarter(torch.cat([image, shapes], 1))
        return quarter, self.eighth(quarter)


class WindowGenerator(nn.Module):
    """Pixels of one window: mouth interior and lips, or lids and eyes.

    A U-net over the warped portrait, the driving shapes, and the portrait's own window as it is: windows hang on the
    skull, so that teeth seen in the portrait lie where they are wanted. It takes in the portrait's features at its
    lower levels and the driving landmarks by FiLM. It changes the warped portrait by adding to it, so that skin and
    lips keep the photo's detail at any resolution; inside the mouth, where the warp knows nothing but stretched lips,
    it covers the portrait and begins from darkness.
    """

    DARK = (0.22, 0.10, 0.10)

    def __init__(self, width: int, motion: int, mouth: bool) -> None:
        super().__init__()
        self.mouth = mouth
        w = width
        self.first = nn.Conv2d(10, w, 3, 1, 1)
        self.down1, self.down2, self.down3 = down(w, 2 * w), down(2 * w, 3 * w), down(3 * w, 4 * w)
        self.join2, self.join3 = nn.Conv2d(6 * w, 3 * w, 1), nn.Conv2d(8 * w, 4 * w, 1)
        self.film = nn.Sequential(nn.Linear(motion, 96), nn.LeakyReLU(0.2), nn.Linear(96, 8 * w))
        self.level2 = Residual(3 * w)
        self.middle = nn.Sequential(Residual(4 * w), Residual(4 * w))
        self.up2, self.up1, self.up0 = Up(4 * w, 3 * w), Up(3 * w, 2 * w), Up(2 * w, w)
        self.after2, self.after1, self.after0 = Residual(3 * w), Residual(2 * w), Residual(w)
        self.last = nn.Conv2d(w, 4, 3, 1, 1)
        for values in self.last.parameters():
            nn.init.zeros_(values)

    def forward(
        self,
        warped: Tensor,
        shapes: Tensor,
        motion: Tensor,
        source: Tensor,
        source_shapes: Tensor,
        quarter: Tensor,
        eighth: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """What to add, [N, 3, H, W], and what to cover before, [N, 1, H, W] in 0..1: (1 - cover) * warped + change."""
        return self.drawn(*self.outlined(warped, shapes, motion, source, source_shapes, quarter, eighth), shapes)

    def outlined(
        self,
        warped: Tensor,
        shapes: Tensor,
        motion: Tensor,
        source: Tensor,
        source_shapes: Tensor,
        quarter: Tensor,
        eighth: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Features at half the resolution, all but the last of what is to be drawn, and those at the full one."""
        x0 = self.first(torch.cat([warped, shapes, source, source_shapes], 1))
        x1 = self.down1(x0)
        x2 = self.level2(self.join2(torch.cat([self.down2(x1), quarter], 1)))
        x3 = self.join3(torch.cat([self.down3(x2), eighth], 1))
        gain, shift = self.film(motion)[..., None, None].chunk(2, 1)
        x3 = self.middle(x3 * (1 + gain) + shift)
        y = self.after2(self.up2(x3, x2))
        return self.after1(self.up1(y, x1)), x0

    def drawn(self, half: Tensor, full: Tensor, shapes: Tensor) -> tuple[Tensor, Tensor]:
        """The pixels, as `forward` gives them, of features from `outlined`; parts of a window can be drawn alone."""
        y = self.after0(self.up0(half, full))
        y = self.last(F.leaky_relu(y, 0.2))
        delta, gate = torch.tanh(y[:, :3]), torch.sigmoid(y[:, 3:])
        if not self.mouth:
            return gate * delta, torch.zeros_like(gate)
        opening = shapes[:, :1]
        dark = torch.tensor(self.DARK)[None, :, None, None].to(y)
        return opening * (dark + delta) + (1 - opening) * gate * delta, opening


class CompactNetworks(nn.Module):
    """All networks of the compact generator."""

    def __init__(self, config: CompactConfig = CompactConfig()) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleDict({name: WindowEncoder(config.window_width) for name in WINDOWS})
        self.windows = nn.ModuleDict(
            {
                name: WindowGenerator(config.window_width, window.motion_size, name == "mouth")
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
