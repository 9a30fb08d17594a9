"""The main stage of every family: self-reenactment."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pipelines.train.families import losses
from pipelines.train.families.config import FamilyTraining, Losses
from pipelines.train.families.fitting import fit
from pipelines.train.families.objectives import Objective, Result, column, reenact
from pipelines.train.families.perceptual import PerceptualPyramid
from pipelines.train.families.warps import ThinPlate
from speechhead.generators.families.family import Family, Motion
from speechhead.generators.families.guides import GUIDES, placed


class Reenactment(Objective):
    """Self-reenactment of pairs: the driver, made of the source in the driver's motion. All families' main stage."""

    def __init__(self, family: Family, options: FamilyTraining, device: torch.device) -> None:
        super().__init__(family, options, device)
        self.weights: Losses = options.losses
        self.guided = options.guided
        self.taught = round(options.taught * options.batch)
        # In a list, so that the feature network is neither trained nor stored.
        vgg = None if options.vgg is None else Path(options.vgg)
        needs = self.weights.perceptual > 0
        self._perceptual = (
            [PerceptualPyramid(options.perceptual, options.scales, options.layers, vgg).to(device)] if needs else []
        )

    def forward(self, batch: dict[str, Tensor], number: int) -> Result:
        """Losses of one batch of `data.FamilyPairs`; `number` seeds its random warps."""
        family, weights = self.family, self.weights
        source, driver = fit(batch["source"], self.seen), fit(batch["driver"], self.seen)
        both = family.motion(torch.cat([source, driver])).items()  # one pass: small networks wait for their launches
        source_motion, driver_motion = ({name: one.chunk(2)[part] for name, one in both} for part in (0, 1))
        driving = reenact(family, source_motion, driver_motion)
        if not self.drawing:
            return self._weighted(self._pose_losses(batch, source_motion, driving)), None, None
        made = family.render(family.appearance(source), *self._taught(batch, source_motion, driving))
        # Losses are computed in full precision, whatever the networks ran in.
        with torch.autocast(made.device.type, enabled=False):
            made, real = made.float(), fit(batch["driver"], made.shape[-1])
            found = {}
            if self._perceptual:
                found["perceptual"] = self._perceptual[0](made, real)
            found["pixels"] = (made - real).abs().mean()
            if self.weights.lips:
                found["lips"] = losses.around_lips(made, real, batch["driver_landmarks"])
            found |= self._pose_losses(batch, source_motion, driving)
        if weights.equivariance_value or weights.equivariance_jacobian:
            found |= self._equivariance(driver, source_motion, driving, number)
        return self._weighted(found), made, driving["value"]

    def _taught(self, batch: dict[str, Tensor], source: Motion, driving: Motion) -> tuple[Motion, Motion]:
        """Motion that pictures are made of: of some pairs that of the landmarks themselves."""
        if not self.taught:
            return source, driving
        return (
            placed(self.family, source, batch["source_landmarks"], self.guided, self.taught),
            placed(self.family, driving, batch["driver_landmarks"], self.guided, self.taught),
        )

    def _weighted(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        weights = {name: getattr(self.weights, name) for name in found}
        return {name: weights[name] * value for name, value in found.items() if weights[name] > 0}

    def _pose_losses(self, batch: dict[str, Tensor], source: Motion, driving: Motion) -> dict[str, Tensor]:
        weights, found = self.weights, {}
        if weights.prior:
            found["prior"] = losses.keypoint_prior(driving["value"].float())
        if weights.deformation and "expression" in driving:
            found["deformation"] = losses.deformation_prior(driving["expression"].float())
        if weights.head_pose and "rotation" in driving:
            both = [(source, "source_rotation"), (driving, "driver_rotation")]
            found["head_pose"] = torch.stack(
                [losses.head_pose(column(self.family, motion), batch[name]) for motion, name in both]
            ).mean()
        if weights.guidance:
            guides = GUIDES[: min(self.guided, source["value"].shape[1])]
            marks = [batch[f"{name}_landmarks"][:, guides, :2] for name in ("source", "driver")]
            found["guidance"] = losses.landmark_guidance(source["value"].float(), driving["value"].float(), *marks)
        return found

    def _equivariance(self, driver: Tensor, source: Motion, driving: Motion, number: int) -> dict[str, Tensor]:
        """The keypoints of a warped driver, mapped back, are the driver's (FOMM sec. 3.3)."""
        warp = ThinPlate.random(len(driver), torch.Generator().manual_seed(number), device=driver.device)
        moved = reenact(self.family, source, self.family.motion(warp.image(driver)))
        with torch.autocast(driver.device.type, enabled=False):
            points, where = driving["value"][..., :2].float(), moved["value"][..., :2].float()
            found = {"equivariance_value": losses.equivariance_value(points, warp.points(where))}
            if self.weights.equivariance_jacobian and "jacobian" in driving:
                found["equivariance_jacobian"] = losses.equivariance_jacobian(
                    driving["jacobian"].float(), warp.jacobian(where), moved["jacobian"].float()
                )
        return found


OBJECTIVE = Reenactment
