"""A face through one take: its calm mesh, and its mouth at rest, in windows of bounded size."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose, from_mesh, mouth_opening, remove_pose, to_normalised
from speechhead.face.smoothing import smooth_track
from speechhead.motion.rest import rest_face

from .scratch import Scratch
from .survey import Take

WINDOW = 250
"""Pictures that are smoothed at a time."""

OVERLAP = 2.0
"""Seconds of the track on both sides of a window that are smoothed with it: the filter forgets within less."""

WINDOWS = 3
"""Windows that are kept."""


class SteadyMesh:
    """The smoothed meshes of a take; from several threads."""

    def __init__(self, take: Take, scratch: Scratch, fps: float) -> None:
        self._take, self._scratch, self._fps = take, scratch, fps
        self._overlap = round(OVERLAP * fps)
        self._windows: OrderedDict[int, Array] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, index: int) -> Array:
        """The mesh float32 [478, 3] px of picture `index` of the take, NaN where the face is lost."""
        number = index // WINDOW
        with self._lock:
            if number not in self._windows:
                self._windows[number] = self._window(number * WINDOW)
                if len(self._windows) > WINDOWS:
                    self._windows.popitem(last=False)
            self._windows.move_to_end(number)
            mesh: Array = self._windows[number][index - number * WINDOW]
            return mesh

    def _window(self, start: int) -> Array:
        first, last = max(0, start - self._overlap), min(len(self._take), start + WINDOW + self._overlap)
        calm = smooth_track(self._scratch.meshes(self._take.meshes[first:last]), self._fps)
        return calm[start - first : start - first + WINDOW]


@dataclass(frozen=True)
class Resting:
    """How the rest of a mouth is told from a take. Chosen on training clips
    (docs/decisions/0021-shots-people-and-their-mouths.md)."""

    every: float = 0.2
    """Seconds between the pictures that are asked, at least."""
    most: int = 600
    """Pictures of a take that are asked at most."""
    opening: float = 0.05
    """Lips' opening, outer eye distances, at which a picture counts half: open lips say little of shut ones."""
    angle: float = 30.0
    """Degrees that count as one in the regression."""
    ridge: float = 0.02
    """What holds the regression's slopes back: square angles."""
    seconds: float = 1.5
    """Spread of the window in which what the head's pose does not explain is averaged."""
    pull: float = 0.15
    """Weight of no change at all in that window."""


RESTING = Resting()


class RestMesh:
    """The mouth of a take at rest.

    A mouth looks a little different under every pose of the head, and a tracker more so; and a little different with
    every word, which is the old speech and must not be seen. So its rest is a mean, a slope along yaw and pitch, and
    what is left of it over seconds.

    Parameters
    ----------
    take, scratch, fps : of the survey
    relax : a mesh [478, 3] with its mouth shut as `rest_face` does, in normalised space
    """

    def __init__(self, take: Take, scratch: Scratch, fps: float, relax: Callable[[Array, Array], Array]) -> None:
        self._take, self._scratch, self._fps, self._relax = take, scratch, fps, relax
        self._lock = threading.Lock()

    @cached_property
    def _samples(self) -> tuple[NDArray[np.int64], Array, Array, Array]:
        """Pictures of the take [n], their rests [n, 478, 3], weights [n] and angles [n, 2]."""
        seen = np.flatnonzero(self._take.meshes >= 0)
        step = max(1, round(RESTING.every * self._fps), -(-len(seen) // RESTING.most))
        chosen = seen[step // 2 :: step] if len(seen) > step // 2 else seen
        meshes = self._scratch.meshes(self._take.meshes[chosen])
        faces, poses = remove_pose(from_mesh(meshes))
        rests = np.stack(
            [self._relax(to_normalised(mesh, pose), rest_face(face)) for mesh, pose, face in zip(meshes, poses, faces)]
        )
        weights = 1 / (1 + (mouth_opening(faces) / RESTING.opening) ** 2)
        angles = np.array([pose.angles[:2] for pose in poses]) / RESTING.angle
        weights = weights * np.exp(-0.5 * (angles[:, 0] * RESTING.angle / 35) ** 2) + 1e-3
        return chosen, rests.astype(np.float32), weights.astype(np.float32), angles.astype(np.float32)

    @cached_property
    def _model(self) -> tuple[Array, Array, Array, Array]:
        """Mean angles [2], mean rest [478 * 3], slopes [2, 478 * 3], and what is left [n, 478 * 3]."""
        _, rests, weights, angles = self._samples
        flat, share = rests.reshape(len(rests), -1), weights / weights.sum()
        turned, mean = share @ angles, share @ flat
        away = angles - turned
        system = (away * share[:, None]).T @ away + RESTING.ridge * np.eye(2)
        slopes = np.linalg.solve(system, (away * share[:, None]).T @ (flat - mean)).astype(np.float32)
        return turned, mean, slopes, flat - mean - away @ slopes

    def __call__(self, index: int, pose: Pose) -> Array:
        """The rest float32 [478, 3] in normalised space of picture `index` of the take, with its head in a pose."""
        with self._lock:
            turned, mean, slopes, left = self._model
        chosen, _, weights, _ = self._samples
        away = np.clip(np.array(pose.angles[:2], np.float32) / RESTING.angle - turned, -1.5, 1.5)
        near = np.exp(-0.5 * ((chosen - index) / (RESTING.seconds * self._fps)) ** 2) * weights
        share = near / (near.sum() + RESTING.pull * float(weights.max()))
        return np.asarray(mean + away @ slopes + share @ left, np.float32).reshape(-1, 3)
