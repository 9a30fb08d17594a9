"""Eyeballs that look aside and lids that close, as `compact.eyes` draws them, of many eyes at once."""

from __future__ import annotations

import torch
from torch import Tensor

from speechhead.generators.compact import eyeball, eyes

from .draw import grid, read, smooth
from .frames import Batch


def lay(batch: Batch, frames: Tensor, layer: Tensor) -> None:
    """Lay premultiplied colours and cover [E, 4, h, w] of each row's eye over its frame of [B, 3, S, S], in place."""
    boxes = batch.boxes("eye")
    x, y = boxes.places()
    to = batch.number("to")[..., None, None]
    u, v = (to[:, k, 0] * x + to[:, k, 1] * y + to[:, k, 2] for k in (0, 1))
    laid = read(layer, u, v, "zeros") * batch.plane("share")[:, None]
    region = boxes.of(frames)
    boxes.put(frames, (region * (1 - laid[:, 3:]) + laid[:, :3]).clamp(0, 255))


def balls(batch: Batch) -> Tensor:
    """Eyes as they look, [E, 4, h, w], see `Eyeball.layer`."""
    white, disc, glint = (batch.source(name) for name in ("white", "disc", "glint"))
    x, y = grid(white.shape[-2], white.shape[-1], white)
    upper, lower = (batch.number(name)[:, None, : white.shape[-1]] for name in ("upper", "lower"))
    middle, unit, edge = (batch.plane("ball", k) for k in range(3))
    turn, move = batch.number("turn")[..., None, None], batch.number("glint_moved")
    across, down = (turn[:, k, 0] * x + turn[:, k, 1] * y + turn[:, k, 2] for k in (0, 1))
    iris = read(disc, across, down, "zeros", "bicubic").clamp_min(0)
    cover = iris[:, 3:].clamp_max(1)
    across, down = (place - move[:, k, None, None] for k, place in enumerate(torch.broadcast_tensors(x, y)))
    shine = read(glint, across, down, "zeros", "bicubic")
    picture = white * (1 - cover) + iris[:, :3] + cover * shine
    reach = eyeball.SHADE_REACH * unit
    deep = torch.exp((middle - y) / reach) * torch.exp((upper - middle) / reach)
    shade = 1 - eyeball.SHADE * deep.clamp_max(1)
    inside = torch.minimum(y - upper - eyeball.LASHES * unit, lower - y - eyeball.RIM * unit)
    shown = (inside / edge + 0.5).clamp(0, 1) * batch.source("there")
    return torch.cat([(picture * (shade * shown)[:, None]).clamp(0, 255), shown[:, None]], 1)


def lids(batch: Batch) -> Tensor:
    """Lids that are closed by so much, [E, 4, h, w], see `eyes.layer`."""
    plate, laid, dome = (batch.source(name) for name in ("plate", "laid", "dome"))
    x, y = grid(laid.shape[-2], laid.shape[-1], laid)
    upper, lower, line = (batch.number(name)[:, None, : laid.shape[-1]] for name in ("upper", "lower", "line"))
    part, late, soft, breadth, unit = (batch.plane("lid", k) for k in range(5))
    dark = batch.number("dark")[:, :, None, None]
    edge = soft.clamp_min(0.5)
    ball = (torch.minimum(y - upper, lower - y) / (2 * edge) + 0.5).clamp(0, 1)
    ball = ball * (1 - smooth(part, eyes.SHUT, 1.0))
    rim = ((y - lower) / edge).clamp(0, 1) * (1 - late)
    wide, blur = breadth * unit, 0.5 * edge

    def bell(spread: float) -> Tensor:
        return torch.exp((y - upper).square() * (-0.5 / ((spread * wide).square() + blur * blur)))

    shut = torch.where(y < upper, bell(eyes.LINE), 0.75 * bell(eyes.FALL) + 0.25 * bell(eyes.TAIL))
    shown = (1 - late) * eyes.OPEN_SHARE * bell(eyes.OPEN_LINE) + late * shut
    taken = torch.maximum(line * shown, _hairs(batch, x, upper - y, part))
    cover = (torch.maximum(laid * (1 - ball) * (1 - rim), taken) * batch.source("there"))[:, None]
    skin = plate * (1 + part * dome)[:, None]
    colour = skin + taken[:, None] * (torch.minimum(eyes.OVERLAID * dark, eyes.DARKEST * skin) - skin)
    return torch.cat([colour * cover, cover], 1)


def _hairs(batch: Batch, x: Tensor, over: Tensor, part: Tensor) -> Tensor:
    """How much of the places so far over the edge [E, h, w] is lash, see `eyes.layer`."""
    above = batch.source("above")[:, None]
    columns = x.expand_as(over)
    up, down = (read(above, columns, rows, "zeros")[:, 0] for rows in (over, -eyes.HANGING[1] * over))
    return torch.maximum(up * (1 - part**3), eyes.HANGING[0] * part.square() * down)
