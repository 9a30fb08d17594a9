"""LivePortrait's second stage: stitching, eye and lip retargeting learn while the generator is frozen (sec. 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipelines.train.families import losses
from pipelines.train.families.config import FamilyTraining
from pipelines.train.families.fitting import fit
from pipelines.train.families.objectives import Objective, Result
from speechhead.face.landmarks import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from speechhead.generators.families.family import Family, Motion
from speechhead.generators.families.liveportrait import LivePortrait
from speechhead.generators.families.retargeting import Openings

CONDITION, REGULAR = 5.0, 0.1
"""Weights of the opening that is asked for, and of the smallest change, beside pixels that stay."""

EYES = [*range(LEFT_EYE.start, RIGHT_EYE.stop)]
LIPS = [*range(OUTER_LIPS.start, INNER_LIPS.stop)]


def ellipse(points: Tensor, size: int, grow: float) -> Tensor:
    """[B, 1, S, S], 1 inside the upright ellipse around the box of points [B, N, 2] in [-1, 1], grown."""
    low, high = points.amin(1), points.amax(1)
    centre, radius = (low + high) / 2, (high - low) / 2 * grow + 1e-3
    axis = (torch.arange(size, device=points.device) * 2 + 1) / size - 1
    x = (axis[None] - centre[:, :1]) / radius[:, :1]
    y = (axis[None] - centre[:, 1:]) / radius[:, 1:]
    return (x[:, None, None, :].pow(2) + y[:, None, :, None].pow(2) < 1).to(points.dtype)


class OpeningReader(nn.Module):
    """How far eyes and lips are open when a portrait's keypoints move: c = c_s + mlp(x - x_s, x_s), [B, 3].

    The paper measures the opening on landmarks of the generated picture. This network learns the same measure from
    tracked frames, which makes it differentiable with respect to the keypoints.
    """

    def __init__(self, keypoints: int, width: int = 64) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(6 * keypoints, width), nn.GELU(), nn.Linear(width, 3))

    def forward(self, moved: Tensor, source: Tensor, opening: Tensor) -> Tensor:
        """Openings of keypoints `moved` [B, K, 3] of a portrait with keypoints and openings `source`, `opening`."""
        face = source.flatten(1)
        change = 10 * (moved - source).flatten(1)
        still = self.mlp(torch.cat([torch.zeros_like(change), face], 1))
        return opening + self.mlp(torch.cat([change, face], 1)) - still


class RetargetingStage(Objective):
    """L_st, L_eyes and L_lip of LivePortrait, and the reader that judges openings."""

    tracked = True
    family: LivePortrait

    def __init__(self, family: Family, options: FamilyTraining, device: torch.device) -> None:
        super().__init__(family, options, device)
        _ = self.family.retargeting  # weights without it are told at once
        self.reader = OpeningReader(self.family.config.extractor.num_kp)

    def forward(self, batch: dict[str, Tensor], number: int) -> Result:
        """Losses of a batch of tracked pairs."""
        family, networks = self.family, self.family.retargeting
        source, driver = fit(batch["source"], self.seen), fit(batch["driver"], self.seen)
        with torch.no_grad():
            appearance = family.appearance(source)
            at_rest, driving = family.motion(source), family.motion(driver)
            recon = family.render(appearance, at_rest, at_rest)
            parts = ("canonical", "rotation", "translation", "scale")
            # The portrait with the driver's expression: what the reader learns from.
            mixed = family.posed(**{name: at_rest[name] for name in parts}, expression=driving["expression"])["value"]
            # Another face's pose and expression, which the portrait's shoulders do not fit.
            other = {name: value.roll(1, 0) for name, value in driving.items()}
            across = family.posed(
                canonical=at_rest["canonical"], **{name: other[name] for name in (*parts[1:], "expression")}
            )["value"]
        here = self.openings(batch["source_landmarks"])
        there = self.openings(batch["driver_landmarks"])
        wanted = there.roll(1, 0)
        x, size = at_rest["value"], recon.shape[-1]
        marks = batch["source_landmarks"][..., :2]

        delta = networks.stitch_delta(x, across)
        stitched = self.draw(appearance, at_rest, networks.stitch(x, across))
        found = {"stitching": losses.stitching(stitched, recon, ellipse(marks, size, 1.4), delta, REGULAR)}
        found["reader"] = (self.reader(mixed, x, here) - there).abs().mean()
        self.reader.requires_grad_(False)
        for name, entries, region in (("eyes", slice(0, 2), EYES), ("lips", slice(2, 3), LIPS)):
            asked = wanted[:, entries].mean(1, keepdim=True)
            ratios = torch.cat([here[:, entries], asked], 1)
            change = (networks.eye_delta if name == "eyes" else networks.lip_delta)(x, ratios)
            opening = self.reader(x + change, x, here)[:, entries]
            drawn = self.draw(appearance, at_rest, x + change)
            mask = ellipse(marks[:, region], size, 1.6)
            found[name] = losses.retargeting(
                drawn, recon, mask, opening, asked.expand_as(opening), change.flatten(1), CONDITION, REGULAR
            )
        self.reader.requires_grad_(True)
        return found, None, None

    def draw(self, appearance: dict[str, Tensor], source: Motion, value: Tensor) -> Tensor:
        """The portrait with keypoints [B, K, 3]."""
        return self.family.render(appearance, source, {**source, "value": value})

    @staticmethod
    def openings(landmarks: Tensor) -> Tensor:
        """[B, 3]: left eye, right eye, lips."""
        found = Openings.from_landmarks70(landmarks)
        return torch.cat([found.eyes, found.lips], 1)


OBJECTIVE = RetargetingStage
