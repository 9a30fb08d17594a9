"""A family of two tiny networks: what joins the families to files, videos and speech is tested in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechhead.generators.families import registry
from speechhead.generators.families.family import Appearance, Family, Motion


@dataclass(frozen=True)
class Inner:
    features: tuple[int, ...] = (4, 2)


@dataclass(frozen=True)
class TinyConfig:
    num_kp: int = 3
    inner: Inner = Inner()
    size: int = 64
    jacobian: bool | None = None

    @classmethod
    def full_size(cls) -> TinyConfig:
        return cls()

    @classmethod
    def from_published(cls, published: dict[str, Any]) -> TinyConfig:
        return cls(num_kp=published["model_params"]["num_kp"])


class Tiny(Family):
    """Keypoints are a crop's bright spots; rendering shifts the portrait by their mean motion."""

    name = "fomm"

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config, self.image_size = config, config.size
        self.kp_detector = nn.Module()
        self.kp_detector.kp = nn.Conv2d(3, config.num_kp, 3, padding=1)
        self.generator = nn.Sequential(*(nn.Conv2d(3, n, 1) for n in config.inner.features), nn.BatchNorm2d(3))

    def appearance(self, image: Tensor) -> Appearance:
        assert image.shape[1:] == (3, self.image_size, self.image_size)
        return {"image": image}

    def motion(self, image: Tensor) -> Motion:
        assert image.shape[1:] == (3, self.image_size, self.image_size)
        heat = (self.kp_detector.kp(image) * 30).flatten(2).softmax(-1).unflatten(2, image.shape[2:])
        line = torch.linspace(-1, 1, self.image_size)
        return {"value": torch.stack([(heat.sum(2) * line).sum(-1), (heat.sum(3) * line).sum(-1)], -1)}

    def transfer(self, source: Motion, driver: Motion, first: Motion | None = None, **options: Any) -> Motion:
        if first is None:
            return driver
        return {"value": source["value"] + driver["value"] - first["value"]}

    def render(self, appearance: Appearance, source: Motion, driving: Motion) -> Tensor:
        shift = (driving["value"] - source["value"]).mean(1)
        theta = torch.eye(2, 3).repeat(len(shift), 1, 1)
        theta[:, :, 2] = -shift
        image = appearance["image"].expand(len(shift), -1, -1, -1)
        return F.grid_sample(
            image,
            F.affine_grid(theta, list(image.shape), align_corners=False),
            "bilinear",
            "border",
            align_corners=False,
        )

    def to_latent(self, motion: Motion) -> Tensor:
        return motion["value"].flatten(1)

    def from_latent(self, latent: Tensor, source: Motion) -> Motion:
        return {"value": latent.unflatten(1, (-1, 2))}


TINY = replace(registry.spec("fomm"), model="support.fakes_torch:Tiny")
"""The tiny family's spec; it stands in for FOMM."""


def stand_in(monkeypatch: Any, **changes: Any) -> None:
    """Let the name fomm mean the tiny family; `changes` are further fields of its spec."""
    monkeypatch.setattr("support.fakes_torch.TINY", replace(TINY, **changes))
    entry = EntryPoint("fomm", "support.fakes_torch:TINY", registry.GROUP)
    monkeypatch.setitem(registry.entries(), "fomm", entry)
