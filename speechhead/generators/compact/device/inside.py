"""Teeth, tongue and the dark between open lips, as `compact.teeth` draws them, of many frames at once."""

from __future__ import annotations

import torch
from torch import Tensor

from speechhead.generators.compact.cavity import CAVITY
from speechhead.generators.compact.mouth_light import TONES
from speechhead.generators.compact.teeth import ARCHES

from .constants import constant
from .draw import bells, covered, filtered, read, smooth
from .frames import Batch

ROWS = "lower", "upper"


def shown(batch: Batch, frames: Tensor) -> None:
    """Lay the insides of mouths into frames [B, 3, S, S], in place."""
    boxes = batch.boxes("inside")
    x, y = boxes.places()
    mask = covered(batch.number("in_outline"), x, y)[:, None]
    weights = bells(batch.number("in_soft")[:, 0], batch.most("in_soft"))
    near, below = _depth(batch, mask)
    deep = filtered(_colours(batch, (near, below), x, y), weights, weights)
    least, narrow = CAVITY.slit_share
    part = least + (1 - least) * ((1 - batch.plane("in_wide")) / narrow).clamp_max(1)
    seen = batch.plane("in_shown") * (1 - part * (1 - smooth(near, *CAVITY.slit)))
    share = seen[:, None] * filtered(mask, weights, weights)
    region = boxes.of(frames)
    boxes.put(frames, (region + share * (deep - region)).clamp(0, 255))


def _colours(batch: Batch, depth: tuple[Tensor, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Colours [B, 3, h, w] of what is behind the lips, 0..255; depth: of `_depth`."""
    light = _lit(batch, depth, _unprojected(batch, "middle", 0.0, x, y)[0])
    skin = batch.number("in_skin")[:, :, None, None]
    out = _behind(batch, light, _unprojected(batch, "lower", 0.0, x, y), skin)
    white = batch.number("in_white")[:, :, None, None] * (TONES.front / 235)
    most, luma = batch.number("in_most")[:, :, None, None], constant("luma", batch.device)
    knee = TONES.knee * most
    for number, (name, bright) in enumerate(zip(ROWS, (CAVITY.lower * light, light))):
        row = _row(batch, name, x, y)
        bright = (bright * batch.plane("in_even", number))[:, None]
        dim = bright.clamp(1e-3, 1) ** constant("cavity.red", batch.device)  # shade in a mouth is red
        tooth = bright * dim * white
        over = (tooth - knee).clamp_min(0)
        shown = (tooth - over * over / (over + most - knee)) / TONES.front
        out = out * (1 - row[:, 3:]) + row[:, :3] * shown
    at = (out * luma).sum(1)
    tones = batch.source("tones").gather(1, at.clamp(0, 255).long().flatten(1)[..., None].expand(-1, -1, 3))
    toned = at[:, None] * tones.transpose(1, 2).view_as(out)
    return out + batch.plane("in_grey")[:, None] * (toned - out)


def _depth(batch: Batch, mask: Tensor) -> tuple[Tensor, Tensor]:
    """How far from the lips, and from the upper one alone, places [B, h, w] are, see `Opening.depth`."""
    width, reach = batch.number("in_shade")[:, 0], batch.most("in_shade")
    steps = torch.arange(-2 * reach, 2 * reach + 1, device=mask.device, dtype=torch.float32)
    half = ((width - 1) / 2)[:, None]

    def box(move: Tensor | float) -> Tensor:
        return ((steps + move).abs() <= half + 0.25).float() / width[:, None]

    near = filtered(mask, box(0.0), box(0.0))[:, 0]
    below = filtered(mask, box(0.0), 0.5 * (box(half) + box(half + 1)))[:, 0]  # half the width further up
    return near, below


def _lit(batch: Batch, depth: tuple[Tensor, Tensor], across: Tensor) -> Tensor:
    """Light [B, h, w] on the upper row, in parts of full light, see `cavity.lit`."""
    near, below = depth
    light = 1 - CAVITY.near * (1 - smooth(near, 0.15, 0.75))
    light = light * (1 - CAVITY.under * (1 - smooth(below, 0.1, 0.8)))
    return light * CAVITY.full * torch.exp(-(across / CAVITY.sides).square()) * batch.plane("in_wide")


def _behind(batch: Batch, light: Tensor, place: tuple[Tensor, Tensor], skin: Tensor) -> Tensor:
    """Colours [B, 3, h, w] behind the teeth, see `cavity.behind`."""
    across, down = place
    far = torch.hypot(across / CAVITY.tongue_half[0], (down + CAVITY.tongue_above) / CAVITY.tongue_half[1])
    share = ((1 - smooth(far, 0.3, 1.0)) * light.clamp_max(1) * batch.plane("in_tongue"))[:, None]
    deep, tongue = (constant(f"cavity.{name}", batch.device) for name in ("deep", "tongue"))
    return (deep + share * (tongue - deep)) * skin


def _row(batch: Batch, name: str, x: Tensor, y: Tensor) -> Tensor:
    """A row, [B, 4, h, w] premultiplied, evenly lit."""
    curve, edge_x, edge_y, unit = (batch.plane(f"in_{name}_row", k) for k in range(4))
    across, down = _unprojected(batch, name, curve, x, y)
    return read(batch.source(name), across * unit + edge_x, down * unit + edge_y, "zeros")


def _unprojected(batch: Batch, name: str, curve: Tensor | float, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where on an arch pixels look, see `teeth.unprojected`."""
    turn, back = batch.number("in_matrix"), batch.number("in_inverse")[..., None, None]
    middle = batch.number(f"in_{name}")
    dx, dy = x - middle[:, 0, None, None], y - middle[:, 1, None, None]
    across, down = _two(back, dx, dy)
    if isinstance(curve, float):
        return across, down
    reach = ARCHES.steep / (2 * curve)
    lean = turn[:, :2, 2, None, None]
    for _ in range(2):
        inner = torch.maximum(torch.minimum(across, reach), -reach)
        depth = curve * inner * inner + ARCHES.steep * (across - inner).abs()
        across, down = _two(back, dx - lean[:, 0] * depth, dy - lean[:, 1] * depth)
    return across, down


def _two(matrix: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return matrix[:, 0, 0] * x + matrix[:, 0, 1] * y, matrix[:, 1, 0] * x + matrix[:, 1, 1] * y
