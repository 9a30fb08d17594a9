"""DaGAN's first stage: depth of faces."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pipelines.train.families.config import FamilyTraining
from pipelines.train.families.depth_pose import PoseNetwork, depth_loss
from pipelines.train.families.fitting import fit
from pipelines.train.families.objectives import Objective, Result
from speechhead.generators.families.family import Family


def disparities_of(family: Any, image: Tensor) -> list[Tensor]:
    """DaGAN's sigmoid disparities [B, 1, h, w] of pictures, full resolution first."""
    maps = family.depth_decoder(family.depth_encoder(image))
    return [maps[scale] for scale in range(len(maps))]


class Depth(Objective):
    """DaGAN's first stage: the depth network learns from neighbouring frames (Hong et al., 2022, sec. 3.1)."""

    neighbours = 2

    def __init__(self, family: Family, options: FamilyTraining, device: torch.device) -> None:
        super().__init__(family, options, device)
        self.poses = PoseNetwork()

    def forward(self, batch: dict[str, Tensor], number: int) -> Result:
        """Photometric loss of the driver and the frames before and after it."""
        target, before, after = (fit(batch[name], self.seen) for name in ("driver", "before", "after"))
        disparities = [d.float() for d in disparities_of(self.family, target)]
        with torch.autocast(target.device.type, enabled=False):
            return {"depth": depth_loss(disparities, self.poses, target, [before, after])}, None, None

    @staticmethod
    def columns(family: Family, source: Tensor, driver: Tensor, seen: int) -> list[Tensor]:
        """The driver, and its depth."""
        driver = fit(driver, seen)
        return [driver, disparities_of(family, driver)[0].expand(-1, 3, -1, -1)]


OBJECTIVE = Depth
