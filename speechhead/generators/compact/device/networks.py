"""The window networks as torch modules, of the weights that onnxruntime runs.

The training's own modules are `pipelines.train.compact.networks`; a test compares the two pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechhead.core import weights
from speechhead.generators.compact.windows import WINDOWS

from .stored import stored

FILE = "compact_windows.onnx"

DARK = (0.22, 0.10, 0.10)
"""Colour from which the inside of a mouth begins."""


class _PainterResidual(nn.Module):
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


class _Up(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, 1, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.conv(F.leaky_relu(x, 0.2))
        return F.interpolate(x, scale_factor=2.0, mode="nearest") + skip


def _down(inside: int, outside: int) -> nn.Module:
    return nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(inside, outside, 4, 2, 1))


class WindowPainter(nn.Module):
    """Pixels of one window, of its base channels and of the length of what moves (`Window.motion`)."""

    dark: Tensor

    def __init__(self, width: int, motion: int, mouth: bool) -> None:
        super().__init__()
        self.mouth = mouth
        w = width
        self.first = nn.Conv2d(10, w, 3, 1, 1)
        self.down1, self.down2, self.down3 = _down(w, 2 * w), _down(2 * w, 3 * w), _down(3 * w, 4 * w)
        self.join2, self.join3 = nn.Conv2d(6 * w, 3 * w, 1), nn.Conv2d(8 * w, 4 * w, 1)
        self.film = nn.Sequential(nn.Linear(motion, 96), nn.LeakyReLU(0.2), nn.Linear(96, 8 * w))
        self.level2 = _PainterResidual(3 * w)
        self.middle = nn.Sequential(_PainterResidual(4 * w), _PainterResidual(4 * w))
        self.up2, self.up1, self.up0 = _Up(4 * w, 3 * w), _Up(3 * w, 2 * w), _Up(2 * w, w)
        self.after2, self.after1, self.after0 = _PainterResidual(3 * w), _PainterResidual(2 * w), _PainterResidual(w)
        self.last = nn.Conv2d(w, 4, 3, 1, 1)
        self.register_buffer("dark", torch.tensor(DARK)[:, None, None], persistent=False)

    def forward(self, seen: Tensor, motion: Tensor, quarter: Tensor, eighth: Tensor) -> Tensor:
        """What to add and what to cover before, [B, 4, h, w] in parts of 255.

        Parameters
        ----------
        seen : [B, 10, h, w], the warped frame, its shapes, the portrait and its shapes
        motion : [B, m]; quarter, eighth : the portrait's features
        """
        x0 = self.first(seen)
        x1 = self.down1(x0)
        x2 = self.level2(self.join2(torch.cat([self.down2(x1), quarter], 1)))
        x3 = self.join3(torch.cat([self.down3(x2), eighth], 1))
        gain, shift = self.film(motion)[..., None, None].chunk(2, 1)
        x3 = self.middle(x3 * (1 + gain) + shift)
        y = self.after1(self.up1(self.after2(self.up2(x3, x2)), x1))
        y = self.last(F.leaky_relu(self.after0(self.up0(y, x0)), 0.2))
        delta, gate = torch.tanh(y[:, :3]), torch.sigmoid(y[:, 3:])
        if not self.mouth:
            return torch.cat([gate * delta, torch.zeros_like(gate)], 1)
        opening = seen[:, 3:4]
        return torch.cat([opening * (self.dark + delta) + (1 - opening) * gate * delta, opening], 1)


def window_painters(device: torch.device) -> dict[str, WindowPainter]:
    """The shipped window networks on a device, by window."""
    arrays = stored(weights.path(FILE))
    found = {}
    for name, window in WINDOWS.items():
        own = {key.removeprefix(f"windows.{name}."): torch.from_numpy(a) for key, a in arrays.items()
               if key.startswith(f"windows.{name}.")}  # fmt: skip
        painter = WindowPainter(len(own["first.bias"]), window.motion_size, name == "mouth")
        painter.load_state_dict(own)
        found[name] = painter.to(device).eval().requires_grad_(False)
    return found
