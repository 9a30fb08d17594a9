"""Raw tracked meshes to the arrays that the trainers read: smoothed, pose removed. The one way to do it."""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array
from speechhead.face.landmarks import from_mesh, mouth_opening, remove_pose, to_normalised
from speechhead.face.smoothing import smooth_track


def landmark_arrays(mesh: Array) -> dict[str, Array]:
    """Smoothed and normalised landmarks of one face, frame by frame.

    Parameters
    ----------
    mesh : float32 [T, 478, 3]; px of the pictures they belong to, every frame finite

    Returns
    -------
    mesh [T, 478, 3] in the same pixels, smoothed; normalised [T, 478, 3]; the pose as rotation [T, 3, 3],
    translation [T, 3] and scale [T]; opening [T] of the lips in outer eye distances
    """
    mesh = smooth_track(mesh.astype(np.float32))
    _, poses = remove_pose(from_mesh(mesh))
    normalised = np.stack([to_normalised(points, pose) for pose, points in zip(poses, mesh)])
    return {
        "mesh": mesh,
        "normalised": normalised.astype(np.float32),
        "rotation": np.stack([pose.rotation for pose in poses]).astype(np.float32),
        "translation": np.stack([pose.translation for pose in poses]).astype(np.float32),
        "scale": np.array([pose.scale for pose in poses], np.float32),
        "opening": mouth_opening(from_mesh(normalised)).astype(np.float32),
    }
