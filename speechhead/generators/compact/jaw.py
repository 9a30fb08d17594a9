"""How far a jaw is down, told by the chin and the lower lip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speechhead.core.arrays import Array

CHIN, LOWER_MIDDLE = [7, 8, 9], [65, 66, 67]


@dataclass(frozen=True)
class Follow:
    """How the lower teeth follow what lies over them.

    Skin over the chin goes down with the jaw, but is tracked less surely than the lip; the lip goes down by itself as
    well and shows the lower teeth. Fitted to open mouths of training clips
    (docs/decisions/0014-a-mouth-with-an-inside.md).
    """

    chin: float = 1.0
    """Part of the chin's way, beyond `slack`."""

    slack: float = 0.02
    """Way of the chin that skin goes without the jaw, and that the tracker takes for one, outer eye distances."""

    lip: float = 0.12
    """Part of the lower lip's way."""

    most: float = 1.0
    """The most of the lower lip's way: teeth do not go out of sight beneath the lip by a nodding head."""


FOLLOW = Follow()


def dropped(face: Array, rest: Array) -> Array:
    """How far [...] the lower teeth stand below where they are with the mouth closed, outer eye distances, 0 at least.

    Parameters
    ----------
    face, rest : float32 [..., 70, 3]; landmarks of the driving and of the closed mouth, normalised space
    """
    chin, lip = ((face[..., points, 1] - rest[..., points, 1]).mean(-1) for points in (CHIN, LOWER_MIDDLE))
    jaw = FOLLOW.chin * np.maximum(chin - FOLLOW.slack, 0) + FOLLOW.lip * lip
    return np.asarray(np.minimum(np.maximum(jaw, 0), np.maximum(FOLLOW.most * lip, 0)), np.float32)
