"""Depth of faces learned from video alone: DaGAN's first stage, with its network of camera motion and intrinsics."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PoseNetwork(nn.Module):
    """Motion of the camera between two frames, and the camera itself: DaGAN (Hong et al., 2022), sec. 3.1, F_p.

    Two pictures in, (R, t, K) out. Motion is axis and angle, kept near zero by the factor of Monodepth2 (Godard et
    al., 2019); focal lengths and centre are relative to the picture, as in Gordon et al. (2019), "Depth from Videos
    in the Wild".
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        widths = [6, width, 2 * width, 4 * width, 8 * width]
        self.encoder = nn.Sequential(
            *(
                layer
                for inner, outer in zip(widths, widths[1:])
                for layer in (nn.Conv2d(inner, outer, 3, 2, 1), nn.ReLU())
            )
        )
        self.motion = nn.Conv2d(widths[-1], 6, 1)
        self.camera = nn.Conv2d(widths[-1], 4, 1)
        nn.init.zeros_(self.camera.weight)
        with torch.no_grad():  # softplus(0.54) = 1: a field of view of 53 degrees
            self.camera.get_parameter("bias").copy_(torch.tensor([0.54, 0.54, 0.0, 0.0]))

    def forward(self, target: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotation [B, 3, 3] and translation [B, 3] from the target's camera to the other's, intrinsics [B, 3, 3].

        Pictures are [B, 3, H, W]; intrinsics map camera coordinates to [0, 1] x [0, 1] of the picture.
        """
        features = self.encoder(torch.cat([target, other], 1)).mean((2, 3), keepdim=True)
        motion = 0.01 * self.motion(features).flatten(1)
        fx, fy, cx, cy = self.camera(features).flatten(1).unbind(1)
        zero, one = torch.zeros_like(fx), torch.ones_like(fx)
        focal_x, focal_y = F.softplus(fx), F.softplus(fy)
        rows = [focal_x, zero, 0.5 + 0.1 * cx.tanh(), zero, focal_y, 0.5 + 0.1 * cy.tanh(), zero, zero, one]
        return rotation(motion[:, :3]), motion[:, 3:], torch.stack(rows, 1).reshape(-1, 3, 3)


def rotation(axis: Tensor) -> Tensor:
    """Matrices [B, 3, 3] of axis times angle [B, 3] in radians (Rodrigues: exp of the cross-product matrix)."""
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    return torch.matrix_exp(torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3))


def to_depth(disparity: Tensor, nearest: float = 0.1, farthest: float = 100.0) -> Tensor:
    """Depth of sigmoid disparities [B, 1, H, W]: 1 / (a d + b) (Monodepth2, sec. 3.1)."""
    return 1 / (1 / farthest + (1 / nearest - 1 / farthest) * disparity)


def reproject(other: Tensor, depth: Tensor, turn: Tensor, shift: Tensor, camera: Tensor) -> Tensor:
    """The target frame made of another: I_(j -> i)(q) = I_j(K T D(q) K^-1 q), DaGAN eq. 1.

    Parameters
    ----------
    other : float32 [B, 3, H, W]; the frame to read
    depth : float32 [B, 1, H, W]; of the target frame
    turn, shift, camera : as from `PoseNetwork`
    """
    batch, _, height, width = depth.shape
    # Positions in the unit square, at pixel centres.
    y, x = torch.meshgrid(
        (torch.arange(height, device=depth.device) + 0.5) / height,
        (torch.arange(width, device=depth.device) + 0.5) / width,
        indexing="ij",
    )
    pixels = torch.stack([x, y, torch.ones_like(x)]).reshape(1, 3, -1)
    points = torch.linalg.solve(camera, pixels.expand(batch, -1, -1)) * depth.reshape(batch, 1, -1)
    seen = camera @ (turn @ points + shift[:, :, None])
    where = 2 * seen[:, :2] / seen[:, 2:].clamp_min(1e-3) - 1
    grid = where.mT.reshape(batch, height, width, 2)
    return F.grid_sample(other, grid, padding_mode="border", align_corners=False)


def structural_similarity(made: Tensor, real: Tensor) -> Tensor:
    """SSIM (Wang et al., 2004) in windows of 3 x 3, [B, C, H, W]."""

    def blur(x: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)

    a, b = blur(made), blur(real)
    spread_a, spread_b = blur(made * made) - a * a, blur(real * real) - b * b
    both = blur(made * real) - a * b
    c1, c2 = 0.01**2, 0.03**2
    return (2 * a * b + c1) * (2 * both + c2) / ((a * a + b * b + c1) * (spread_a + spread_b + c2))


def photometric(made: Tensor, real: Tensor, alpha: float = 0.8) -> Tensor:
    """alpha (1 - SSIM) / 2 + (1 - alpha) |I - I'|, [B, 1, H, W]: DaGAN eq. 2 (alpha = 0.8)."""
    similar = ((1 - structural_similarity(made, real)) / 2).clamp(0, 1)
    return (alpha * similar + (1 - alpha) * (made - real).abs()).mean(1, keepdim=True)


def smoothness(disparity: Tensor, image: Tensor) -> Tensor:
    """|d_x D*| exp(-|d_x I|) + |d_y D*| exp(-|d_y I|), D* the disparity over its mean: Monodepth2 eq. 3."""
    relative = disparity / (disparity.mean((2, 3), keepdim=True) + 1e-7)
    total = disparity.new_zeros(())
    for dim in (2, 3):
        edges = image.diff(dim=dim).abs().mean(1, keepdim=True)
        total = total + (relative.diff(dim=dim).abs() * (-edges).exp()).mean()
    return total


def depth_loss(disparities: list[Tensor], poses: PoseNetwork, target: Tensor, others: list[Tensor]) -> Tensor:
    """Photometric loss of neighbouring frames and smoothness, over the scales of the decoder.

    At every pixel the neighbour that shows it best counts, and a pixel that looks the same where it was does not
    count (Monodepth2's minimum and auto-mask): the background of a talking head stands still.

    Parameters
    ----------
    disparities : sigmoid maps [B, 1, h, w] of the target, full resolution first
    target, others : float32 [B, 3, H, W]; a frame and its neighbours in time
    """
    total = target.new_zeros(())
    still = torch.cat([photometric(other, target) for other in others], 1).amin(1, keepdim=True)
    motions = [poses(target, other) for other in others]
    for scale, disparity in enumerate(disparities):
        depth = to_depth(F.interpolate(disparity, target.shape[2:], mode="bilinear", align_corners=False))
        made = [photometric(reproject(other, depth, *motion), target) for other, motion in zip(others, motions)]
        best = torch.cat(made, 1).amin(1, keepdim=True)
        small = F.interpolate(target, disparity.shape[2:], mode="area")
        total = total + torch.minimum(best, still).mean() + 1e-3 / 2**scale * smoothness(disparity, small)
    return total / len(disparities)
