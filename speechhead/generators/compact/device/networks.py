"""The window networks as torch modules, of the weights that onnxruntime runs.

The training builds on them: `pipelines.train.compact.networks`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechhead.core import weights
from speechhead.generators.compact.windows import WINDOWS, painter_file

from .stored import stored

DARK = (0.22, 0.10, 0.10)
"""Colour from which the inside of a mouth begins."""


class PainterResidual(nn.Module):
    """x + conv(conv(x))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class PainterUp(nn.Module):
    """Double the resolution and add the skip connection."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, 1, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.conv(F.leaky_relu(x, 0.2))
        return F.interpolate(x, scale_factor=2.0, mode="nearest") + skip


def halved(inside: int, outside: int) -> nn.Module:
    """Half the resolution."""
    return nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(inside, outside, 4, 2, 1))


class WindowPainter(nn.Module):
    """Pixels of one window: mouth interior and lips, or lids and eyes; of its base channels and of the length of what
    moves (`Window.motion`).

    A U-net over the warped portrait, the driving shapes, and the portrait's own window as it is: windows hang on the
    skull, so that teeth seen in the portrait lie where they are wanted. It takes in the portrait's features at its
    lower levels and the driving landmarks by FiLM. It changes the warped portrait by adding to it, so that skin and
    lips keep the photo's detail at any resolution; inside the mouth, where the warp knows nothing but stretched lips,
    it covers the portrait and begins from darkness.
    """

    dark: Tensor

    def __init__(self, width: int, motion: int, mouth: bool) -> None:
        super().__init__()
        self.mouth = mouth
        w = width
        self.first = nn.Conv2d(10, w, 3, 1, 1)
        self.down1, self.down2, self.down3 = halved(w, 2 * w), halved(2 * w, 3 * w), halved(3 * w, 4 * w)
        self.join2, self.join3 = nn.Conv2d(6 * w, 3 * w, 1), nn.Conv2d(8 * w, 4 * w, 1)
        self.film = nn.Sequential(nn.Linear(motion, 96), nn.LeakyReLU(0.2), nn.Linear(96, 8 * w))
        self.level2 = PainterResidual(3 * w)
        self.middle = nn.Sequential(PainterResidual(4 * w), PainterResidual(4 * w))
        self.up2, self.up1, self.up0 = PainterUp(4 * w, 3 * w), PainterUp(3 * w, 2 * w), PainterUp(2 * w, w)
        self.after2, self.after1, self.after0 = PainterResidual(3 * w), PainterResidual(2 * w), PainterResidual(w)
        self.last = nn.Conv2d(w, 4, 3, 1, 1)
        self.register_buffer("dark", torch.tensor(DARK)[:, None, None], persistent=False)

    def forward(self, seen: Tensor, motion: Tensor, quarter: Tensor, eighth: Tensor) -> Tensor:
        """What to add and what to cover before, [B, 4, h, w] in parts of 255.

        Parameters
        ----------
        seen : [B, 10, h, w], the warped frame, its shapes, the portrait and its shapes
        motion : [B, m]; quarter, eighth : the portrait's features
        """
        return torch.cat(self.drawn(*self.outlined(seen, motion, quarter, eighth), seen[:, 3:5]), 1)

    def outlined(self, seen: Tensor, motion: Tensor, quarter: Tensor, eighth: Tensor) -> tuple[Tensor, Tensor]:
        """Features at half the resolution, all but the last of what is to be drawn, and those at the full one."""
        x0 = self.first(seen)
        x1 = self.down1(x0)
        x2 = self.level2(self.join2(torch.cat([self.down2(x1), quarter], 1)))
        x3 = self.join3(torch.cat([self.down3(x2), eighth], 1))
        gain, shift = self.film(motion)[..., None, None].chunk(2, 1)
        x3 = self.middle(x3 * (1 + gain) + shift)
        y = self.after2(self.up2(x3, x2))
        return self.after1(self.up1(y, x1)), x0

    def drawn(self, half: Tensor, full: Tensor, shapes: Tensor) -> tuple[Tensor, Tensor]:
        """What to add [B, 3, h, w] and what to cover before [B, 1, h, w] in 0..1, (1 - cover) * warped + change, of
        features from `outlined`; parts of a window can be drawn alone."""
        y = self.after0(self.up0(half, full))
        y = self.last(F.leaky_relu(y, 0.2))
        delta, gate = torch.tanh(y[:, :3]), torch.sigmoid(y[:, 3:])
        if not self.mouth:
            return gate * delta, torch.zeros_like(gate)
        opening = shapes[:, :1]
        return opening * (self.dark + delta) + (1 - opening) * gate * delta, opening


def window_painters(device: torch.device) -> dict[str, WindowPainter]:
    """The shipped window networks on a device, by window."""
    found = {}
    for name, window in WINDOWS.items():
        arrays = stored(weights.path(painter_file(name)), f"model.windows.{name}.")
        own = {key: torch.from_numpy(array) for key, array in arrays.items()}
        painter = WindowPainter(len(own["first.bias"]), window.motion_size, name == "mouth")
        painter.load_state_dict(own)
        found[name] = painter.to(device).eval().requires_grad_(False)
    return found
