"""The people of a film, for a user who chooses one of them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from speechhead.media.image import Picture
from speechhead.media.reader import VideoReader

from .dub import look
from .hindered import hindered
from .survey import Survey, Take

SIDE = 192
"""Pixels of a side of a person's picture."""


@dataclass(frozen=True)
class Person:
    """Somebody in a film.

    number: for --face; spans: seconds, from and to, of each take; usable: seconds in which the mouth can be drawn
    size: of the face in the mean, pixels; sure: how sure it is that all takes are this person's, 0..1
    picture: uint8 [SIDE, SIDE, 3]; None where the face is never seen well
    """

    number: int
    spans: tuple[tuple[float, float], ...]
    usable: float
    size: float
    sure: float
    picture: Picture | None

    @property
    def seconds(self) -> float:
        """How long this person is seen."""
        return sum(end - start for start, end in self.spans)


def people_of(path: str | Path) -> list[Person]:
    """Everybody in a video, the one of whom most is seen first.

    Raises
    ------
    MediaError if the video can not be read; FaceError if it shows no face.
    """
    reader = VideoReader(path)
    with closing(look(reader.frames(), reader.fps, str(path))) as survey:
        return [_person(survey, number) for number in range(survey.people)]


def _person(survey: Survey, person: int) -> Person:
    takes, fps = [take for take in survey.takes if take.person == person], survey.fps
    spans = tuple((take.first / fps, (take.last + 1) / fps) for take in takes)
    alone = sum(int(np.logical_or.reduce(list(hindered(take, fps).values())).sum()) for take in takes)
    usable = (sum(len(take) for take in takes) - alone) / fps
    size = float(np.nanmean(np.concatenate([take.fact("side") for take in takes])))
    return Person(person + 1, spans, usable, size, min(take.sure for take in takes), _picture(survey, takes))


def _picture(survey: Survey, takes: list[Take]) -> Picture | None:
    looks = [kept for take in sorted(takes, key=lambda take: -take.weight) for kept in (*take.shut, *take.teeth)]
    if not looks:
        return None
    crop = looks[0].open(survey.scratch)[0]
    return np.asarray(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
