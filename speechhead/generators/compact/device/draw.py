"""What pictures are drawn with: reading, outlines, triangles and blurs, of many frames at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

FAT, RAMP = 0.675, 1.25
"""An outline that OpenCV draws smoothly ends so many of its pixels outside, and fades over so many."""


def read(picture: Tensor, x: Tensor, y: Tensor, beyond: str = "border", how: str = "bilinear") -> Tensor:
    """Pictures [B, C, H, W] at columns x and rows y [B, h, w] of them, [B, C, h, w]; pixel k's middle is at k.

    beyond : "border", the last pixel goes on, or "zeros"; how : "bilinear" or "bicubic"
    """
    height, width = picture.shape[-2:]
    grid = torch.stack([x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1], -1)
    return F.grid_sample(picture, grid, mode=how, padding_mode=beyond, align_corners=True)


def enlarged(field: Tensor, size: int) -> Tensor:
    """Fields [B, C, N, N] at another number of places [B, C, size, size]."""
    return F.interpolate(field, size=(size, size), mode="bilinear", align_corners=False)


def grid(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Columns [1, 1, w] and rows [1, h, 1] of a picture's pixels."""
    x = torch.arange(width, device=like.device, dtype=torch.float32)
    y = torch.arange(height, device=like.device, dtype=torch.float32)
    return x[None, None], y[None, :, None]


@dataclass(frozen=True)
class Boxes:
    """Parts of frames, all of one size: frame int64 [E], which one; x, y int64 [E], their first pixel; h, w."""

    frame: Tensor
    x: Tensor
    y: Tensor
    height: int
    width: int

    def _index(self) -> tuple[Tensor, Tensor, Tensor]:
        steps = torch.arange(max(self.height, self.width), device=self.x.device)
        rows, columns = self.y[:, None] + steps[: self.height], self.x[:, None] + steps[: self.width]
        return self.frame[:, None, None], rows[:, :, None], columns[:, None, :]

    def places(self) -> tuple[Tensor, Tensor]:
        """Columns [E, 1, w] and rows [E, h, 1] of the frames, float32."""
        _, rows, columns = self._index()
        return columns.float(), rows.float()

    def of(self, frames: Tensor) -> Tensor:
        """The parts [E, C, h, w] of frames [B, C, H, W]."""
        which, rows, columns = self._index()
        return frames[which, :, rows, columns].permute(0, 3, 1, 2)

    def put(self, frames: Tensor, parts: Tensor) -> None:
        """Parts [E, C, h, w] into frames [B, C, H, W], in place."""
        which, rows, columns = self._index()
        frames[which, :, rows, columns] = parts.permute(0, 2, 3, 1)


def distance(outline: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """How far places are from outlines [B, n, 2], in their unit, [B, h, w]; negative within (even-odd).

    x, y : columns [B or 1, 1, w] and rows [B or 1, h, 1]
    """
    ax, ay = outline[..., 0, None, None], outline[..., 1, None, None]
    after = outline.roll(-1, 1)
    bx, by = after[..., 0, None, None], after[..., 1, None, None]
    x, y, ex, ey = x[:, None], y[:, None], bx - ax, by - ay
    px, py = x - ax, y - ay
    t = ((px * ex + py * ey) / (ex * ex + ey * ey).clamp_min(1e-12)).clamp(0, 1)
    away = torch.hypot(px - t * ex, py - t * ey).amin(1)
    level = ey.masked_fill(ey == 0, 1)
    crossed = ((ay > y) != (by > y)) & (px < ex * py / level)
    return torch.where(crossed.sum(1) % 2 == 1, -away, away)


def covered(outline: Tensor, x: Tensor, y: Tensor, finer: int = 1) -> Tensor:
    """How much of each pixel is within outlines [B, n, 2], in 0..1, [B, h, w], as OpenCV draws them smoothly.

    finer : in how many parts of a pixel OpenCV draws it, each way; x, y : as in `distance`
    """
    return softly(distance(outline, x, y), finer)


def softly(away: Tensor, finer: int = 1) -> Tensor:
    """How much of a pixel so far outside an outline is covered, as `covered`."""
    ramp = RAMP if finer == 1 else 1 + RAMP / (2 * finer)
    return (0.5 + (FAT / finer - away) / ramp).clamp(0, 1)


def distances(outlines: Sequence[Tensor], x: Tensor, y: Tensor) -> Tensor:
    """As `distance` of several outlines each, [B, k, h, w]; shorter ones get their last point again."""
    most, count = max(outline.shape[1] for outline in outlines), len(outlines)
    filled = [torch.cat([o, o[:, -1:].expand(-1, most - o.shape[1], -1)], 1) for o in outlines]
    places = (at[:, None].expand(-1, count, -1, -1).flatten(0, 1) if len(at) > 1 else at for at in (x, y))
    return distance(torch.stack(filled, 1).flatten(0, 1), *places).unflatten(0, (-1, count))


def triangles(corners: Tensor, drawn: Tensor, shape: tuple[int, int], reach: int) -> Tensor:
    """Which of triangles, drawn one after the other, is seen at each pixel: int64 [B, h, w], its number and 1; 0: none.

    Each is drawn with its outline, as OpenCV does.

    Parameters
    ----------
    corners : float32 [B, F, 3, 2], pixels; drawn : bool [B, F]; reach : the most pixels of one, either way, and 2
    """
    count, (height, width) = corners.shape[1], shape
    low, high = corners.amin(2) - 0.5, corners.amax(2) + 0.5
    steps = torch.arange(reach, device=corners.device, dtype=torch.float32)
    x, y = (torch.ceil(low[..., axis, None]) + steps for axis in (0, 1))
    inside_x = (x <= high[..., :1]) & (x >= 0) & (x < width) & drawn[..., None]
    inside_y = (y <= high[..., 1:]) & (y >= 0) & (y < height)
    inside = inside_y[..., :, None] & inside_x[..., None, :]
    edges = corners.roll(-1, 2) - corners
    area = edges[..., 0, 0] * edges[..., 1, 1] - edges[..., 0, 1] * edges[..., 1, 0]
    edges = edges * area.sign()[..., None, None]
    slack = -0.5 * edges.abs().amax(-1)
    for side in range(3):
        (ex, ey), corner = edges[:, :, side].unbind(-1), corners[:, :, side]
        down = ex[..., None] * (y - corner[..., 1:]) - slack[:, :, side, None]
        across = ey[..., None] * (x - corner[..., :1])
        inside &= down[..., :, None] >= across[..., None, :]
    place = (y.long() * width)[..., :, None] + x.long()[..., None, :]
    number = torch.arange(1, count + 1, device=corners.device, dtype=torch.int32)[:, None, None]
    seen = torch.zeros(len(corners), height * width, dtype=torch.int32, device=corners.device)
    place, number = place.clamp(0, height * width - 1), number * inside
    seen.scatter_reduce_(1, place.flatten(1), number.flatten(1), "amax")
    return seen.view(-1, height, width).long()


def cornered(vertices: Tensor, numbers: Tensor) -> Tensor:
    """Corners [B, F, 3, 2] of triangles whose vertices [B, F, 3] are among places [B, n, 2 or 3]."""
    flat = numbers.flatten(1)[..., None].expand(-1, -1, 2)
    return vertices[..., :2].gather(1, flat).unflatten(1, (-1, 3))


def affine(corners: Tensor, origin: Tensor, wide: Tensor) -> Tensor:
    """Affine maps [B, F, 6] of triangles [B, F, 3, 2] onto others, rows (xx, xy, x, yx, yy, y).

    wide : bool [B, F]; others are all the middle of where they come from
    """
    (ax, ay), (bx, by) = ((corners[..., k, :] - corners[..., 0, :]).unbind(-1) for k in (1, 2))
    (sx, sy), (tx, ty) = ((origin[..., k, :] - origin[..., 0, :]).unbind(-1) for k in (1, 2))
    scale = wide / (ax * by - bx * ay).masked_fill(~wide, 1)
    xx, xy = (sx * by - tx * ay) * scale, (tx * ax - sx * bx) * scale
    yx, yy = (sy * by - ty * ay) * scale, (ty * ax - sy * bx) * scale
    ox, oy = torch.where(wide[..., None], origin[..., 0, :], origin.mean(2)).unbind(-1)
    x, y = corners[..., 0, :].unbind(-1)
    return torch.stack([xx, xy, ox - xx * x - xy * y, yx, yy, oy - yx * x - yy * y], -1)


def mapped(maps: Tensor, number: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where affine maps [B, F, 6] of triangles take places, [B, h, w] each; number: int64 [B, h, w], of `triangles`;
    where it is 0 the first map counts."""
    flat = (number - 1).clamp_min(0).flatten(1)
    local = maps.gather(1, flat[..., None].expand(-1, -1, 6)).view(*number.shape, 6).unbind(-1)
    return local[0] * x + local[1] * y + local[2], local[3] * x + local[4] * y + local[5]


def bells(sigma: Tensor, reach: int) -> Tensor:
    """Weights [B, 2 reach + 1] of Gaussian blurs, sigma [B] in pixels."""
    steps = torch.arange(-reach, reach + 1, device=sigma.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (steps / sigma[:, None]).square())
    return weights / weights.sum(1, keepdim=True)


def filtered(picture: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Pictures [B, C, h, w], each filtered with its own weights across and down [B, k], k odd; 0 beyond."""
    batch, channels, height, width = picture.shape
    flat, groups = picture.reshape(1, batch * channels, height, width), batch * channels
    row, column = (
        weights[:, None].expand(-1, channels, -1).reshape(groups, 1, *shape)
        for weights, shape in ((across, (1, -1)), (down, (-1, 1)))
    )
    flat = F.conv2d(flat, row, padding=(0, across.shape[1] // 2), groups=groups)
    return F.conv2d(flat, column, padding=(down.shape[1] // 2, 0), groups=groups).view_as(picture)


def smooth(x: Tensor, low: float, high: float) -> Tensor:
    """0 below `low`, 1 above `high` (or the reverse), with level ends, as `speechhead.core.smoothstep`."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
