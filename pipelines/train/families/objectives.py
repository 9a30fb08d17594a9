"""What one training pass computes: pictures made of pairs, and the weighted losses of them."""

from __future__ import annotations

import importlib
from typing import ClassVar

import torch
from torch import Tensor, nn

from speechhead.generators.families import registry
from speechhead.generators.families.family import Family, Motion
from speechhead.generators.families.posed import PosedFamily
from speechhead.generators.families.spec import MOTION

from . import stages
from .config import FamilyTraining
from .fitting import fit

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


class Objective(nn.Module):
    """What one stage of training computes of a batch, as the forward pass."""

    tracked: ClassVar[bool] = False
    """Whether it needs landmarks and head poses of the frames, whatever the losses are."""

    neighbours: ClassVar[int] = 0
    """How far from the driver frames 'before' and 'after' may lie, which it sees too; 0 for none."""

    def __init__(self, family: Family, options: FamilyTraining, device: torch.device) -> None:
        super().__init__()
        self.family = family
        self.seen = options.input_size or options.size
        self.drawing = True
        """False while keypoints and pose are learnt alone; the trainer says when that is over."""

    @staticmethod
    def columns(family: Family, source: Tensor, driver: Tensor, seen: int) -> list[Tensor]:
        """What a sheet shows of pairs [N, 3, S, S], side by side: source, driver, prediction.

        seen : side of the pictures that the networks see
        """
        portrait = fit(source, seen)
        motion = family.motion(portrait)
        driving = reenact(family, motion, family.motion(fit(driver, seen)))
        made = family.render(family.appearance(portrait), motion, driving)
        return [fit(source, made.shape[-1]), fit(driver, made.shape[-1]), made]


def make_objective(family: Family, options: FamilyTraining, device: torch.device) -> Objective:
    """What the stage of the config trains, with everything else frozen."""
    parts = stage_parts(family, options.stage)
    for parameter in family.parameters():
        parameter.requires_grad_(False)
    for name, part in family.named_children():
        if name in parts:
            part.requires_grad_(True)
        else:
            part.eval()  # running statistics of a frozen network stay as they are
    return objective_class(options.stage)(family, options, device)


def objective_class(stage: str) -> type[Objective]:
    """What a stage computes: OBJECTIVE of the module of `stages` that is called like it."""
    kind: type[Objective] = importlib.import_module(f"{stages.__name__}.{stage}").OBJECTIVE
    return kind


def stage_parts(family: Family, stage: str) -> list[str]:
    """Submodules that a stage trains."""
    children = [name for name, _ in family.named_children()]
    known = registry.spec(family.name).stages
    if stage != MOTION.name:
        return [name for one in known if one.name == stage for name in one.parts]
    others = {name for one in known for name in one.parts}
    return [name for name in children if name not in others]


def trained(objective: nn.Module) -> list[nn.Parameter]:
    """Parameters that the stage changes."""
    return [parameter for parameter in objective.parameters() if parameter.requires_grad]
