"""What one training pass computes: pictures made of pairs, and the weighted losses of them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from speechhead.face.landmarks import INNER_LIPS, IRISES
from speechhead.generators.families.family import Family, Motion
from speechhead.generators.families.posed import PosedFamily

from . import losses
from .config import FamilyTraining, Losses
from .depth_pose import PoseNetwork, depth_loss
from .fitting import fit
from .perceptual import PerceptualPyramid
from .warps import ThinPlate

GUIDES = [36, 39, 42, 45, 48, 54, *range(INNER_LIPS.start + 2, INNER_LIPS.stop, 4), *range(IRISES.start, IRISES.stop)]
"""Landmarks that the first ten keypoints follow under `guidance`: eye and mouth corners, mid lips, irises."""

Result = tuple[dict[str, Tensor], Tensor | None, Tensor | None]
"""Weighted losses by name, the pictures that a discriminator may judge [B, 3, H, W], and their keypoints."""


def column(family: Family, motion: Motion) -> Tensor:
    """Head rotation [B, 3, 3] for column vectors; LivePortrait multiplies rows from the left."""
    rotation = motion["rotation"].float()
    return rotation.mT if isinstance(family, PosedFamily) and family.convention.sign < 0 else rotation


def reenact(family: Family, source: Motion, driver: Motion) -> Motion:
    """What the papers train with: the driver's motion itself.

    FOMM and DaGAN: its keypoints. Families with a posed canonical face: the portrait's canonical keypoints in the
    driver's pose and expression (face-vid2vid eq. 3, LivePortrait eq. 2).
    """
    if not isinstance(family, PosedFamily):
        return family.transfer(source, driver)
    parts = {name: value for name, value in driver.items() if name not in ("value", "canonical")}
    return family.posed(**parts, canonical=source["canonical"])


class Reenactment(nn.Module):
    """Self-reenactment of pairs: the driver, made of the source in the driver's motion. All families' main stage."""

    def __init__(self, family: Family, options: FamilyTraining, device: torch.device) -> None:
        super().__init__()
        self.family = family
        self.weights: Losses = options.losses
        self.seen = options.input_size or options.size
        self.drawing = True
        """False while keypoints and pose are learnt alone; the trainer says when that is over."""
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
        source_motion, driver_motion = family.motion(source), family.motion(driver)
        driving = reenact(family, source_motion, driver_motion)
        if not self.drawing:
            return self._weighted(self._pose_losses(batch, source_motion, driving)), None, None
        made = family.render(family.appearance(source), source_motion, driving)
        # Losses are computed in full precision, whatever the networks ran in.
        with torch.autocast(made.device.type, enabled=False):
            made, real = made.float(), fit(batch["driver"], made.shape[-1])
            found = {}
            if self._perceptual:
                found["perceptual"] = self._perceptual[0](made, real)
            found["pixels"] = (made - real).abs().mean()
            found |= self._pose_losses(batch, source_motion, driving)
        if weights.equivariance_value or weights.equivariance_jacobian:
            found |= self._equivariance(driver, source_motion, driving, number)
        return self._weighted(found), made, driving["value"]

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
            guides = GUIDES[: source["value"].shape[1]]
            marks = [batch[f"{name}_landmarks"][:, guides, :2] for name in ("source", "driver")]
            found["guidance"] = losses.landmark_guidance(source["value"].float(), driving["value"].float(), *marks)
        return found

    def _equivariance(self, driver: Tensor, source: Motion, driving: Motion, number: int) -> dict[str, Tensor]:
        """The keypoints of a warped driver, mapped back, are the driver's (FOMM sec. 3.1)."""
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


def disparities_of(family: Family, image: Tensor) -> list[Tensor]:
    """DaGAN's sigmoid disparities [B, 1, h, w] of pictures, full resolution first."""
    maps = family.depth_decoder(family.depth_encoder(image))
    return [maps[scale] for scale in range(len(maps))]


class Depth(nn.Module):
    """DaGAN's first stage: the depth network learns from neighbouring frames (Hong et al., 2022, sec. 3.1)."""

    def __init__(self, family: Family, options: FamilyTraining) -> None:
        super().__init__()
        self.family, self.poses = family, PoseNetwork()
        self.seen = options.input_size or options.size

    def forward(self, batch: dict[str, Tensor], number: int) -> Result:
        """Photometric loss of the driver and the frames before and after it."""
        target, before, after = (fit(batch[name], self.seen) for name in ("driver", "before", "after"))
        disparities = [d.float() for d in disparities_of(self.family, target)]
        with torch.autocast(target.device.type, enabled=False):
            return {"depth": depth_loss(disparities, self.poses, target, [before, after])}, None, None


def make_objective(family: Family, options: FamilyTraining, device: torch.device) -> nn.Module:
    """What the stage of the config trains, with everything else frozen."""
    parts = stage_parts(family, options.stage)
    for parameter in family.parameters():
        parameter.requires_grad_(False)
    for name, part in family.named_children():
        if name in parts:
            part.requires_grad_(True)
        else:
            part.eval()  # running statistics of a frozen network stay as they are
    if options.stage == "depth":
        return Depth(family, options)
    if options.stage == "retargeting":
        from .retargeting import RetargetingStage

        return RetargetingStage(family, options)
    return Reenactment(family, options, device)


def stage_parts(family: Family, stage: str) -> list[str]:
    """Submodules that a stage trains."""
    children = [name for name, _ in family.named_children()]
    depth = [name for name in children if name.startswith("depth")]
    retargeting = [name for name in children if name == "stitching_retargeting_module"]
    if stage == "motion":
        return [name for name in children if name not in depth + retargeting]
    return depth if stage == "depth" else retargeting


def trained(objective: nn.Module) -> list[nn.Parameter]:
    """Parameters that the stage changes."""
    return [parameter for parameter in objective.parameters() if parameter.requires_grad]
