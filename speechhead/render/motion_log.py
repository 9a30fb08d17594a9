"""The motion of a rendering, kept for other tools: landmarks, head and blendshapes of every frame."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.head_track import Angles
from speechhead.core.outputs import replaced
from speechhead.face.landmarks import Pose, to_pixels
from speechhead.motion.arkit import BLENDSHAPES, blendshapes
from speechhead.motion.pose import told

HEAD = ("frame", "seconds", "yaw", "pitch", "roll")


class MotionLog:
    """Collects frames as they are moved, before they are drawn.

    Parameters
    ----------
    rest : float32 [70, 3]; the person at rest, normalised
    own : yaw, pitch and roll of the portrait, degrees
    fps : frames per second
    place : takes landmarks [70, 3] in crop pixels to those of the video
    """

    def __init__(self, rest: Array, own: Angles, fps: float, place: Callable[[Array], Array]) -> None:
        self.rest, self.fps, self._own, self._place = rest, fps, np.array(own), place
        self.faces: list[Array] = []
        self.poses: list[Pose] = []

    def add(self, faces: Iterable[Array], poses: Iterable[Pose]) -> None:
        """The next frames: normalised landmarks [70, 3], and poses in crop pixels."""
        self.faces += list(faces)
        self.poses += list(poses)

    @property
    def angles(self) -> Array:
        """Yaw, pitch and roll of every frame, degrees, [T, 3]: such that `--head` moves a portrait the same again."""
        poses = np.array([pose.angles for pose in self.poses]).reshape(-1, 3)
        return np.asarray(self._own + told(poses - self._own), np.float32)

    def write_motion(self, path: Path) -> None:
        """Landmarks in the video's pixels, as CSV, a frame a line; or everything as .npz."""
        shown = np.stack([self._place(to_pixels(*each)) for each in zip(self.faces, self.poses)]).astype(np.float32)
        if path.suffix.lower() == ".csv":
            names = [f"{axis}{point}" for point in range(shown.shape[1]) for axis in "xyz"]
            _table(path, [*HEAD, *names], np.column_stack([self._heads(), shown.reshape(len(shown), -1)]))
            return
        with replaced(path) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                landmarks=shown,
                normalised=np.stack(self.faces).astype(np.float32),
                rest=self.rest.astype(np.float32),
                angles=self.angles,
                blendshapes=blendshapes(np.stack(self.faces), self.rest),
                blendshape_names=np.array(BLENDSHAPES),
                fps=np.float32(self.fps),
            )

    def write_blendshapes(self, path: Path) -> None:
        """ARKit's 52 coefficients and the head's angles as CSV, a frame a line."""
        values = blendshapes(np.stack(self.faces), self.rest)
        _table(path, [*HEAD, *BLENDSHAPES], np.column_stack([self._heads(), values]))

    def _heads(self) -> Array:
        number = np.arange(len(self.faces))
        return np.column_stack([number, number / self.fps, self.angles])


def _table(path: Path, head: list[str], rows: Array) -> None:
    with replaced(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for row in rows:
            writer.writerow([int(row[0]), *(f"{value:.4f}" for value in row[1:])])
