"""The face in a mirror: which point of the other half takes each point's place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .landmarks import MESH_REFERENCE, REFERENCE

FLIP = np.array([-1, 1, 1], np.float32)
"""What a mirror does to x, y and z in normalised space."""


def _partners(points: NDArray[np.float32]) -> NDArray[np.int64]:
    """Index [N] of the point of a symmetric face [N, 3] that lies nearest to each point's mirror image."""
    return np.asarray(np.linalg.norm((points * FLIP)[:, None] - points[None], axis=-1).argmin(1), np.int64)


MESH_MIRROR = _partners(MESH_REFERENCE)
"""[478] the mesh vertex on the other side of the face."""

LANDMARK_MIRROR = _partners(REFERENCE)
"""[70] the landmark on the other side of the face."""


def mirrored(points: NDArray[Any], width: float = 0.0) -> NDArray[Any]:
    """A face seen in a mirror.

    Parameters
    ----------
    points : [..., 70, 3] landmarks or [..., 478, 3] mesh, or the motion of either; any float type
    width : of the picture that is mirrored, where points are in its pixels; 0 in normalised space

    Returns
    -------
    the same shape and type; x becomes width - x, and each point stands at its partner's index
    """
    index = {len(LANDMARK_MIRROR): LANDMARK_MIRROR, len(MESH_MIRROR): MESH_MIRROR}[points.shape[-2]]
    return (points * FLIP + np.array([width, 0, 0], np.float32))[..., index, :]
