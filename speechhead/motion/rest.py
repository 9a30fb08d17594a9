"""The rest face: what a portrait looks like with its mouth closed and relaxed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep
from speechhead.face.landmarks import mouth_opening

from .emotion import BASIS
from .mouth import gain_mask, set_gaps

PRIOR = Path(__file__).parent / "rest.npz"
"""Closed-mouth faces of the people in the training clips: mean and main directions.

Made by pipelines/make/motion_statistics.py.
"""

SMILE = 1
"""Place of the smile among REST_MODES."""


@dataclass(frozen=True)
class Relaxing:
    """How a mouth is told from its expression. Chosen by eye;
    `python -m pipelines.judge.expression_report` measures what they leave of a smile."""

    mode_spread: tuple[float, ...] = (0.15, 0.5, 0.2, 0.2, 0.2, 0.2)
    """How strongly a photo may show each of REST_MODES, of pipelines/make/emotion_basis.py: deviations of a prior."""

    noise: float = 0.025
    """Standard deviation of a landmark that neither identity nor the modes explain, outer eye distances."""

    smile_seen: tuple[float, float] = (0.15, 0.45)
    """Weights of the smile between which it is taken for one beyond doubt."""

    calm_spread: float = 0.1
    """What of a smile, as a weight of its mode, a calm mouth may look like because it is a wide one."""

    open: tuple[float, float] = (0.05, 0.15)
    """Inner-lip opening, outer eye distances, between which the photo's lip shape gives way to the identity's."""


RELAXING = Relaxing()


@cache
def rest_system() -> tuple[Array, Array, Array]:
    """Mean face [70, 3], whitened identity directions [k, 70, 3] and expression modes [6, 70, 3]."""
    with weights.arrays(PRIOR) as prior, weights.arrays(BASIS) as basis:
        return prior["mean"], prior["directions"], basis["rest_modes"]


def explain(landmarks: Array) -> tuple[Array, Array]:
    """What of a face is the person and what is the mouth's expression.

    Most probable identity and mode weights (not negative) when a face is the mean face plus identity plus modes, each
    with its own spread: a wide mouth is thus told from a smile by the company of the other landmarks.

    Parameters
    ----------
    landmarks : float32 [70, 3], normalised space

    Returns
    -------
    float32 [70, 3] the identity's face; float32 [6] weights of the modes jaw open, smile, stretch, upper lip up, lower
    lip down, funnel.
    """
    mean, directions, modes = rest_system()
    lower = list(range(3, 14)) + list(range(31, 36)) + list(range(48, 68))
    target = (landmarks - mean)[lower].ravel() / RELAXING.noise
    spread = np.array(RELAXING.mode_spread, np.float32)
    identity = directions[:, lower].reshape(len(directions), -1).T / RELAXING.noise
    shown = np.ones(len(modes), bool)
    while True:  # ridge regression; a mode that comes out negative is taken out and the rest solved again
        expression = modes[:, lower].reshape(len(modes), -1).T[:, shown] * spread[shown] / RELAXING.noise
        system = np.concatenate([identity, expression], axis=1)
        solution = np.linalg.solve(system.T @ system + np.eye(system.shape[1]), system.T @ target)
        person, found = solution[: len(directions)], solution[len(directions) :] * spread[shown]
        if (found >= 0.0).all():
            break
        shown[np.flatnonzero(shown)[found < 0.0]] = False
    weights = np.zeros(len(modes), np.float32)
    weights[shown] = found
    return (mean + np.tensordot(person, directions, 1)).astype(np.float32), weights


def corners(face: Array) -> Array:
    """Of the mouth's corners: width, rise above the inner lips, and depth behind the outer ones, of [70, 3]: [3]."""
    place = face[[48, 54]]
    rise, depth = face[[62, 66], 1].mean() - place[:, 1].mean(), place[:, 2].mean() - face[[51, 57], 2].mean()
    return np.array([place[1, 0] - place[0, 0], rise, depth], np.float32)


def rest_face(landmarks: Array) -> Array:
    """The portrait's face with closed, relaxed mouth: jaw up, smile gone, inner lips touching.

    Parameters
    ----------
    landmarks : float32 [70, 3], normalised space, mouth in any state

    Returns
    -------
    float32 [70, 3]; eyes, brows, nose and the ends of the jaw are the portrait's own.
    """
    person, weights = explain(landmarks)
    mean, _, modes = rest_system()
    relaxed = landmarks - np.tensordot(weights, modes, 1)
    # The shape of wide open lips says little about closed ones: there the person's most probable lips serve.
    guess = smoothstep(float(mouth_opening(landmarks)), *RELAXING.open)
    shape = (1.0 - guess) * relaxed + guess * person
    # No photo's smile is the model's alone, and the prior gives what is left of it to the person: corners of the mouth
    # two standard deviations too wide, too high and too far back. Of someone who smiles they are taken to be calm.
    smile = corners(modes[SMILE] + mean) - corners(mean)
    left = float((corners(shape) - corners(mean)) @ smile / (smile @ smile)) - RELAXING.calm_spread
    shape = shape - np.float32(max(left, 0.0) * smoothstep(float(weights[SMILE]), *RELAXING.smile_seen)) * modes[SMILE]
    rest = landmarks + gain_mask() * (shape - landmarks)
    set_gaps(rest, np.zeros(3))
    return rest.astype(np.float32)
