"""The driving video: where its motion begins, and its faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError
from speechhead.face.landmarks import Pose
from speechhead.face.open import open_tracker
from speechhead.face.tracker import Face
from speechhead.media.decoding import address
from speechhead.media.image import Picture
from speechhead.media.reader import VideoReader

SEARCH_SECONDS = 3.0
"""How long into the driver its face may first appear."""


@dataclass(frozen=True)
class Start:
    """Where relative motion begins. number: of the driver's frame; picture: the frame; face: in it, if looked for."""

    number: int
    picture: Picture
    face: Face | None = None


def first_face(reader: VideoReader, landmarks: str = "mesh") -> Start:
    """The driver's first frame that shows a face; `landmarks` as in `open_tracker`.

    Raises
    ------
    FaceError if there is none within SEARCH_SECONDS.
    """
    tracker = open_tracker(landmarks)
    last = max(1, round(SEARCH_SECONDS * reader.fps))
    for number, picture in enumerate(islice(reader.frames(0, last), last)):
        found = tracker.faces(picture)
        if found:
            return Start(number, picture, found[0])
    raise FaceError(
        f"{reader.path}: no face found in the first {SEARCH_SECONDS:g} s. Use a video that starts with a face."
    )


def length_and_sound(reader: VideoReader) -> tuple[int | None, bool]:
    """Frames of a video, where that is known, and whether it has sound."""
    import av

    with av.open(address(reader.path)) as container:
        stream = container.streams.video[0]
        seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
        return (round(seconds * reader.fps) if seconds else None), bool(container.streams.audio)


def best_start(reader: VideoReader, neutral: Array, pose: Pose, landmarks: str = "mesh") -> Start | None:
    """The frame whose face is most like a portrait's: landmarks in the plane, centre and size removed, as the papers'
    demonstrations choose it.

    Parameters
    ----------
    neutral, pose : float32 [70, 3], the portrait's normalised landmarks, and its head pose
    """

    def flat(landmarks: Array) -> Array:
        points = landmarks[:68, :2] - landmarks[:68, :2].mean(0)
        alike: Array = points / np.sqrt(max(1e-6, float(cv2.contourArea(cv2.convexHull(points.astype(np.float32))))))
        return alike

    wanted = flat(neutral @ pose.rotation.T)
    best, least = None, np.inf
    for number, (picture, face) in enumerate(tracked(reader.frames(), landmarks=landmarks)):
        if face is not None:
            distance = float(((flat(face.landmarks) - wanted) ** 2).sum())
            if distance < least:
                best, least = Start(number, picture, face), distance
    return best


def tracked(
    pictures: Iterable[Picture], smooth: bool = False, landmarks: str = "mesh"
) -> Iterator[tuple[Picture, Face | None]]:
    """Pictures with their faces, holding only a few; `landmarks` as in `open_tracker`."""
    seen: list[Picture] = []

    def remembered() -> Iterator[Picture]:
        for picture in pictures:
            seen.append(picture)
            yield picture

    for face in open_tracker(landmarks, smooth=smooth).track(remembered()):
        yield seen.pop(0), face
