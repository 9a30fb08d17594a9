"""The windows on the face that networks paint, as `compact.windows` has them, of many frames at once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from speechhead.generators.compact.meshwarp import WARP
from speechhead.generators.compact.shown import KNOWN
from speechhead.generators.compact.windows import WINDOWS, Window

from .constants import constant
from .draw import FAT, RAMP, distances, grid, read, softly
from .frames import Batch
from .networks import WindowPainter


def painted(batch: Batch, frames: Tensor, painters: Mapping[str, WindowPainter]) -> None:
    """Generate the windows and lay them over frames [B, 3, S, S] with their lips, in place."""
    soft = softened(frames)
    patches = {name: _patch(batch, name, soft, painter) for name, painter in painters.items()}
    for name, patch in patches.items():
        boxes = batch.boxes(name)
        x, y = boxes.places()
        to = batch.number(f"{name}_to")[..., None, None]
        u, v = (to[:, k, 0] * x + to[:, k, 1] * y + to[:, k, 2] for k in (0, 1))
        placed = read(patch, u, v, "zeros", "bicubic")
        left_over = 1 - placed[:, 3:].clamp(0, 1)
        boxes.put(frames, (boxes.of(frames) * left_over + 255 * placed[:, :3]).clamp(0, 255))


def softened(frames: Tensor) -> Tensor:
    """Frames at the sharpness that the window networks know, see `shown.softened`."""
    size = frames.shape[-1]
    return frames if size <= KNOWN else F.interpolate(frames, size=(KNOWN, KNOWN), mode="area")


def _patch(batch: Batch, name: str, soft: Tensor, painter: WindowPainter) -> Tensor:
    """What is painted [B, 4, h, w]: what to add, in parts of 255, and what to cover before."""
    window = WINDOWS[name]
    matrix = batch.number(f"{name}_matrix")[..., None, None]
    places = constant(f"middle.{window.height}x{window.width}", batch.device)
    half = soft.shape[-1] / 2
    x, y = (
        (matrix[:, k, 0] * places[..., 0] + matrix[:, k, 1] * places[..., 1] + matrix[:, k, 2] + 1) * half - 0.5
        for k in (0, 1)
    )
    shapes = _shapes(batch, name, window)
    given = [read(soft, x, y) / 255, shapes, batch.source(f"{name}_source"), batch.source(f"{name}_source_shapes")]
    features = (batch.source(f"{name}_{part}") for part in ("quarter", "eighth"))
    patch = painter(torch.cat(given, 1), batch.number(f"{name}_motion"), *features)
    reach = constant(f"edge.{name}", batch.device)
    if name == "mouth":
        reach = reach * near(shapes[:, 1:]) * apart(shapes[:, :1])
    return _toned(batch, name, patch) * reach


def _toned(batch: Batch, name: str, patch: Tensor) -> Tensor:
    """What is painted without hues that a grey picture does not have, see `CompactGenerator._paint`."""
    luma = (patch[:, :3] * constant("luma", batch.device)).sum(1, keepdim=True)
    if name == "mouth":
        luma = luma * batch.number("tone")[:, :, None, None]
        grey = batch.plane("grey")[:, None]
    else:
        grey = (batch.plane("grey")[:, None] > 0.5).float()
    return torch.cat([patch[:, :3] + grey * (luma - patch[:, :3]), patch[:, 3:]], 1)


def _shapes(batch: Batch, name: str, window: Window) -> Tensor:
    """The masks [B, 2, h, w] that show a network the driving shape, see `Window.shapes`."""
    first, second = batch.number(f"{name}_first"), batch.number(f"{name}_second")
    x, y = grid(window.height, window.width, first)
    if name == "mouth":
        return softly(distances([first, second], x, y))
    lids = softly(distances([first[:, 0], first[:, 1]], x, y)).amax(1)
    radius = WARP.iris_radius / window.half[0] * window.width / 2
    away = [torch.hypot(x - second[:, k, 0, None, None], y - second[:, k, 1, None, None]) for k in (0, 1)]
    irises = (0.5 + (radius + FAT - torch.minimum(*away)) / RAMP).clamp(0, 1)
    return torch.stack([lids, irises], 1)


def near(lips: Tensor) -> Tensor:
    """See `windows.near`: of masks [B, 1, h, w], grown by a cross of three and blurred."""
    grown = torch.maximum(F.max_pool2d(lips, (1, 3), 1, (0, 1)), F.max_pool2d(lips, (3, 1), 1, (1, 0)))
    return _blurred(grown, "4 8 4")


def apart(opening: Tensor) -> Tensor:
    """See `windows.apart`: of masks [B, 1, h, w], grown by a disc of five, blurred and turned round."""
    grown = torch.maximum(F.max_pool2d(opening, (3, 5), 1, (1, 2)), F.max_pool2d(opening, (5, 1), 1, (2, 0)))
    return 1 - _blurred(grown, "1 4 6 4 1")


def _blurred(mask: Tensor, weights: str) -> Tensor:
    row = constant(f"blur.{weights}", mask.device)
    side = len(row) // 2
    wide = F.pad(mask, (side,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(wide, row.view(1, 1, 1, -1)), row.view(1, 1, -1, 1))
