"""Whether something lies over the mouth: a mask, a hand, a microphone, a cup, a scarf."""

from __future__ import annotations

from functools import cache

import numpy as np

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.media.image import Picture

from .mouth_view import mouth_features

PARTS = ("mean", "scale", "inner", "inner_bias", "outer", "outer_bias")
"""Arrays of the network."""


@cache
def _network() -> dict[str, Array]:
    """Arrays of the network: mean, scale [F]; inner [F, H], inner_bias [H], outer [H], outer_bias []."""
    with weights.arrays("mouth_cover.npz") as store:
        return {name: store[name].astype(np.float32) for name in PARTS}


def covered(image: Picture, mesh: Array) -> float:
    """How sure it is that the mouth of a face is hidden: log odds, above 0 for hidden.

    Parameters
    ----------
    image : uint8 [H, W, 3] RGB
    mesh : float32 [478, 3]; the face in pixels of the image
    """
    return cover_odds(mouth_features(image, mesh), _network())


def cover_odds(features: Array, network: dict[str, Array]) -> float:
    """Log odds that features [F] of `mouth_features` are of something else than a mouth: one hidden layer."""
    known = np.clip((features - network["mean"]) / network["scale"], -4, 4)
    inner = np.tanh(known @ network["inner"] + network["inner_bias"])
    return float(inner @ network["outer"] + network["outer_bias"])
