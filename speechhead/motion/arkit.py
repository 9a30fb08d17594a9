"""ARKit's 52 blendshapes of a face, from its landmarks: what animators' tools read."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.face.landmarks import IRISES, LEFT_EYE, RIGHT_EYE

TABLE = Path(__file__).with_name("arkit.npz")
"""What each of `FITTED` does to the 68 landmarks, written by `pipelines.make.arkit`."""

BLENDSHAPES = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp",
    "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft",
    "noseSneerRight", "tongueOut",
)  # fmt: skip
"""Apple's names in Apple's order (ARFaceAnchor.BlendShapeLocation). Left is the person's left, image right."""

HIDDEN = ("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "tongueOut", "jawForward", "noseSneerLeft",
          "noseSneerRight")  # fmt: skip
"""What 68 landmarks do not show: always 0."""

FITTED = tuple(name for name in BLENDSHAPES if name not in HIDDEN and "Look" not in name)

CALM, SPARSE = 2e-4, 6e-4
"""Weight of the sum of squares and of the sum of the coefficients beside the squared error, outer eye distances."""

STEPS = 400
"""Of the descent; by then no coefficient moves by a thousandth."""

TURNS = (0.30, 0.22)
"""Way of an iris at a coefficient of 1, sideways and up or down, widths of the eye: about 30 and 25 degrees."""


@cache
def moves() -> Array:
    """What each of `FITTED` does to the landmarks, [K, 68, 3]."""
    with weights.arrays(TABLE) as stored:
        return np.asarray(stored["moves"], np.float32)


def blendshapes(landmarks: Array, rest: Array) -> Array:
    """Coefficients of a moving face.

    A sum of the blendshapes' moves, each 0 to 1, that comes near the landmarks' way from rest in the least squares,
    few of them at a time (projected gradient descent with momentum; Nesterov, 1983). Gaze is read from the irises.

    Parameters
    ----------
    landmarks : float32 [T, 70, 3]; normalised
    rest : float32 [70, 3]; the same person at rest, normalised

    Returns
    -------
    float32 [T, 52] in 0..1, in the order of `BLENDSHAPES`
    """
    away = (landmarks - rest)[:, :68].reshape(len(landmarks), -1)
    table = moves().reshape(len(FITTED), -1)
    gram = table @ table.T + CALM * np.eye(len(table), dtype=np.float32)
    towards = away @ table.T - SPARSE / 2
    step = 1 / float(np.linalg.eigvalsh(gram)[-1])
    found = ahead = np.zeros_like(towards)
    for number in range(STEPS):
        better = np.clip(ahead + step * (towards - ahead @ gram), 0, 1)
        ahead = better + number / (number + 3) * (better - found)
        found = better
    out = np.zeros((len(landmarks), len(BLENDSHAPES)), np.float32)
    out[:, [BLENDSHAPES.index(name) for name in FITTED]] = found
    for side, eye, iris, outwards in (("Right", LEFT_EYE, 0, -1), ("Left", RIGHT_EYE, 1, 1)):
        looks = _looks(landmarks, rest, eye, iris)
        for name, values in zip(("In", "Out", "Up", "Down"), _ways(looks, outwards)):
            out[:, BLENDSHAPES.index(f"eyeLook{name}{side}")] = values
    return out


def _looks(landmarks: Array, rest: Array, eye: slice, iris: int) -> Array:
    """Way of an iris from rest against its eye's corners, [T, 2] widths of the eye, x right and y down."""

    def placed(points: Array) -> Array:
        corners = points[..., eye, :][..., [0, 3], :2]
        return np.asarray(points[..., IRISES, :][..., iris, :2] - corners.mean(-2), np.float32)

    width = float(np.linalg.norm(rest[eye][3, :2] - rest[eye][0, :2]))
    return (placed(landmarks) - placed(rest)) / np.float32(max(width, 1e-6))


def _ways(looks: Array, outwards: int) -> tuple[Array, Array, Array, Array]:
    """Coefficients in, out, up and down; `outwards` is the sign of x away from the nose."""
    out, down = looks[:, 0] * outwards / TURNS[0], looks[:, 1] / TURNS[1]
    return np.clip(-out, 0, 1), np.clip(out, 0, 1), np.clip(-down, 0, 1), np.clip(down, 0, 1)
