"""Dense motion's lessons: the person's layer moved before a background that stays."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from speechhead.generators.compact.generator import SMOOTH
from speechhead.generators.compact.meshwarp import border_taper, pixel_grid

from .learner import CompactTraining, Learner, tiles
from .networks import CompactNetworks, warp


def forward(model: CompactNetworks, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The picture at 128 without windows, the motion field, the masks and the residual flow.

    The same composition as `speechhead.generators.compact.generator` does at run time.
    """
    prior, matrix = batch["prior_half"], batch["rigid_matrix"]
    size = prior.shape[-1]
    masks, residual = model.motion(batch["prior"], batch["rigid"], batch["coverage"], batch["small"], batch["warped"])
    parts = F.interpolate(torch.cat([masks, residual], 1), size=size, mode="bilinear")
    places = torch.from_numpy(pixel_grid(size, size).copy()).permute(2, 0, 1)
    rigid = torch.einsum("nij,jhw->nihw", matrix[:, :, :2], places) + matrix[:, :, 2, None, None]
    # Motion field: sum over candidates of mask times flow (eq. 7 of FOMM), plus the residual.
    mixed = smoothed(parts[:, 1:2] * prior + parts[:, 2:3] * rigid + parts[:, 3:])
    flow = batch["inside"] * prior + (1 - batch["inside"]) * mixed
    flow = flow * torch.from_numpy(border_taper(size).copy())
    moved = warp(batch["layers"], flow)
    return moved[:, :3] + (1 - moved[:, 3:]) * batch["background"], flow, masks, residual


def smoothed(field: Tensor) -> Tensor:
    """A motion field [N, 2, M, M] smoothed as `speechhead.generators.compact.generator.smoothed` does."""
    reach = round(4 * SMOOTH)
    weights = torch.from_numpy(cv2.getGaussianKernel(2 * reach + 1, SMOOTH, cv2.CV_32F)).to(field)
    padded = F.pad(field, (reach, reach, reach, reach), mode="reflect").flatten(0, 1)[:, None]
    across = F.conv2d(F.conv2d(padded, weights[None, None]), weights.T[None, None])
    return across.unflatten(0, field.shape[:2])[:, :, 0]


class MotionLearner(Learner):
    """L1 at two scales and of gradients; little residual flow, which does not bend where it need not."""

    def __init__(self, model: CompactNetworks, options: CompactTraining) -> None:
        super().__init__()
        self.model, self.options = model, options
        makers = torch.optim.Adam(model.motion.parameters(), options.learning_rate, betas=(0.5, 0.99))
        self.optimisers = {"makers": (makers, 1.0)}

    def learn(self, batch: dict[str, Tensor], step: int) -> dict[str, float]:
        """One step."""
        picture, flow, _, residual = forward(self.model, batch)
        real = batch["driver"]
        l1 = (picture - real).abs().mean()
        loss = l1 + (F.avg_pool2d(picture, 4) - F.avg_pool2d(real, 4)).abs().mean()
        bend = torch.zeros(())
        for dim in (2, 3):
            loss = loss + 0.5 * (picture.diff(dim=dim) - real.diff(dim=dim)).abs().mean()
            bend = bend + residual.diff(dim=dim).diff(dim=dim).abs().mean()
        loss = loss + 0.1 * residual.abs().mean() + self.options.bend_cost * bend
        makers = self.optimisers["makers"][0]
        makers.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.motion.parameters(), 2.0)
        makers.step()
        with torch.no_grad():
            moved = warp(batch["layers"], batch["prior_half"])
            warped = moved[:, :3] + (1 - moved[:, 3:]) * batch["background"]
        return {"l1": l1.item(), "warp": (warped - real).abs().mean().item(), "residual": residual.abs().mean().item()}

    def judge(self, model: CompactNetworks, batch: dict[str, Tensor]) -> dict[str, float]:
        """L1 of the whole picture, and the same of the landmark warp before the same background."""
        real = batch["driver"]
        picture = forward(model, batch)[0]
        moved = warp(batch["layers"], batch["prior_half"])
        warped = moved[:, :3] + (1 - moved[:, 3:]) * batch["background"]
        return {"l1": (picture - real).abs().mean().item(), "warp": (warped - real).abs().mean().item()}

    def sheet(self, model: CompactNetworks, batch: dict[str, Tensor]) -> np.ndarray:
        """Source, truth, ours, the landmark warp before the same background, error, and masks."""
        picture, flow, masks, _ = forward(model, batch)
        still = batch["layers"][:, :3] + (1 - batch["layers"][:, 3:]) * F.interpolate(batch["background"], size=256)
        moved = warp(batch["layers"], batch["prior_half"])
        warped = moved[:, :3] + (1 - moved[:, 3:]) * batch["background"]
        error = 2 * (picture - batch["driver"]).abs()
        columns = [F.interpolate(still, size=128), batch["driver"], picture, warped, error]
        return tiles([*columns, F.interpolate(masks, size=128)])
