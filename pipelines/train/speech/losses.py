"""Losses on landmark motion: where the points are, how they move, and above all how the lips open."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from speechhead.core.arrays import Array

INNER_UPPER, INNER_LOWER = [61, 62, 63], [67, 66, 65]
CORNERS, CHIN, LIPS = [48, 54], [7, 8, 9], slice(48, 68)


def point_weights() -> Tensor:
    """float [70]: lips count most, the jaw less, brows hardly."""
    weights = torch.zeros(70)
    weights[:17], weights[17:27], weights[27:36] = 0.15, 0.03, 0.03
    weights[48:60], weights[60:68] = 1.0, 1.5
    return weights


def opening(motion: Tensor) -> Tensor:
    """Change of the lip opening of displacements [..., 70, 3], signed, in outer-eye distances: [...]."""
    return motion[..., INNER_LOWER, 1].mean(-1) - motion[..., INNER_UPPER, 1].mean(-1)


def lip_opening(motion: Array) -> Array:
    """`opening` of an array, float32 [T]."""
    return opening(torch.from_numpy(np.ascontiguousarray(motion))).numpy()


def width(motion: Tensor) -> Tensor:
    """Change of the mouth's width: [...]."""
    return motion[..., CORNERS[1], 0] - motion[..., CORNERS[0], 0]


def chin(motion: Tensor) -> Tensor:
    """How far the chin is down: [...]."""
    return motion[..., CHIN, 1].mean(-1)


def corners(motion: Tensor) -> Tensor:
    """How far the lip corners are down: [...]."""
    return motion[..., CORNERS, 1].mean(-1)


def protrusion(motion: Tensor) -> Tensor:
    """Depth of the lips: [...]."""
    return motion[..., LIPS, 2].mean(-1)


CURVES = {
    "opening": (opening, 0.015),
    "width": (width, 0.01),
    "chin": (chin, 0.015),
    "corners": (corners, 0.01),
    "protrusion": (protrusion, 0.01),
}
"""What of the motion has a loss of its own: the curve, and the standard deviation that counts as still."""


def concordance(a: Tensor, b: Tensor, mask: Tensor, floor: float) -> Tensor:
    """Lin's concordance along time, [N, T] -> [N]: 1 only if shape, amplitude and mean agree.

    floor: standard deviation that counts as still, so that noise need not be followed.
    """
    count = mask.sum(-1).clamp(min=1)
    mean_a, mean_b = (a * mask).sum(-1) / count, (b * mask).sum(-1) / count
    da, db = (a - mean_a[:, None]) * mask, (b - mean_b[:, None]) * mask
    covariance = (da * db).sum(-1) / count
    spread = (da**2).sum(-1) / count + (db**2).sum(-1) / count + 0.5 * (mean_a - mean_b) ** 2
    return (2 * covariance + floor**2) / (spread + floor**2)


def motion_loss(predicted: Tensor, true: Tensor, mask: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Terms for sequences of motion [N, T, 70, 3], mask [N, T] (weight of each frame, 0 where there is no truth).

    `velocity` is squared; `pace` is the mean distance of the lips' velocities, which forgives the odd quick motion that
    is missed and does not forgive trembling.
    """
    total = mask.sum().clamp(min=1)
    scale = 0.05  # a usual displacement of the lips, in outer-eye distances
    error = ((predicted - true) / scale).pow(2).sum(-1) @ weights / weights.sum()
    velocity = (((predicted - true).diff(dim=1)) / scale).pow(2).sum(-1) @ weights / weights.sum()
    both = mask[:, 1:] * mask[:, :-1]
    here = (mask.sum(-1) > 12).float() * mask.mean(-1)
    agree = {
        name: ((1 - concordance(f(predicted), f(true), (mask > 0).float(), floor)) * here).sum()
        / here.sum().clamp(min=1e-3)
        for name, (f, floor) in CURVES.items()
    }
    lips = (predicted - true)[..., 48:68, :].diff(dim=1) / scale
    pace = (lips.pow(2).sum(-1) + 1e-4).sqrt().mean(-1)
    return {
        "points": (error * mask).sum() / total,
        "velocity": (velocity * both).sum() / both.sum().clamp(min=1),
        "pace": (pace * both).sum() / both.sum().clamp(min=1),
        **agree,
    }


def label_loss(motion: Tensor, logits: Tensor, labels: Tensor, mask: Tensor, still: Tensor) -> dict[str, Tensor]:
    """Terms where only phonemes are known: labels int [N, T], mask [N, T], still [N, T] 1 well inside silence."""
    visemes = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none", label_smoothing=0.05)
    closed = (labels == 1).float() * mask
    gap = torch.relu(opening(motion) - 0.008) / 0.05
    calm = (motion / 0.05).pow(2).sum(-1).mean(-1)
    return {
        "visemes": (visemes * mask).sum() / mask.sum().clamp(min=1),
        "closed": (gap.pow(2) * closed).sum() / closed.sum().clamp(min=1),
        "still": (calm * still).sum() / still.sum().clamp(min=1),
    }
