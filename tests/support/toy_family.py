"""A generator family in one file, as somebody else's package brings it; what the seam asks for, and no more.

Its package says `[project.entry-points."speechhead.families"] toy = "toy_family:SPEC"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechhead.core.errors import ControlError
from speechhead.generators.families.family import Appearance, Family, Motion
from speechhead.generators.families.spec import FamilySpec, PublishedWeights


@dataclass(frozen=True)
class ToyConfig:
    """points: keypoints; size: side of its pictures."""

    points: int = 4
    size: int = 64

    @classmethod
    def full_size(cls) -> ToyConfig:
        return cls()

    @classmethod
    def from_published(cls, published: Mapping[str, Any]) -> ToyConfig:
        return cls(published["points"])


@dataclass(frozen=True)
class ToyOptions:
    """gain: of the driver's motion, 0 to 3."""

    gain: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.gain <= 3:
            raise ControlError(f"gain {self.gain:g} is not usable. Give 0 to 3.")


class Toy(Family):
    """Keypoints are centres of what a convolution finds; the picture is shifted as they move on average."""

    name = "toy"

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config, self.image_size = config, config.size
        self.finder = nn.Conv2d(3, config.points, 5, padding=2)

    def appearance(self, image: Tensor) -> Appearance:
        return {"image": image}

    def motion(self, image: Tensor) -> Motion:
        heat = self.finder(image).mul(20).flatten(2).softmax(-1).unflatten(2, image.shape[2:])
        line = torch.linspace(-1, 1, self.image_size)
        return {"value": torch.stack([(heat.sum(2) * line).sum(-1), (heat.sum(3) * line).sum(-1)], -1)}

    def transfer(self, source: Motion, driver: Motion, first: Motion | None = None, **options: Any) -> Motion:
        gain = ToyOptions(**options).gain
        start = source if first is None else first
        return {"value": source["value"] + gain * (driver["value"] - start["value"])}

    def render(self, appearance: Appearance, source: Motion, driving: Motion) -> Tensor:
        shift = (driving["value"] - source["value"]).mean(1)
        theta = torch.cat([torch.eye(2).expand(len(shift), 2, 2), -shift[..., None]], dim=2)
        image = appearance["image"].expand(len(shift), -1, -1, -1)
        grid = F.affine_grid(theta, list(image.shape), align_corners=False)
        return F.grid_sample(image, grid, padding_mode="border", align_corners=False)

    def to_latent(self, motion: Motion) -> Tensor:
        return motion["value"].flatten(1)

    def from_latent(self, latent: Tensor, source: Motion) -> Motion:
        return {"value": latent.unflatten(1, (-1, 2))}


def halved(model: Family, source: Motion, driving: Motion) -> Motion:
    """Speech moves it half as far."""
    return {"value": (source["value"] + driving["value"]) / 2}


SPEC = FamilySpec(
    name="toy",
    model=f"{__name__}:Toy",
    parts={"toy_finder": "finder"},
    marks=("toy_finder",),
    options=ToyOptions,
    settle=halved,
    published=PublishedWeights("https://example.org/toy", "CC0"),
    losses={"equivariance_value": 1.0},
)
