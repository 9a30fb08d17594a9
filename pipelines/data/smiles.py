"""Frames of a prepared clip in which someone smiles, and frames in which the same face rests in the same light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose, from_mesh, remove_pose
from speechhead.generators.compact.rest_plate import smile_amount
from speechhead.motion.rest import SMILE, explain

SMILING, RESTING = 0.22, 0.10
"""Weights of the smile from which a frame counts as smiling, and below which as resting."""

APART, ALIKE = 0.15, 0.05
"""Differences of the smile from which two frames are a pair, and below which they are one of no smile."""

TURNED = 8.0
"""Largest difference of yaw or pitch in a pair, degrees: a turned head is lit otherwise."""

EVERY, PAIRS, SAME = 3, 40, 20
"""Frames looked at; pairs of a clip, and pairs of no smile, at most."""


@dataclass(frozen=True)
class SmilingClip:
    """Frames of a clip with their landmarks.

    pictures: uint8 [H, W, 3] each; mesh: float32 [T, 478, 3] px; normalised: float32 [T, 70, 3]; poses: of the head;
    weight, amount: [T] of the smile, as `explain` and `smile_amount` have it
    """

    pictures: list[NDArray[np.uint8]]
    mesh: Array
    normalised: Array
    poses: list[Pose]
    weight: Array
    amount: Array

    @classmethod
    def of(cls, file: Path) -> SmilingClip:
        """Every EVERY-th frame of a clip of `pipelines.data.prepare`, by its npz file."""
        with np.load(file) as arrays:
            mesh, index = arrays["mesh"][::EVERY], arrays["index"][::EVERY]
        frames = np.load(file.with_suffix(".npy"), mmap_mode="r")
        normalised, poses = remove_pose(from_mesh(mesh))
        weight = np.array([explain(face)[1][SMILE] for face in normalised], np.float32)
        amount = np.array([smile_amount(face) for face in normalised], np.float32)
        return cls([frames[k] for k in index], mesh, normalised, poses, weight, amount)

    def pairs(self, random: np.random.Generator) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Numbers of smiling and resting frames, and of frames that smile alike; none of the latter without the
        former."""
        angles = np.array([pose.angles[:2] for pose in self.poses])
        near = np.abs(angles[:, None] - angles).max(-1) < TURNED
        less = self.amount[:, None] - self.amount
        smiling, resting = self.weight > SMILING, self.weight < RESTING
        found = np.argwhere(near & (less > APART) & smiling[:, None] & resting)
        apart = np.abs(np.subtract.outer(np.arange(len(angles)), np.arange(len(angles)))) > 3
        group = (smiling[:, None] & smiling) | (resting[:, None] & resting)
        same = np.argwhere(near & apart & group & (np.abs(less) < ALIKE)) if len(found) else found
        chosen = [random.permutation(rows)[:most] for rows, most in ((found, PAIRS), (same, SAME))]
        return [(int(a), int(b)) for a, b in chosen[0]], [(int(a), int(b)) for a, b in chosen[1]]
