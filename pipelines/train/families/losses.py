"""What the papers of the four families train for, one function per equation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from speechhead.face.landmarks import INNER_LIPS, OUTER_LIPS

# --- adversarial -----------------------------------------------------------------------------------------------------


def lsgan_generator(scores: Sequence[Tensor]) -> Tensor:
    """Mean of (1 - D(made))^2 over the scales (Mao et al., 2017, eq. 9; FOMM sec. 3.3)."""
    return torch.stack([(1 - score).pow(2).mean() for score in scores]).mean()


def lsgan_discriminator(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """Mean of (1 - D(real))^2 + D(made)^2 over the scales (Mao et al., 2017, eq. 9)."""
    return torch.stack([(1 - r).pow(2).mean() + m.pow(2).mean() for r, m in zip(real, made)]).mean()


def hinge_generator(scores: Sequence[Tensor]) -> Tensor:
    """-D(made) (Lim and Ye, 2017): face-vid2vid's L_G."""
    return torch.stack([-score.mean() for score in scores]).mean()


def hinge_discriminator(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """max(0, 1 - D(real)) + max(0, 1 + D(made)) (Lim and Ye, 2017): face-vid2vid's L_G."""
    return torch.stack([(1 - r).relu().mean() + (1 + m).relu().mean() for r, m in zip(real, made)]).mean()


def feature_matching(made: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """Sum over layers, mean over scales, of L1 between discriminator features (pix2pixHD, Wang et al., 2018, eq. 3)."""
    scales = [
        torch.stack([(a - b.detach()).abs().mean() for a, b in zip(maps, wanted)]).sum()
        for maps, wanted in zip(made, real)
    ]
    return torch.stack(scales).mean()


# --- keypoints -------------------------------------------------------------------------------------------------------


def equivariance_value(points: Tensor, mapped: Tensor) -> Tensor:
    """|p_X - T(p_Y)|: a keypoint of the warped picture Y(z) = X(T(z)) lies where T says.

    FOMM sec. 3.3, equivariance; face-vid2vid L_E on the 2-D projection of its keypoints.

    Parameters
    ----------
    points : float32 [B, K, 2]; keypoints of X
    mapped : float32 [B, K, 2]; T of the keypoints of Y
    """
    return (points - mapped).abs().mean()


def equivariance_jacobian(jacobian: Tensor, slope: Tensor, warped: Tensor) -> Tensor:
    """|1 - J_X^-1 T'(p_Y) J_Y|: FOMM sec. 3.3 (the inverse keeps Jacobians from shrinking to zero).

    Parameters
    ----------
    jacobian, warped : float32 [B, K, 2, 2]; of the keypoints of X and of Y(z) = X(T(z))
    slope : float32 [B, K, 2, 2]; dT/dz at the keypoints of Y
    """
    both = torch.linalg.solve(jacobian, slope @ warped)
    return (torch.eye(2, device=both.device, dtype=both.dtype) - both).abs().mean()


def keypoint_prior(points: Tensor, nearest: float = 0.1, depth: float = 0.33) -> Tensor:
    """Keypoints spread and lie at a fixed mean depth: face-vid2vid L_L.

    sum_(i, j) max(0, D_t - |x_i - x_j|^2) + |Z(x) - z_t| with D_t = 0.1 and z_t = 0.33.

    points : float32 [B, K, 3]; 2-D keypoints have no depth term
    """
    square = (points[:, :, None] - points[:, None]).pow(2).sum(-1)
    apart = 1 - torch.eye(points.shape[1], device=points.device)
    spread = ((nearest - square).relu() * apart).sum((1, 2)).mean()
    if points.shape[2] < 3:
        return spread
    return spread + (points[..., 2].mean(1) - depth).abs().mean()


def deformation_prior(expression: Tensor) -> Tensor:
    """|delta|_1: face-vid2vid L_Delta, expression [B, K, 3] stays as small as it can."""
    return expression.abs().mean()


def head_pose(rotation: Tensor, wanted: Tensor) -> Tensor:
    """|R_pitch - R_pitch'| + |R_yaw - R_yaw'| + |R_roll - R_roll'| in degrees: face-vid2vid L_H.

    The paper's teacher is a pretrained pose network; ours is the face tracker's rotation of the frame. Both matrices
    are split into the same angles, R = Rz(roll) Ry(yaw) Rx(pitch), so that no family's own convention matters.

    Parameters
    ----------
    rotation, wanted : float32 [B, 3, 3]; column vectors, x right, y down, z away from the camera
    """
    turn = angles(rotation) - angles(wanted)
    return ((turn + 180).remainder(360) - 180).abs().sum(1).mean()


def angles(rotation: Tensor) -> Tensor:
    """(yaw, pitch, roll) [B, 3] in degrees of matrices Rz(roll) Ry(yaw) Rx(pitch), as `speechhead.face.landmarks`."""
    yaw = rotation[:, 2, 0].clamp(-0.9999, 0.9999).asin()
    pitch = torch.atan2(rotation[:, 2, 1], rotation[:, 2, 2])
    roll = torch.atan2(rotation[:, 1, 0], rotation[:, 0, 0])
    return torch.rad2deg(torch.stack([yaw, pitch, roll], 1))


INSIDE = 4.0
"""Weight of what lies between the lips, beside that of the lips: teeth and darkness are a tenth of a mouth's pixels."""


def around_lips(made: Tensor, real: Tensor, marks: Tensor) -> Tensor:
    """Mean absolute difference of pictures around the mouth, where a hundredth of the pixels says everything.

    Parameters
    ----------
    made, real : float32 [B, 3, S, S]
    marks : float32 [B, 70, 3]; landmarks of `real` in [-1, 1]; the weight of a pixel is a Gaussian as wide as its lips,
        and one as wide and high as what is between them
    """
    outer, inner = marks[:, OUTER_LIPS.start : INNER_LIPS.stop, :2], marks[:, INNER_LIPS, :2]
    wide = 0.5 * (outer.amax(1) - outer.amin(1))[:, :1].clamp_min(0.02).expand(-1, 2)
    gap = 0.5 * (inner.amax(1) - inner.amin(1)).clamp_min(1 / made.shape[-1])
    weight = _bell(outer.mean(1), wide, made.shape[-1]) + INSIDE * _bell(inner.mean(1), gap, made.shape[-1])
    return ((made - real).abs() * weight).sum() / (made.shape[1] * weight.sum())


def _bell(centre: Tensor, spread: Tensor, side: int) -> Tensor:
    """Upright Gaussians [B, 1, S, S] about centres [B, 2] in [-1, 1], their deviations [B, 2] across and down."""
    axis = (torch.arange(side, device=centre.device) + 0.5) * (2 / side) - 1
    across, down = torch.exp(-0.5 * ((axis - centre[..., None]) / spread[..., None]) ** 2).unbind(1)
    return (down[:, :, None] * across[:, None])[:, None]


def wing(error: Tensor, width: float = 0.1, curvature: float = 0.02) -> Tensor:
    """Wing loss (Feng et al., 2018, eq. 5): w ln(1 + |x| / e) below w, |x| - C above. Elementwise.

    The defaults are for errors in [-1, 1] coordinates (the paper's w = 10, e = 2 are pixels of a 256 px picture).
    """
    offset = width - width * math.log(1 + width / curvature)
    size = error.abs()
    return torch.where(size < width, width * torch.log1p(size / curvature), size - offset)


def landmark_guidance(source: Tensor, driving: Tensor, source_marks: Tensor, driving_marks: Tensor) -> Tensor:
    """Implicit keypoints follow 2-D landmarks: LivePortrait L_guide (sec. 3.2).

    1 / 2N sum_i Wing(l_i - x_s,i) + Wing(l_i - x_d,i) over the first N keypoints and N given landmarks.

    Parameters
    ----------
    source, driving : float32 [B, K, 3]; keypoints, K >= N
    source_marks, driving_marks : float32 [B, N, 2]; landmarks in [-1, 1]
    """
    count = source_marks.shape[1]
    both = [wing(source_marks - source[:, :count, :2]), wing(driving_marks - driving[:, :count, :2])]
    return torch.stack([part.sum(-1).mean() for part in both]).mean()


# --- LivePortrait, second stage --------------------------------------------------------------------------------------


def stitching(stitched: Tensor, wanted: Tensor, face: Tensor, delta: Tensor, regular: float = 1.0) -> Tensor:
    """|(I_st - I_recon) (1 - M)|_1 + w |Delta_st|_1: LivePortrait L_st; outside the face nothing moves.

    Parameters
    ----------
    stitched, wanted : float32 [B, 3, H, W]; driven with stitched keypoints, and the source rendered as it is
    face : float32 [B, 1, H, W]; M, 1 where the face is
    delta : float32 [B, D]; what the stitching module adds
    """
    return ((stitched - wanted) * (1 - face)).abs().mean() + regular * delta.abs().mean()


def retargeting(
    drawn: Tensor,
    wanted: Tensor,
    region: Tensor,
    ratio: Tensor,
    wanted_ratio: Tensor,
    delta: Tensor,
    condition: float = 1.0,
    regular: float = 1.0,
) -> Tensor:
    """LivePortrait L_eyes and L_lip: only the region moves, to the given opening, by no more than is needed.

    |(I_p - I_recon) (1 - M)|_1 + w_cond |c_p - c| + w_reg |Delta|_1.

    Parameters
    ----------
    drawn, wanted : float32 [B, 3, H, W]; with retargeted keypoints, and the source rendered as it is
    region : float32 [B, 1, H, W]; M, 1 around the eyes (lips)
    ratio, wanted_ratio : float32 [B, N]; opening read off the retargeted face, and the one asked for
    delta : float32 [B, D]; what the module adds to the keypoints
    """
    constancy = ((drawn - wanted) * (1 - region)).abs().mean()
    return constancy + condition * (ratio - wanted_ratio).abs().mean() + regular * delta.abs().mean()
