"""Emotions as edits of landmarks: seven displacements, scaled by intensity and mixed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.core.controls import EMOTIONS

BASIS = Path(__file__).parent / "emotions.npz"
"""Displacements made by pipelines/make/emotion_basis.py from the expression modes of ICT-FaceKit (MIT)."""

LIDS = (37, 38, 40, 41, 43, 44, 46, 47)

LID_OPENING = 0.092
"""Opening of the head model's eyes, outer eye distances: lid displacements are scaled to the portrait's own eyes."""

POSTURE_PITCH = np.array([0.0, -0.5, 3.0, -2.0, -1.5, 1.5, -1.0])
"""Carriage of a generated head for each of EMOTIONS at intensity 1, degrees of pitch (> 0 down)."""

PARTED = np.array([0.0, 0.0, 0.0, 0.05, 0.035, 0.0, 0.03])
"""Gap between lips that are silent for each of EMOTIONS at intensity 1, outer eye distances."""


@cache
def displacements() -> Array:
    """float32 [7, 70, 3]: displacement of every landmark at intensity 1, in the order of EMOTIONS."""
    with weights.arrays(BASIS) as arrays:
        basis: Array = arrays["emotions"]
    basis.setflags(write=False)
    return basis


def fitted(face: Array) -> Array:
    """`displacements` for one face [70, 3]: narrow eyes move their lids less, so that they never cross."""
    opening = float((face[[41, 40, 47, 46], 1] - face[[37, 38, 43, 44], 1]).mean())
    basis = displacements().copy()
    basis[:, list(LIDS)] *= np.float32(min(max(opening / LID_OPENING, 0.2), 1.3))
    return basis


def mix(emotion: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """Weights float64 [7] of a mix by name; a sum above 1 is scaled to 1, so that no mix leaves the human range."""
    weights = np.array([emotion.get(name, 0.0) for name in EMOTIONS], np.float64)
    weights /= max(1.0, float(weights.sum()))
    return weights
