"""Emotions as edits of landmarks: seven displacements, scaled by intensity and mixed; and what they do to speech."""

from __future__ import annotations

import json
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

SPEECH = Path(__file__).parent / "emotion_speech.json"
"""How much further lips move in speech, learned by pipelines/make/emotion_speech.py from acted clips."""

LIDS = (37, 38, 40, 41, 43, 44, 46, 47)

LID_OPENING = 0.092
"""Opening of the head model's eyes, outer eye distances: lid displacements are scaled to the portrait's own eyes."""

POSTURE_PITCH = np.array([0.0, -0.5, 3.0, -2.0, -1.5, 1.5, -1.0])
"""Carriage of a generated head for each of EMOTIONS at intensity 1, degrees of pitch (> 0 down)."""

PARTED = np.array([0.0, 0.0, 0.0, 0.05, 0.035, 0.0, 0.03])
"""Gap between lips that are silent for each of EMOTIONS at intensity 1, outer eye distances."""


WIDEST = 2.0
"""Amplitude of the mouth up to which an emotion moves it further: that of the control's end."""

CHANNELS = ("opening", "corners", "chin")
"""What of speech an emotion moves further up and down."""

CHANNEL = np.zeros(70, np.intp)
"""Which of CHANNELS a landmark of lips and jaw is of."""
CHANNEL[[48, 54, 60, 64]], CHANNEL[3:14] = 1, 2

PARTS = np.zeros(70, np.intp)
"""Part of the face that a landmark is of: mouth, nose and cheeks 0, brows 1, lids 2."""
PARTS[17:27], PARTS[36:48] = 1, 2

LEAD = np.array(
    [
        #   happy  sad  surprised  afraid  angry  disgusted
        [1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 3.0],
        [1.0, 0.5, 2.0, 2.0, 2.0, 4.0, 1.0],
        [1.0, 8.0, 1.0, 6.0, 6.0, 3.0, 2.0],
    ]
)
"""Who leads in a part of the face where emotions are mixed, for each of PARTS and EMOTIONS: as in the compound
expressions that people show (Du, Tao and Martinez, 2014), the brows are anger's, the mouth is that of joy, surprise or
disgust. Opposite moves of one part would cancel each other if they were added up."""


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


def led(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights float64 [3, 7] of a mix [7] in each of PARTS: together as much as they are, shared out by LEAD."""
    shares = LEAD * weights
    shares[:, 0] = 0.0  # what is neutral moves nothing
    total, felt = shares.sum(1, keepdims=True), float(weights[1:].sum())
    return np.asarray(shares * (felt / np.maximum(total, 1e-12)), np.float64)


def expressed(weights: npt.NDArray[np.float64], emotions: Array) -> Array:
    """What a mix [7] does to a face: float32 [70, 3] of displacements [7, 70, 3]."""
    each = led(weights).astype(np.float32)[PARTS]
    return np.einsum("ke,ekd->kd", each, emotions, dtype=np.float32)


@cache
def speech_gains() -> npt.NDArray[np.float64]:
    """float64 [7, 3]: by how much each of EMOTIONS at intensity 1 moves each of CHANNELS further."""
    told = json.loads(SPEECH.read_text(encoding="utf-8"))
    gains = np.ones((len(EMOTIONS), len(CHANNELS)))
    for place, channel in enumerate(CHANNELS):
        for name, gain in zip(told["emotions"], told["gains"].get(channel, ())):
            gains[EMOTIONS.index(name), place] = gain
    gains.setflags(write=False)
    return gains


def amplitudes(weights: npt.NDArray[np.float64], amplitude: float) -> npt.NDArray[np.float64]:
    """Amplitude float64 [3] of speech up and down in each of CHANNELS under a mix [7]; none passes WIDEST by itself."""
    further = 1.0 + weights @ (speech_gains() - 1.0)
    return np.minimum(amplitude * further, max(amplitude, WIDEST))
