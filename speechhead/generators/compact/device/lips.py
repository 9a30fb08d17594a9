"""The lips as two sheets, as `compact.lips` lays them, of many frames at once."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from speechhead.generators.compact.lips import FINER, SHRUNK, SLIVER, sheet_topology

from .constants import constant
from .draw import FAT, affine, bells, cornered, covered, distance, filtered, mapped, read, triangles
from .frames import Batch

FLAT = 1e-3
"""Twice the area in pixels of a triangle that is not drawn."""

LAYER = 1e5
"""Pixels of depth that part what is drawn before from what is drawn after."""

FAR = 1000.0
"""Pixels beyond the frame to which the lip line goes on."""


def laid(batch: Batch, frames: Tensor) -> None:
    """Lay the lips into frames [B, 3, S, S], in place."""
    boxes = batch.boxes("lips")
    x, y = boxes.places()
    mixed, there = _sheets(batch, x, y)
    shown, soft, reach, fade = (batch.plane("lips", k) for k in range(4))
    weights = bells(soft[:, 0, 0], batch.most("lip_soft"))
    dark = shown * filtered(covered(batch.number("lip_dark"), x, y, FINER)[:, None], weights, weights)[:, 0]
    line = batch.number("lip_tone")[:, :, None, None]
    mixed = mixed + dark[:, None] * (line - mixed).clamp_max(0)
    share = (0.5 + (reach + FAT - distance(batch.number("lip_between"), x, y)) / fade).clamp(0, 1) * there
    region = boxes.of(frames)
    boxes.put(frames, region + (share * batch.plane("lips", 4))[:, None] * (mixed - region))


def _sheets(batch: Batch, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both sheets seen from either side of the lip line: colours [B, 3, h, w], and where they are, bool [B, h, w]."""
    topology, driving = sheet_topology(), batch.number("lip_driving")
    numbers = constant("sheets", batch.device)
    skin, sheet, edges = topology.skin, topology.sheet, topology.edges
    depth = driving[:, :, 2][:, numbers].sum(2)
    corner = torch.cat([x[:, :, :1], y[:, :1]], 2)[:, None]
    shape = y.shape[1], x.shape[2]
    seen, maps, start = [], [], 0
    for count, behind in ((skin, 0), (sheet, edges), (sheet, edges)):
        before = (torch.arange(count, device=depth.device) < behind) * LAYER
        order = (depth[:, start : start + count] + before).argsort(dim=1, descending=True, stable=True) + start
        corners, origin = (cornered(points, numbers[order]) for points in (driving, batch.source("lip_vertices")))
        (ax, ay), (bx, by) = ((corners[..., k, :] - corners[..., 0, :]).unbind(-1) for k in (1, 2))
        (sx, sy), (tx, ty) = ((origin[..., k, :] - origin[..., 0, :]).unbind(-1) for k in (1, 2))
        area, from_area = (ax * by - bx * ay).abs(), (sx * ty - sy * tx).abs()
        wide = (area > SLIVER) & (from_area <= SHRUNK * area)
        maps.append(affine(corners, origin, wide))
        seen.append(triangles(corners - corner, area > FLAT, shape, batch.most("lip_triangles")))
        start += count
    below = [torch.where(own > 0, own + first, seen[0]) for own, first in ((seen[1], skin), (seen[2], skin + sheet))]
    pictures, there = [], []
    for index, plate in zip(below, ("lip_upper", "lip_lower")):
        wider = F.max_pool2d(index.float()[:, None], 3, 1, 1)[:, 0].long()  # between folded triangles
        index = torch.where(index == 0, wider, index)
        across, down = mapped(torch.cat(maps, 1), index, x, y)
        wide_, tall = batch.plane("lips", 5), batch.plane("lips", 6)
        across, down = torch.minimum(across.clamp_min(0), wide_), torch.minimum(down.clamp_min(0), tall)
        pictures.append(read(batch.source(plate), across, down))
        there.append(index > 0)
    above = covered(_over(batch.number("lip_line"), batch.size), x, y, FINER)
    shown = torch.where(above >= 0.5, there[0], there[1])
    above = torch.where(there[0] & there[1], above, there[0].float())[:, None]
    return pictures[1] + above * (pictures[0] - pictures[1]), shown


def _over(line: Tensor, size: int) -> Tensor:
    """Outline [B, n + 4, 2] of all that is above a lip line [B, n, 2], which goes on level beyond the mouth's ends."""
    first, last = line[:, :1], line[:, -1:]
    ends = [(first, -FAR), (last, size + FAR), (last, size + FAR), (first, -FAR)]
    left, right, up_right, up_left = (torch.stack([torch.full_like(p[..., 0], x), p[..., 1]], -1) for p, x in ends)
    for corner in (up_right, up_left):
        corner[..., 1] = -FAR
    return torch.cat([left, line, right, up_right, up_left], 1)
