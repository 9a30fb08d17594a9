"""What each picture of a video shows: one face, followed, or why it is of no use."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from speechhead.core.arrays import Array
from speechhead.face.detector import Detection, FaceDetector
from speechhead.face.landmarks import RIGID, Pose, from_mesh, remove_pose, to_normalised
from speechhead.face.tracker import Face, FaceTracker
from speechhead.media.image import Picture

from .cuts import CutDetector
from .picture import Look, look_at, same
from .settings import FROZEN, JUMP, LARGEST_TILT, LARGEST_YAW, OTHER_SHAPE, RIVAL, FootageSettings

EYES_TO_FIND = 24.0
"""Outer eye distance in pixels to which the smallest wanted face is scaled down for the detector."""
EVERY = 5
"""Frames between looks for a second face, and for a face where there is none."""
_STILL = [*range(5), *range(12, 17), *range(27, 36), 36, 39, 42, 45]  # jaw before the ears, nose, eye corners


@dataclass(frozen=True)
class Watched:
    """One picture.

    reason : why it is of no use, or '' (then mesh [478, 3] px, pose, look and repeats are there), with its number;
    begins : a shot or a face that is not the last picture's begins; retract : pictures before this one that share
    its fate.
    """

    index: int
    reason: str = ""
    value: float = 0.0
    begins: bool = False
    retract: int = 0
    mesh: Array | None = None
    pose: Pose | None = None
    look: Look | None = None
    repeats: bool = False


class _ScaledDetector(FaceDetector):
    """The detector on a smaller copy: footage is large, and faces too small for a sample need not be found."""

    def __init__(self, min_eyes: float) -> None:
        super().__init__(threads=1)
        self._factor = min(1.0, EYES_TO_FIND / min_eyes)

    def detect(self, image: Picture, zoom: bool = True) -> list[Detection]:
        factor = max(self._factor, min(1.0, 256 / max(image.shape[:2])))
        if factor == 1:
            return super().detect(image, zoom)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        scale = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]], np.float32)
        found = super().detect(np.asarray(small, np.uint8), zoom)
        return [Detection(d.box * np.tile(scale, 2), d.keypoints * scale, d.score) for d in found]


class _Tracker(FaceTracker):
    """The library's tracker, picture by picture."""

    def __init__(self, min_eyes: float) -> None:
        super().__init__(threads=1)
        self._detector = _ScaledDetector(min_eyes)
        self.restart()

    def restart(self) -> None:
        """Look for a face anew."""
        self._waiting: deque[Picture] = deque()
        self._faces = self.track(self._handed())

    def step(self, picture: Picture) -> Face | None:
        """The followed face in the next picture."""
        self._waiting.append(picture)
        return next(self._faces)

    def rival(self, picture: Picture, face: Face) -> float:
        """Size of the largest other face, in sides of the followed one; 0 if there is none."""
        if len(self._detector.detect(picture)) < 2:
            return 0.0
        others = [
            other.side
            for other in self.faces(picture)
            if np.abs(other.mesh[4, :2] - face.mesh[4, :2]).max() > 0.25 * face.side
        ]
        return max(others, default=0.0) / face.side

    def _handed(self) -> Iterator[Picture]:
        while True:
            yield self._waiting.popleft()


@cache
def _tracker(min_eyes: float) -> _Tracker:
    """One for all videos of a process."""
    return _Tracker(min_eyes)


class Watcher:
    """Looks at the pictures of one video in their order."""

    def __init__(self, settings: FootageSettings) -> None:
        self._settings = settings
        self._tracker = _tracker(settings.min_eyes)
        self._tracker.restart()
        self._cuts = CutDetector()
        self._last: tuple[Picture, Watched] | None = None
        self._lost = self._since = 0
        self._frozen = 0
        self._differences: deque[Array] = deque(maxlen=EVERY)

    def look(self, index: int, picture: Picture) -> Watched:
        """What the picture uint8 [H, W, 3] with this number shows."""
        if self._last and self._last[0] is picture and self._last[1].mesh is not None:
            return self._keep(picture, self._repeated(index, self._last[1]))  # shown longer than a frame
        cut = self._cuts.push(picture)
        if cut is not None:
            self._tracker.restart()
            self._last, self._lost, self._since, self._frozen = None, 0, 0, 0
            self._differences.clear()
        face = self._tracker.step(picture) if self._lost % EVERY == 0 else None
        self._lost = 0 if face else self._lost + 1
        if face is None:
            self._since = 0
            return self._keep(picture, Watched(index, "no face", retract=cut or 0))
        seen = self._judge(index, picture, face, cut)
        return self._keep(picture, seen)

    def _keep(self, picture: Picture, seen: Watched) -> Watched:
        self._last = (picture, seen)
        return seen

    def _judge(self, index: int, picture: Picture, face: Face, cut: int | None) -> Watched:
        landmarks = face.landmarks
        pose = remove_pose(landmarks[None])[1][0]
        before = self._last[1] if self._last else None
        jumps = before is not None and before.mesh is not None and self._is_another(before, face.mesh, pose)
        if jumps:
            self._since = 0
        seen = Watched(index, begins=jumps or cut is not None, retract=cut or 0, mesh=face.mesh, pose=pose)
        if self._since % EVERY == 0:
            rival = self._tracker.rival(picture, face)
            if rival >= RIVAL:
                retract = EVERY - 1 if self._since else 0
                return replace(seen, reason="second face", value=rival, retract=retract)
        self._since += 1
        yaw, pitch, roll = (abs(angle) for angle in pose.angles)
        for reason, value, bad in (
            ("small face", pose.scale, pose.scale < self._settings.min_eyes),
            ("turned away", yaw, yaw > LARGEST_YAW),
            ("tilted", max(pitch, roll), max(pitch, roll) > LARGEST_TILT),
        ):
            if bad:
                return replace(seen, reason=reason, value=value)
        repeats = self._last is not None and same(self._last[0], picture, pose)
        seen = replace(seen, look=look_at(picture, pose), repeats=repeats)
        return self._thaw(seen)

    def _is_another(self, before: Watched, mesh: Array, pose: Pose) -> bool:
        """Whether a face is not the one of the frame before; a head that moves fast already may do so."""
        difference = _difference(before, mesh, pose)
        usual = np.max(self._differences, axis=0) if self._differences else np.zeros(2)
        self._differences.append(difference)
        return bool((difference > np.array([JUMP, OTHER_SHAPE], np.float32) + 2 * usual).any())

    def _repeated(self, index: int, last: Watched) -> Watched:
        return self._thaw(
            Watched(index, last.reason, last.value, mesh=last.mesh, pose=last.pose, look=last.look, repeats=True)
        )

    def _thaw(self, seen: Watched) -> Watched:
        """A still picture once it has lasted."""
        self._frozen = self._frozen + 1 if seen.repeats else 0
        if self._frozen < FROZEN or seen.reason:
            return seen
        retract = FROZEN if self._frozen == FROZEN else 0
        return Watched(seen.index, "frozen", self._frozen + 1, seen.begins, retract, seen.mesh, seen.pose)


def _difference(before: Watched, mesh: Array, pose: Pose) -> Array:
    """How far a face is from the one of the frame before, [2]: by movement, and by its proportions."""
    assert before.mesh is not None and before.pose is not None
    old, new = from_mesh(before.mesh), from_mesh(mesh)
    moved = np.linalg.norm(new[list(RIGID), :2] - old[list(RIGID), :2], axis=1).mean() / pose.scale
    shape = to_normalised(new[_STILL], pose) - to_normalised(old[_STILL], before.pose)
    return np.array([moved, np.linalg.norm(shape, axis=1).mean()], np.float32)
