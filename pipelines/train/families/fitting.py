"""Pictures brought to a network's size."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def fit(image: Tensor, size: int) -> Tensor:
    """Pictures [B, 3, S, S] at another size, by area averaging when they shrink."""
    if image.shape[-1] == size:
        return image
    if image.shape[-1] > size:
        return F.interpolate(image, size=(size, size), mode="area")
    return F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)
