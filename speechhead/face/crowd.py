"""Every face of a video, followed: each keeps its number for as long as it is seen without a break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from speechhead.media.image import Picture

from .cuts import CUTS, difference, thumbnail
from .mesh import Roi, roi_from_mesh
from .tracker import Face, FaceTracker, next_roi


@dataclass(frozen=True)
class Watch:
    """How faces are looked for while others are followed."""

    every: float = 0.4
    """Seconds after which the whole picture is looked at again, for those who come."""
    smallest: float = 40.0
    """Longer side in pixels of a face that is followed."""
    same: float = 0.45
    """Two faces whose middles are nearer than this part of the smaller one's side are one."""
    most: int = 12
    """Faces that are followed at a time, the largest first."""


WATCH = Watch()


@dataclass
class _Followed:
    number: int
    roi: Roi
    face: Face


@dataclass(frozen=True)
class Glance:
    """One picture's faces by their number, its thumbnail uint8 [h, w, 3], and whether followed faces were dropped
    because it looks like the first one after a cut."""

    faces: dict[int, Face]
    thumbnail: Picture
    anew: bool


class Crowd:
    """Follows all faces of a video.

    Parameters
    ----------
    tracker : finds and follows single faces
    fps : pictures per second
    """

    def __init__(self, tracker: FaceTracker, fps: float) -> None:
        self._tracker = tracker
        self._pause = max(1, round(WATCH.every * fps))
        self._followed: list[_Followed] = []
        self._numbers = 0

    def watch(self, pictures: Iterable[Picture]) -> Iterator[tuple[Picture, Glance]]:
        """Each picture uint8 [H, W, 3] with its faces."""
        last: Picture | None = None
        waited = self._pause
        for picture in pictures:
            small = thumbnail(picture)
            anew = last is not None and difference(last, small) > CUTS.suspect
            last = small
            if anew:
                self._followed = []
            lost = self._follow(picture)
            waited += 1
            if anew or lost or waited >= self._pause:
                waited = 0
                self._look(picture, zoom=not self._followed)
            yield picture, Glance({one.number: one.face for one in self._followed}, small, anew)

    def _follow(self, picture: Picture) -> bool:
        """Move on to the next picture; whether a face was lost."""
        kept: list[_Followed] = []
        for one in self._followed:
            face = self._tracker.follow(picture, one.roi)
            if face is not None and not any(_same(face, other.face) for other in kept):
                kept.append(_Followed(one.number, next_roi(one.roi, roi_from_mesh(face.mesh)), face))
        lost = len(kept) < len(self._followed)
        self._followed = kept
        return lost

    def _look(self, picture: Picture, zoom: bool) -> None:
        """Begin to follow faces that are not followed yet."""
        for face in self._tracker.faces(picture, zoom):
            if len(self._followed) >= WATCH.most or face.side < WATCH.smallest:
                break
            if not any(_same(face, one.face) for one in self._followed):
                self._followed.append(_Followed(self._numbers, roi_from_mesh(face.mesh), face))
                self._numbers += 1


def _same(one: Face, other: Face) -> bool:
    apart = (one.box[:2] + one.box[2:] - other.box[:2] - other.box[2:]) / 2
    return float(np.abs(apart).max()) < WATCH.same * min(one.side, other.side)
