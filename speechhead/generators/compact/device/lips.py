"""The lips as two sheets, as `compact.lips` lays them, of many frames at once."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from speechhead.generators.compact.lips import FINER, SHRUNK, SLIVER, sheet_topology

from .constants import constant
from .draw import FAT, affine, bells, cornered, distances, filtered, mapped, read, softly, triangles
from .frames import Batch

FLAT = 1e-3
"""Twice the area in pixels of a triangle that is not drawn."""

FAR = 1000.0
"""Pixels beyond the frame to which the lip line goes on."""


def laid(batch: Batch, frames: Tensor) -> None:
    """Lay the lips into frames [B, 3, S, S], in place."""
    boxes = batch.boxes("lips")
    x, y = boxes.places()
    outlines = [batch.number(f"lip_{name}") for name in ("between", "dark")]
    away = distances([*outlines, _over(batch.number("lip_line"), batch.size)], x, y)
    mixed, there = _sheets(batch, softly(away[:, 2], FINER), x, y)
    shown, soft, reach, fade = (batch.plane("lips", k) for k in range(4))
    weights = bells(soft[:, 0, 0], batch.most("lip_soft"))
    dark = shown * filtered(softly(away[:, 1], FINER)[:, None], weights, weights)[:, 0]
    line = batch.number("lip_tone")[:, :, None, None]
    mixed = mixed + dark[:, None] * (line - mixed).clamp_max(0)
    share = (0.5 + (reach + FAT - away[:, 0]) / fade).clamp(0, 1) * there
    region = boxes.of(frames)
    boxes.put(frames, region + (share * batch.plane("lips", 4))[:, None] * (mixed - region))


def _sheets(batch: Batch, above: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both sheets seen from either side of the lip line: colours [B, 3, h, w], and where they are, bool [B, h, w].

    above : [B, h, w], how much of each pixel is above the lip line
    """
    topology, driving = sheet_topology(), batch.number("lip_driving")
    skin, sheet = topology.skin, topology.sheet
    numbers, layers = constant("sheets", batch.device), constant("layers", batch.device)
    depth = driving[:, :, 2][:, numbers]
    order = (depth.sum(2) + layers).argsort(dim=1, descending=True, stable=True)  # skin, upper sheet, lower sheet
    corners, origin = (cornered(points, numbers[order]) for points in (driving, batch.source("lip_vertices")))
    (ax, ay), (bx, by) = ((corners[..., k, :] - corners[..., 0, :]).unbind(-1) for k in (1, 2))
    (sx, sy), (tx, ty) = ((origin[..., k, :] - origin[..., 0, :]).unbind(-1) for k in (1, 2))
    area, from_area = (ax * by - bx * ay).abs(), (sx * ty - sy * tx).abs()
    behind = constant("behind", batch.device)[order]
    maps = affine(corners, origin, (area > SLIVER) & ((from_area <= SHRUNK * area) | behind))
    corner = torch.cat([x[:, :, :1], y[:, :1]], 2)[:, None]
    # The three are drawn beside each other, filled up to as many triangles: one pass.
    most = max(skin, sheet)
    parts = [(0, skin), (skin, sheet), (skin + sheet, sheet)]
    beside = [F.pad(corners[:, at : at + n] - corner, (0, 0, 0, 0, 0, most - n)) for at, n in parts]
    drawn = [F.pad(area[:, at : at + n] > FLAT, (0, most - n)) for at, n in parts]
    shape = y.shape[1], x.shape[2]
    seen = triangles(torch.cat(beside), torch.cat(drawn), shape, batch.most("lip_triangles")).view(3, -1, *shape)
    index = torch.where(seen[1:] > 0, seen[1:] + constant("sheet_starts", batch.device), seen[0]).flatten(0, 1)
    wider = F.max_pool2d(index.float()[:, None], 3, 1, 1)[:, 0].long()  # between folded triangles
    index = torch.where(index == 0, wider, index).unflatten(0, (2, -1))
    limits = batch.plane("lips", 5), batch.plane("lips", 6)
    across, down = mapped(maps, torch.cat([*index], 1), *(torch.cat([at.expand(-1, *shape)] * 2, 1) for at in (x, y)))
    across, down = (torch.minimum(at.clamp_min(0), most_) for at, most_ in zip((across, down), limits))
    upper, lower = (
        read(batch.source(plate), across[:, rows], down[:, rows])
        for plate, rows in (("lip_upper", slice(0, shape[0])), ("lip_lower", slice(shape[0], None)))
    )
    there = index > 0
    shown = torch.where(above >= 0.5, there[0], there[1])
    above = torch.where(there[0] & there[1], above, there[0].float())[:, None]
    return lower + above * (upper - lower), shown


def _over(line: Tensor, size: int) -> Tensor:
    """Outline [B, n + 4, 2] of all that is above a lip line [B, n, 2], which goes on level beyond the mouth's ends."""
    first, last = line[:, :1], line[:, -1:]
    ends = [(first, -FAR), (last, size + FAR), (last, size + FAR), (first, -FAR)]
    left, right, up_right, up_left = (torch.stack([torch.full_like(p[..., 0], x), p[..., 1]], -1) for p, x in ends)
    for corner in (up_right, up_left):
        corner[..., 1] = -FAR
    return torch.cat([left, line, right, up_right, up_left], 1)
