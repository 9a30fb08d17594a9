"""Mouth edits: amplitude of speech, and the promise that lips which touch in speech touch in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep

UPPER_INNER = (61, 62, 63)
LOWER_INNER = (67, 66, 65)
"""Inner-lip points that face each other."""


@dataclass(frozen=True)
class Lips:
    """How lips part. Gaps between the inner lips, in outer eye distances."""

    closed: float = 0.008
    """Gap below which speech means closed lips: twice the noise of the tracked mesh."""

    parted: float = 0.03
    """Gap from which speech means open lips; between the two the gap eases in. Chosen by eye."""

    upper_share: float = 0.35
    """Part of a correction that the upper lip makes; the lower one is the more mobile."""

    thinner: float = 0.05
    """Part of an opening by which each lip may get thinner. In the training clips upper lips lose 0.09 of it and lower
    ones 0.07."""


LIPS = Lips()


# Points that go along with each inner pair: the outer lip in front of it, and half of the lip's shoulder.
_UPPER_ALONG = (((61, 1.0), (50, 1.0), (49, 0.5)), ((62, 1.0), (51, 1.0)), ((63, 1.0), (52, 1.0), (53, 0.5)))
_LOWER_ALONG = (((67, 1.0), (58, 1.0), (59, 0.5)), ((66, 1.0), (57, 1.0)), ((65, 1.0), (56, 1.0), (55, 0.5)))


def _moved(along: tuple[tuple[tuple[int, float], ...], ...]) -> tuple[Any, Any, npt.NDArray[np.float64]]:
    """Pair and number of each point that goes along, and its part [n, 1]."""
    pairs, points, parts = zip(*((pair, point, part) for pair, row in enumerate(along) for point, part in row))
    return list(pairs), list(points), np.array(parts)[:, None]


_UPPER, _LOWER = list(UPPER_INNER), list(LOWER_INNER)
_UPPER_MOVED, _LOWER_MOVED = _moved(_UPPER_ALONG), _moved(_LOWER_ALONG)

_OUTER = (((50, 1.0), (49, 0.5)), ((51, 1.0),), ((52, 1.0), (53, 0.5)))
_LOWER_OUTER = (((58, 1.0), (59, 0.5)), ((57, 1.0),), ((56, 1.0), (55, 0.5)))
# The jaw goes along with the lower lip: most of it at the chin.
_JAW = {8: 0.8, 7: 0.76, 9: 0.76, 6: 0.68, 10: 0.68, 5: 0.48, 11: 0.48, 4: 0.24, 12: 0.24}


def gain_mask() -> Array:
    """float32 [70, 1]: how much a landmark takes part in the mouth amplitude (lips 1, chin 1, jaw's ends 0)."""
    mask = np.zeros((70, 1), np.float32)
    mask[48:68] = 1.0
    mask[4:13] = 1.0
    mask[[3, 13]] = 0.5
    return mask


def lip_gaps(landmarks: Array) -> npt.NDArray[np.float64]:
    """Signed vertical gap of the three inner-lip pairs, float64 [3], in the unit of `landmarks` [70, 3]."""
    return (landmarks[_LOWER, 1] - landmarks[_UPPER, 1]).astype(np.float64)


def intended_gaps(gaps: npt.NDArray[np.float64], amplitude: float) -> npt.NDArray[np.float64]:
    """Gaps to show for the gaps of the speech motion: none below LIPS.closed, times `amplitude` from LIPS.parted on."""
    return np.array([amplitude * max(gap, 0.0) * smoothstep(gap, LIPS.closed, LIPS.parted) for gap in gaps])


def set_gaps(landmarks: npt.NDArray[np.floating], gaps: npt.NDArray[np.float64]) -> None:
    """Move the lips of one face in place so that its inner pairs stand `gaps` apart; at 0 the points coincide.

    Parameters
    ----------
    landmarks : float32 [70, 3], normalised space
    gaps : [3], >= 0, for the pairs 61-67, 62-66, 63-65
    """
    present = landmarks[_LOWER] - landmarks[_UPPER]
    shrink = np.minimum(gaps / np.maximum(present[:, 1].astype(np.float64), 1e-6), 1.0)
    wanted = present * shrink[:, None].astype(present.dtype)
    wanted[:, 1] = gaps
    change = wanted - present
    for (pairs, points, parts), share in ((_UPPER_MOVED, -LIPS.upper_share), (_LOWER_MOVED, 1.0 - LIPS.upper_share)):
        landmarks[points] += (share * parts).astype(change.dtype) * change[pairs]
    for pair in np.flatnonzero(gaps == 0.0):
        landmarks[UPPER_INNER[pair]] = landmarks[LOWER_INNER[pair]]  # no rounding error between lips that touch


def keep_body(speech: Array) -> None:
    """Let outer lips and jaw go along with the inner lips of one frame of speech motion, in place.

    A network that is judged by the opening learns to open the inner lips while the outer ones and the chin stay near
    their mean. Such thin lips are on no face: generators and trackers take them for a smaller opening. Where lips
    keep their thickness up to LIPS.thinner of the opening, nothing changes.

    Parameters
    ----------
    speech : float32 [70, 3], displacement from the closed-mouth face, normalised space
    """
    for pair, gap in enumerate(np.maximum(lip_gaps(speech), 0.0)):
        upper, lower = _OUTER[pair], _LOWER_OUTER[pair]
        rise = max(float(speech[upper[0][0], 1] - speech[UPPER_INNER[pair], 1]) - LIPS.thinner * float(gap), 0.0)
        fall = max(float(speech[LOWER_INNER[pair], 1] - speech[lower[0][0], 1]) - LIPS.thinner * float(gap), 0.0)
        if rise:
            for point, part in upper:
                speech[point, 1] -= part * rise
        if fall:
            for point, part in lower:
                speech[point, 1] += part * fall
            for point, part in _JAW.items():
                speech[point, 1] += part * fall / 3.0  # three pairs
