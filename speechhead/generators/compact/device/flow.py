"""Where each pixel of a frame is read in its portrait, and the person read there, before the background."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from speechhead.generators.compact.meshwarp import NEIGHBOURS, topology
from speechhead.generators.compact.relief import RELIEF
from speechhead.generators.compact.room_light import ROOM
from speechhead.generators.compact.shown import PRIOR_RESOLUTION

from .constants import constant
from .draw import affine, cornered, distance, enlarged, grid, mapped, read, softly, triangles
from .frames import Batch

FLAT, OPEN = 1e-7, 2e-5
"""Areas of triangles in units of the crop from which those of the face, and of its openings, are drawn."""

BAND = 1.5
"""Places on each side of a face's outline that are drawn finely."""


class FieldTensors(NamedTuple):
    """What persons are read through, see `far_edge`: backward flows [B, 2, N, N] in [-1, 1] units of the face and of
    what is around it, and how far places are outside the face's outline, [B, 1, N, N], in places."""

    face: Tensor
    around: Tensor
    away: Tensor

    @property
    def flow(self) -> Tensor:
        """The two as one flow."""
        return self.around + softly(self.away) * (self.face - self.around)


def fields(batch: Batch) -> FieldTensors:
    """What the persons of a batch are read through: faces by their meshes, before all that is around them."""
    side = PRIOR_RESOLUTION
    face, known = _face(batch, side)
    x, y = grid(side, side, face)
    away = distance(batch.number("hull"), x, y)[:, None]
    taper = constant(f"taper.{side}", batch.device)
    around = enlarged(_around(batch), side)
    return FieldTensors(_grown(face, known, around) * taper, around * taper, away)


def _face(batch: Batch, side: int) -> tuple[Tensor, Tensor]:
    """Flow [B, 2, N, N] of the mesh, and where it is, bool [B, 1, N, N]."""
    _, rings, holes = topology()
    ring, numbers = rings - rings // 2, constant("face", batch.device)  # of the rings the one next to the face
    vertices, first = batch.number("vertices"), ring + holes
    depth = vertices[:, :, 2][:, numbers[first:]].sum(2)
    order = depth.argsort(dim=1, descending=True, stable=True) + first
    order = torch.cat([torch.arange(first, device=order.device).expand(len(order), -1), order], 1)
    corners, origin = cornered(vertices, numbers[order]), cornered(batch.source("vertices"), numbers[order])
    (ax, ay), (bx, by) = ((corners[..., k, :] - corners[..., 0, :]).unbind(-1) for k in (1, 2))
    area = ax * by - bx * ay
    drawn = area.abs() > FLAT
    drawn[:, ring:first] = area[:, ring:first] > OPEN  # all turn clockwise; where lips or lids have met, nothing shows
    cells = (corners + 1) * (side / 2) - 0.5
    around = triangles(cells[:, :ring], drawn[:, :ring], (side, side), batch.most("ring"))
    number = triangles(cells[:, ring:], drawn[:, ring:], (side, side), batch.most("face"))
    known = (number > 0)[:, None]
    number = torch.where(number > 0, number + ring, around)
    x, y = constant(f"middle.{side}x{side}", batch.device)[None].unbind(-1)
    to_x, to_y = mapped(affine(corners, origin, drawn), number, x, y)
    found = torch.stack([to_x - x, to_y - y], 1) * (number > 0)[:, None]
    # Single pixels between folded triangles belong to none; the median takes the flow around them.
    near = F.unfold(F.pad(found, (1, 1, 1, 1), mode="replicate"), 3).view(len(found), 2, 9, side, side)
    most = F.avg_pool2d(F.pad(known.float(), (1, 1, 1, 1), mode="replicate"), 3, 1) > (NEIGHBOURS - 0.5) / 9
    return near.median(2).values, most


def _grown(face: Tensor, known: Tensor, beyond: Tensor) -> Tensor:
    """A flow that goes on a little from where it is known, and then is another, `beyond`."""
    weight = known.float()
    sums, count = (F.avg_pool2d(part, 5, 1, 2, count_include_pad=False) for part in (face * weight, weight))
    return torch.where(known, face, torch.where(count > 1e-3, sums / count.clamp_min(1e-6), beyond))


def _around(batch: Batch) -> Tensor:
    """Backward flow of the surroundings [B, 2, n, n], see `relief.inverted`."""
    count = RELIEF.resolution
    moves = torch.bmm(batch.source("places"), batch.number("around")).transpose(1, 2).unflatten(2, (count, count))
    steps = moves * (count / batch.size)
    wide = F.pad(steps, (1, 1, 1, 1), mode="reflect")
    grows = torch.stack([wide[:, 0, 1:-1, 2:] - wide[:, 0, 1:-1, :-2], wide[:, 1, 2:, 1:-1] - wide[:, 1, :-2, 1:-1]], 1)
    layers = torch.cat([steps, 1 / (1 + 0.5 * grows).clamp_min(RELIEF.steep)], 1)
    columns, rows = grid(count, count, steps)
    x, y = columns - steps[:, 0], rows - steps[:, 1]
    for _ in range(RELIEF.rounds):
        there = read(layers, x, y)
        x = x - (x + there[:, 0] - columns) * there[:, 2]
        y = y - (y + there[:, 1] - rows) * there[:, 3]
    return torch.stack([x - columns, y - rows], 1) * (2 / count)


def places(batch: Batch, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows [B, S, S] that a flow [B, 2, N, N] reads in the crop."""
    x, y = grid(batch.size, batch.size, flow)
    fine = enlarged(flow, batch.size) * (batch.size / 2)
    return x + fine[:, 0], y + fine[:, 1]


def person(batch: Batch, fields: FieldTensors) -> Tensor:
    """Frames [B, 3, S, S] in 0..255: the person read through its fields, laid before the background."""
    away, cell = enlarged(fields.away, batch.size), batch.size / PRIOR_RESOLUTION
    front, behind = (_read(batch, flow) for flow in (fields.face, fields.around))
    fine = behind + softly(away * cell) * (front - behind)
    moved = torch.where(away.abs() < BAND, fine, _read(batch, fields.flow))
    return (moved[:, :3] + (1 - moved[:, 3:]) * batch.source("background")).clamp(0, 255)


def _read(batch: Batch, flow: Tensor) -> Tensor:
    """The person's layer [B, 4, S, S] read through a flow."""
    layer = batch.source("person")
    density = layer.shape[-1] // batch.size
    x, y = places(batch, flow)
    return read(layer, x * density, y * density)


def matte(batch: Batch, flow: Tensor) -> Tensor:
    """How much of each pixel is the person, [B, S, S] in 0..255."""
    layer = batch.source("person")
    density = layer.shape[-1] // batch.size
    x, y = places(batch, flow)
    return read(layer[:, 3:], x * density, y * density)[:, 0].clamp(0, 1) * 255


def rested(batch: Batch, frames: Tensor, flow: Tensor) -> Tensor:
    """Frames with what is left of a portrait's smile taken out, see `rest_plate`."""
    more = _moved(batch.source("light"), flow, 2 * PRIOR_RESOLUTION)
    return (frames + enlarged(more * batch.number("smile")[:, :, None, None], batch.size)).clamp(0, 255)


def lit(batch: Batch, frames: Tensor, flow: Tensor) -> Tensor:
    """Frames as the room lights their heads, see `room_light`."""
    count = RELIEF.resolution
    gain = torch.bmm(batch.source("shades"), batch.number("room")[..., None]).clamp(ROOM.low, ROOM.high)
    more = _moved(gain.view(-1, 1, count, count), flow, PRIOR_RESOLUTION)
    return (frames * (1 + enlarged(more, batch.size))).clamp(0, 255)


def _moved(layer: Tensor, flow: Tensor, side: int) -> Tensor:
    """Maps [B, 1, n, n] over the portrait as a flow moves them, [B, 1, side, side]; beyond the portrait they are 0."""
    count = layer.shape[-1]
    x, y = grid(side, side, flow)
    step, fine = count / side, enlarged(flow, side) * (count / 2)
    return read(layer, (x + 0.5) * step - 0.5 + fine[:, 0], (y + 0.5) * step - 0.5 + fine[:, 1], "zeros")
