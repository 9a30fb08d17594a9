"""Whether the lips belong to the sound, and by how many frames the picture comes after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.data.curves import correlation, envelope
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.face.landmarks import from_mesh
from speechhead.speech.model import Speech2Landmarks

LAGS = 15
"""Frames to either side within which the lag is looked for."""
CLOSED = 12.0
"""Per cent of a sample's frames, those with the smallest opening, whose median is the neutral face."""


class Predictor(Protocol):
    """What the lips should do to a sound."""

    def __call__(self, sound: Array, neutral: Array) -> Array:
        """float32 [640 T] and the neutral face [70, 3] to the lip opening [T], in any unit."""
        ...


@cache
def _speech2landmarks() -> Speech2Landmarks:
    return Speech2Landmarks.load(threads=1)


def from_speech(sound: Array, neutral: Array) -> Array:
    """The opening that the shipped Speech2Landmarks gives, in outer eye distances: float32 [640 T] -> [T]."""
    return gap(_speech2landmarks().whole(sound, neutral=neutral))


def energy(sound: Array, neutral: Array | None = None) -> Array:
    """The sound's level per frame, the plain predictor: float32 [640 T] -> root of the smoothed energy [T]."""
    return envelope(sound, len(sound) // SAMPLES_PER_FRAME)


def gap(landmarks: Array) -> Array:
    """Signed height [T] between the inner lips of landmarks or motion [T, 70, 3]: closing more than closed counts."""
    return (landmarks[:, 65:68, 1].mean(1) - landmarks[:, 61:64, 1].mean(1)).astype(np.float32)


def neutral_face(normalised: Array) -> Array:
    """Median of the frames [T, 478, 3] with the smallest opening: landmarks [70, 3]."""
    landmarks = from_mesh(normalised)
    opening = gap(landmarks)
    return np.median(landmarks[opening <= np.percentile(opening, CLOSED)], axis=0).astype(np.float32)


@dataclass(frozen=True)
class Relation:
    """Lips against sound. curve: float64 [2 LAGS + 1], r by the frames that the picture is late; frames: pairs."""

    curve: NDArray[np.float64]
    frames: int

    @property
    def lag(self) -> int:
        """The lag with the best fit; a small one where several fit about as well."""
        return int(np.argmax(self.curve - _preference(self.frames) * np.abs(np.arange(-LAGS, LAGS + 1)))) - LAGS

    def at(self, lag: int) -> float:
        """r at a lag."""
        return float(self.curve[lag + LAGS])


def relate(opening: Array, sound: Array, there: NDArray[np.bool_], neutral: Array, predictor: Predictor) -> Relation:
    """Correlate the lips of a sample with what its sound predicts, at every lag.

    Parameters
    ----------
    opening : float32 [T] as `gap` gives it
    sound, there : [640 (T + 2 LAGS)], the sample's sound with LAGS frames before and after it, and where it exists
    """
    predicted = predictor(sound, neutral)[: len(opening) + 2 * LAGS]
    present = np.all(there.reshape(-1, SAMPLES_PER_FRAME), axis=1)
    curve, fewest = np.zeros(2 * LAGS + 1), len(opening)
    for lag in range(-LAGS, LAGS + 1):
        part = slice(LAGS - lag, LAGS - lag + len(opening))
        pairs = present[part]
        if pairs.sum() >= 0.6 * len(opening):
            curve[lag + LAGS] = correlation(opening[pairs], predicted[part][pairs])
        if lag == 0:
            fewest = int(pairs.sum())
    return Relation(curve, fewest)


def together(relations: Sequence[Relation]) -> Relation:
    """The relation of all samples of one video, which share an offset: the mean curve, long samples counting more."""
    frames = np.array([relation.frames for relation in relations], float)
    curve = np.average([relation.curve for relation in relations], axis=0, weights=np.maximum(frames, 1))
    return Relation(curve, int(frames.sum()))


def offset_of(relations: Sequence[Relation]) -> int | None:
    """The offset of a video's picture against its sound in frames, or None where lips and sound have no relation.

    A video has one offset. Where some of its samples show it clearly they decide, so that a voice over other pictures
    does not blur it; else all together must.
    """
    clear = [relation for relation in relations if _is_clear(relation)]
    pooled = together(clear or relations)
    return pooled.lag if clear or _is_clear(pooled) else None


def belongs(relation: Relation, lag: int) -> bool:
    """Whether a sample's lips follow its sound at its video's offset."""
    return relation.at(lag) >= 0.2 + 5 / max(relation.frames, 1)


def _is_clear(relation: Relation) -> bool:
    # Swapped sounds fit with r 0.0 to 0.3 in ten seconds of speech, but up to 0.8 in a sentence of three seconds with
    # silence before and after it, and then mostly far off; true ones fit with 0.5 to 0.95 within three frames.
    needed = 0.3 + 15 / max(relation.frames, 1) + 0.02 * abs(relation.lag)
    return abs(relation.lag) < LAGS and relation.at(relation.lag) >= needed


def _preference(frames: int) -> float:
    """Loss of r for each frame of lag."""
    return 0.006 + 0.4 / max(frames, 25)
