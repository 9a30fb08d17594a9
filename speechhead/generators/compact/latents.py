"""Landmarks to the canonical keypoints of the compact generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechhead.core.arrays import Array
from speechhead.engines.onnx import load_session
from speechhead.face.landmarks import MESH_TO_70, REFERENCE, from_mesh


class CompactLatents:
    """Expression deltas of the 478 canonical keypoints from 70 landmarks.

    The compact generator's canonical keypoints are the portrait's own mesh in normalised space, so x_c comes from
    the detector and delta from here: the network spreads the motion of the landmarks over cheeks, chin and lids.
    Keypoints that are landmarks follow them exactly. The result is x_c + delta; head pose (R, t, s) is applied after.
    """

    def __init__(self, model: str | Path = "landmarks2latents_compact.onnx", threads: int | None = 1) -> None:
        self._session = load_session(model, threads=threads)

    def deltas(self, driving: Array, source: Array) -> Array:
        """Network output [T, 478, 3] for normalised driving landmarks [T, 70, 3] of the face `source` [70, 3]."""
        shape = np.broadcast_to((source - REFERENCE).ravel(), (len(driving), 210))
        motion = (driving - source).reshape(len(driving), 210)
        feeds = {"motion": motion.astype(np.float32), "shape": np.ascontiguousarray(shape, np.float32)}
        return self._session.run(None, feeds)[0].reshape(len(driving), 478, 3)

    def keypoints(self, driving: Array, mesh: Array) -> Array:
        """Driving keypoints in normalised space.

        Parameters
        ----------
        driving : float32 [T, 70, 3]; normalised landmarks, of the portrait's own proportions
        mesh : float32 [478, 3]; the portrait's normalised mesh (canonical keypoints with its own expression)

        Returns
        -------
        float32 [T, 478, 3]; equal to `mesh` where the driving landmarks are the portrait's
        """
        source = from_mesh(mesh)
        keypoints = mesh + self.deltas(driving, source)
        keypoints[:, MESH_TO_70] = driving
        return keypoints.astype(np.float32)
