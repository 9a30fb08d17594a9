"""Random thin-plate warps of pictures and points, with their analytic Jacobian: what equivariance is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_TINY = 1e-9


@dataclass(frozen=True)
class ThinPlate:
    """Deformations T(z) = A z + b + sum_i w_i U(|z - c_i|), U(r) = r^2 log r (Bookstein, 1989), one for each picture.

    FOMM (Siarohin et al., 2019), sec. 3.3 and sup. mat.: the "random thin plate splines" of the equivariance
    constraint.

    affine : float32 [B, 2, 3]; A and b
    centres : float32 [C, 2]; control points in [-1, 1]
    weights : float32 [B, C, 2]; w_i, the same for every picture of the batch in length but not in value
    """

    affine: Tensor
    centres: Tensor
    weights: Tensor

    @classmethod
    def random(
        cls,
        batch: int,
        generator: torch.Generator | None = None,
        sigma_affine: float = 0.05,
        sigma_bend: float = 0.005,
        points: int = 5,
        device: torch.device | str = "cpu",
    ) -> ThinPlate:
        """Warps drawn as FOMM's configuration has it: normal around the identity, points x points control points.

        `generator` is a CPU generator, so that the same seed gives the same warps on every device.
        """
        identity = torch.eye(2, 3)[None]
        affine = identity + sigma_affine * torch.randn(batch, 2, 3, generator=generator)
        axis = torch.linspace(-1, 1, points)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        weights = sigma_bend * torch.randn(batch, points**2, 2, generator=generator)
        return cls(affine.to(device), torch.stack([x, y], -1).reshape(-1, 2).to(device), weights.to(device))

    def points(self, z: Tensor) -> Tensor:
        """T(z) of points [B, N, 2] in [-1, 1], x right, y down."""
        square = (z[:, :, None] - self.centres).pow(2).sum(-1)  # [B, N, C]
        bend = 0.5 * square * (square + _TINY).log()  # r^2 log r
        return z @ self.affine[:, :, :2].mT + self.affine[:, None, :, 2] + bend @ self.weights

    def jacobian(self, z: Tensor) -> Tensor:
        """dT/dz [B, N, 2, 2] at points [B, N, 2], row = component of T: A + sum_i w_i dU/dz^T."""
        offset = z[:, :, None] - self.centres  # [B, N, C, 2]
        square = offset.pow(2).sum(-1)
        slope = (square + _TINY).log() + square / (square + _TINY)  # dU/dz = slope * (z - c)
        bend = torch.einsum("bci,bnc,bncj->bnij", self.weights, slope, offset)
        return self.affine[:, None, :, :2] + bend

    def image(self, picture: Tensor) -> Tensor:
        """The picture Y(z) = X(T(z)) of pictures X [B, C, H, W]; a point p of Y shows what X has at `points(p)`."""
        batch, _, height, width = picture.shape
        # Keypoints of the families live on the grid whose -1 and 1 are pixel centres: align_corners=True.
        y, x = torch.meshgrid(
            torch.linspace(-1, 1, height, device=picture.device),
            torch.linspace(-1, 1, width, device=picture.device),
            indexing="ij",
        )
        grid = torch.stack([x, y], -1).reshape(1, -1, 2).expand(batch, -1, -1)
        where = self.points(grid).reshape(batch, height, width, 2)
        return F.grid_sample(picture, where.to(picture.dtype), padding_mode="reflection", align_corners=True)
