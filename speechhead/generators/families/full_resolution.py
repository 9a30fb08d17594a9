"""Portraits of any size by networks of one size: the portrait itself under the family's motion, and what it lacks.

A family generates pictures of 256 or 512 pixels a side. Its motion field knows no pixels: it warps the portrait at full
size as well. What the portrait does not show, and what the networks change (an open mouth, lids, light), comes from the
generated picture. Both are joined in frequency bands (Burt and Adelson, "A multiresolution spline with application to
image mosaics", 1983). Everything is torch, in batches, on the tensors' device.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from speechhead.generators.nets.layers import coordinate_grid, exact, resize

from .family import Appearance, Drawn, Family, Motion

AGREES, DIFFERS = 0.05, 0.14
"""Difference of a generated picture from the one at rest under the motion, in parts of white: up to the first, the
portrait's own detail is right; from the second on, something else is there. Chosen by
`python -m pipelines.judge.full_resolution` on portraits that are judged nowhere else."""

STAYS, STOOD = 0.02, 0.08
"""How much nearer to the generated picture, in parts of white, a place comes without the motion than with it: from the
first on it is background that the motion field drags along, and from the second on it stays where it is."""

HIDDEN, SHOWN = 0.35, 0.75
"""Occlusion map in parts of its value at rest: up to the first nothing is seen of a place, from the second on all."""

SHARP_DEPTH = 0.15
"""Temperature of choosing the depth that explains a generated picture best, in parts of the depths' mean misfit."""

ROUNDING = 0.002
"""Differences of pictures that tell nothing, in parts of white."""

COARSEST = 16
"""Side of the coarsest band, pixels."""

DENSE_TO = 1024
"""Largest side of a portrait that is kept twice as dense, pixels. Beyond it detail hardly reaches down to the
pixel, and a portrait of 2048 would fill 200 MB."""

TAPS = 8
"""Pixels on either side that a value between two pixels is made of."""


class Rest(NamedTuple):
    """A portrait, and what the family makes of it at rest; N is 1, or the number of frames.

    samples : [N, 3, d (S - 1) + 1, likewise]; the portrait in 0..1, of any size S, and d - 1 samples between pixels
    picture : [N, 3, h, w]; generated at rest
    lacking : [N, 3, h, w]; light and colour of the portrait that the generated picture does not have
    visible : [N, 1, h', w'] or None; the occlusion map where all is seen
    size : S, pixels
    """

    samples: Tensor
    picture: Tensor
    lacking: Tensor
    visible: Tensor | None
    size: int

    @classmethod
    def of(cls, model: Family, appearance: Appearance, source: Motion, portrait: Tensor) -> Rest:
        """Prepare a portrait once; `appearance` and `source` are of the same square at the networks' size."""
        return cls.drawn(model.draw(appearance, source, source), portrait)

    @classmethod
    def drawn(cls, drawn: Drawn, portrait: Tensor) -> Rest:
        """Of what was drawn at rest."""
        picture = exact(drawn.picture)
        small = enlarged(portrait, picture.shape[3])
        visible = None if drawn.visible is None else exact(drawn.visible)
        size = portrait.shape[2]
        samples = doubled(portrait) if size <= DENSE_TO else portrait
        return cls(samples, picture, calmed(small - picture), visible, size)

    @property
    def portrait(self) -> Tensor:
        """[N, 3, S, S]."""
        step = 2 if self.samples.shape[2] > self.size else 1
        return self.samples[..., ::step, ::step]

    @property
    def larger(self) -> bool:
        """Whether the portrait has more pixels than what is generated."""
        return self.size > self.picture.shape[3]

    def spread(self, count: int) -> Rest:
        """One portrait as `count`, without a copy; a batch as it is."""
        if len(self.samples) == count:
            return self
        wide = {name: tensor.expand(count, -1, -1, -1) for name, tensor in self.parts().items()}
        return Rest.from_parts(wide, self.size)

    def parts(self) -> dict[str, Tensor]:
        """Its tensors by name."""
        return {name: value for name, value in self._asdict().items() if isinstance(value, Tensor)}

    @classmethod
    def from_parts(cls, parts: Mapping[str, Tensor], size: int) -> Rest:
        """From what `parts` gave, and the portrait's size."""
        return cls(parts["samples"], parts["picture"], parts["lacking"], parts.get("visible"), size)


class FullLayers(NamedTuple):
    """What a picture at full size is joined from, each [B, 3, S, S].

    detailed : the portrait under the motion, in the light of what was generated
    made : what was generated, enlarged, with the portrait's light and colour
    own : [B, 1, S, S] in 0..1; how much of the first is right
    """

    detailed: Tensor
    made: Tensor
    own: Tensor


def full_size(drawn: Drawn, rest: Rest) -> Tensor:
    """Pictures at the portrait's size.

    Parameters
    ----------
    drawn : B pictures of the family
    rest : of the portrait, or one portrait for each

    Returns
    -------
    float32 [B, 3, S, S] in 0..1; the portrait itself where nothing moves. The generated picture enlarged, where the
    family tells no motion field or the portrait is no larger than that.
    """
    if drawn.flow is None or not rest.larger:
        return enlarged(exact(drawn.picture), rest.size).clamp(0, 1)
    detailed, made, own = layers(drawn, rest)
    return (made + banded(detailed - made, own)).clamp(0, 1)


def layers(drawn: Drawn, rest: Rest) -> FullLayers:
    """What `full_size` joins; of a family that tells its motion field."""
    assert drawn.flow is not None
    picture = exact(drawn.picture)
    still = rest.spread(len(picture))
    way = displacement(exact(drawn.flow), still.picture, picture)
    dragged = moved(still.picture, way)
    stays = eased(
        (softened(difference(picture, dragged) - difference(picture, still.picture)) - STAYS) / (STOOD - STAYS)
    )
    change = picture - torch.lerp(dragged, still.picture, stays)
    own = keep(change, drawn.visible, still.visible, way, stays)
    light = softened(own * change) / softened(own).clamp(min=0.05)  # not that of an open mouth beside it
    detailed = torch.lerp(moved(still.samples, way, rest.size), still.portrait, enlarged(stays, rest.size).clamp(0, 1))
    detailed = detailed + enlarged(light, rest.size)
    made = enlarged(picture + moved(still.lacking, way), rest.size)
    return FullLayers(detailed, made, enlarged(own, rest.size).clamp(0, 1))


def displacement(flow: Tensor, rest: Tensor, picture: Tensor) -> Tensor:
    """How far from a place the source is read, [B, 2, h', w'] in units of half the picture.

    Of a volume's depths [B, D, h', w', 2], those that explain what was generated: a plane sweep (Collins, 1996). Every
    depth's motion is tried on the picture at rest [B, 3, h, w], and counts as it comes near `picture`.
    """
    height, width = flow.shape[2:4]
    columns, rows = (flow - coordinate_grid((height, width), flow)).unbind(-1)
    # The grid's ends are cell centres, not the picture's border.
    ways = torch.stack([columns * ((width - 1) / width), rows * ((height - 1) / height)], dim=2)
    depths = ways.shape[1]
    if depths == 1:
        return ways[:, 0]
    still, wanted = enlarged(rest, height), enlarged(picture, height)
    tried = moved(still.repeat_interleave(depths, 0), ways.flatten(0, 1)).unflatten(0, (-1, depths))
    misfit = softened((tried - wanted[:, None]).abs().mean(2))
    share = torch.softmax(-misfit / (SHARP_DEPTH * misfit.mean(1, keepdim=True) + ROUNDING), dim=1)
    return softened((share[:, :, None] * ways).sum(1))


def keep(change: Tensor, visible: Tensor | None, at_rest: Tensor | None, way: Tensor, stays: Tensor) -> Tensor:
    """How much of the portrait's own detail is right, [B, 1, h, w] in 0..1.

    Parameters
    ----------
    change : [B, 3, h, w]; generated, less the picture at rest under the motion
    visible, at_rest : [B, 1, h', w']; occlusion maps
    way : [B, 2, h', w']; displacement
    stays : [B, 1, h, w]; where nothing moves
    """
    shape = change.shape[2:]
    seen = moved(torch.ones_like(way[:, :1]), way, outside="zeros").clamp(0, 1)
    if visible is not None and at_rest is not None:
        share = exact(visible) / moved(at_rest, way).clamp(min=1e-3)
        seen = seen * resize(eased((share - HIDDEN) / (SHOWN - HIDDEN)), seen.shape[2:])
    differs = softened(difference(change, torch.zeros_like(change)))
    own = 1 - eased((differs - AGREES) / (DIFFERS - AGREES))
    return own * torch.maximum(resize(seen, shape), stays)


def difference(a: Tensor, b: Tensor) -> Tensor:
    """Of pictures [B, 3, h, w], mean over the colours: [B, 1, h, w]."""
    return (a - b).abs().mean(1, keepdim=True)


def moved(x: Tensor, way: Tensor, size: int | None = None, outside: str = "border") -> Tensor:
    """`x` [B, C, h, h] read through a displacement [B, 2, h', w'] of any size; cubic, so that it stays sharp.

    size : side of the result, if `x` has samples between pixels too
    """
    side = size or x.shape[2]
    fine = enlarged(way, side) * (side / max(side - 1, 1))  # now in units of half the way between end pixels
    places = fine.movedim(1, -1) + coordinate_grid((side, side), fine)
    return F.grid_sample(x, places, mode="bicubic", padding_mode=outside, align_corners=True)


def doubled(x: Tensor) -> Tensor:
    """`x` [B, C, n, m] and what lies half way between its pixels, [B, C, 2 n - 1, 2 m - 1]; Lanczos's kernel.

    A cubic through the pixels alone would blur: at half a pixel it takes a fifth of the finest detail away.
    """
    places = torch.arange(-TAPS + 0.5, TAPS, dtype=x.dtype, device=x.device)
    kernel = torch.sinc(places) * torch.sinc(places / TAPS)
    kernel = kernel / kernel.sum()
    for axis in (2, 3):
        x = x.movedim(axis, -1)
        margin = F.pad(x.flatten(0, -2)[:, None], (TAPS - 1, TAPS - 1), mode="replicate")
        between = margin.unfold(-1, 2 * TAPS, 1).matmul(kernel)[:, 0].reshape(*x.shape[:-1], -1)
        pairs = torch.stack([x[..., :-1], between], -1).flatten(-2)
        x = torch.cat([pairs, x[..., -1:]], -1).movedim(-1, axis)
    return x.contiguous()


def banded(x: Tensor, weight: Tensor) -> Tensor:
    """`x` [B, C, H, W] times `weight` [B, 1, H, W], band by band, each with the weight as smooth as the band."""
    height, width = x.shape[2:]
    if min(height, width) < 2 * COARSEST:
        return x * weight
    half = (height + 1) // 2, (width + 1) // 2
    low, calm = F.adaptive_avg_pool2d(x, half), F.adaptive_avg_pool2d(weight, half)
    return weight * (x - resize(low, (height, width))) + resize(banded(low, calm), (height, width))


def enlarged(x: Tensor, side: int) -> Tensor:
    """`x` [B, C, h, h] at another size: cubic when it grows, averaged when it shrinks."""
    own, side = int(x.shape[2]), int(side)  # tensors, while what is done is traced
    if own == side:
        return x
    if own > side:
        return F.adaptive_avg_pool2d(x, (side, side))
    across = _cubic(own, side, x.device, x.dtype)
    with torch.autocast(x.device.type, enabled=False):
        return across @ x @ across.T  # on a core a quarter of what `interpolate` takes


@lru_cache(maxsize=32)
def _cubic(side: int, larger: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The weights [larger, side] with which `interpolate` enlarges a row by cubic pieces."""
    with torch.inference_mode(False), torch.no_grad():
        rows = torch.eye(side, dtype=torch.float32, device=device)[None, None]
        return F.interpolate(rows, size=(larger, side), mode="bicubic", align_corners=False)[0, 0].to(dtype)


def calmed(x: Tensor) -> Tensor:
    """Without what is smaller than about four pixels."""
    for _ in range(3):
        x = F.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)
    return x


def eased(x: Tensor) -> Tensor:
    """0 up to 0 and 1 from 1 on, smooth between."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def softened(x: Tensor) -> Tensor:
    for _ in range(2):
        x = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return x
