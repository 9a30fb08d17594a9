"""Who is who in a video: faces told apart and met again by their proportions and colours.

This is no face recognition: it tells the few people of one film apart, from shot to shot, and says how sure it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from speechhead.core.arrays import Array, fixed
from speechhead.media.image import Picture

TELL = 0.5
"""How much colours count beside proportions."""

LIMIT = 2.5
"""Distance below which two faces are one person's. Of clips of 102 people 87 in a hundred pairs of the same person are
nearer, and 2 in a thousand pairs of two people (docs/decisions/0021-shots-people-and-their-mouths.md)."""

SURE = 0.8
"""Spread of the distance in which a decision turns from doubtful to sure."""

SPREAD = fixed(9.2, 9.7, 13.3, 12.4, 6.0, 7.2, 9.3, 17.8, 6.1, 2.9, 4.8, 7.1, 14.4, 4.1, 5.5, 3.5, 3.4, 4.1, 12.4)
"""How much the proportions of one person differ from clip to clip, thousandths of an outer eye distance."""

COLOURS = fixed(3.7, 2.3, 2.5, 5.4, 2.6, 3.1, 2.8, 1.7, 4.1)
"""The same of the colours of its skin, hair and clothes: lightness 0..100, red-green and blue-yellow each."""

_WIDTHS = ((0, 16), (2, 14), (4, 12), (31, 35), (39, 42), (36, 45), (21, 22))
_SIDE = 12


@dataclass(frozen=True)
class Signature:
    """What a face looks like whoever looks at it: proportions float32 [19], outer eye distances, and colours float32
    [9]."""

    shape: Array
    colours: Array

    def distance(self, other: Signature) -> float:
        """How much two faces differ: 1 is what one person's do from clip to clip."""
        shape = np.mean(((self.shape - other.shape) * 1000 / SPREAD) ** 2)
        colours = np.mean(((self.colours - other.colours) / COLOURS) ** 2)
        return float(np.sqrt(shape + TELL * colours))


def proportions(face: Array) -> Array:
    """Widths, heights and depths float32 [19] of a face [70, 3] in normalised space that expression hardly changes."""
    widths = [face[right, 0] - face[left, 0] for left, right in _WIDTHS]
    groups = ((19, 24), (27,), (30,), (33,), (2, 14), (51,))
    heights = [face[list(points), 1].mean() for points in groups]
    depths = [face[30, 2] - face[33, 2], face[[0, 16], 2].mean()]
    eyes = [face[[39, 42], 1].mean(), face[[36, 45], 1].mean(), face[27, 2], face[[17, 26], 1].mean()]
    return np.array(widths + heights + depths + eyes, np.float32)


def colours(crop: Picture) -> Array:
    """Colours float32 [9] of skin, hair and clothes in a face's crop uint8 [S, S, 3]."""
    small = cv2.resize(crop, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    parts = lab[4:7, 4:8], lab[:2, 3:9], lab[-1:]
    return np.concatenate([part.reshape(-1, 3).mean(0) for part in parts]).astype(np.float32)


@dataclass(frozen=True)
class Appearance:
    """One face for as long as it is followed: its signature, the pictures first to last (included) in which it is, and
    how much is seen of it, in sides of the face times pictures."""

    signature: Signature
    first: int
    last: int
    weight: float


def same_people(seen: Sequence[Appearance]) -> tuple[list[int], list[float]]:
    """Which person each appearance is of, from 0 for the one of whom most is seen, and how sure that is, 0..1.

    Who is in one picture with another is somebody else.
    """
    groups: list[list[int]] = []
    sure = [1.0] * len(seen)
    for index in sorted(range(len(seen)), key=lambda one: -seen[one].weight):
        far = [_distance(seen, index, group) for group in groups]
        best = int(np.argmin(far)) if far else -1
        if best >= 0 and far[best] < LIMIT:
            groups[best].append(index)
            others = sorted(far)[1:2]
            margin = min([LIMIT - far[best], *(other - far[best] for other in others)])
        else:
            groups.append([index])
            margin = far[best] - LIMIT if best >= 0 else np.inf
        sure[index] = float(1 - 0.5 * np.exp(-margin / SURE))
    groups.sort(key=lambda group: -sum(seen[index].weight for index in group))
    person = [0] * len(seen)
    for number, group in enumerate(groups):
        for index in group:
            person[index] = number
    return person, sure


def _distance(seen: Sequence[Appearance], index: int, group: list[int]) -> float:
    one = seen[index]
    if any(one.first <= seen[other].last and seen[other].first <= one.last for other in group):
        return float("inf")
    return float(np.mean([one.signature.distance(seen[other].signature) for other in group[:8]]))
