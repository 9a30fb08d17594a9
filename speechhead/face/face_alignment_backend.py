"""Landmarks by the face-alignment package (Bulat and Tzimiropoulos, 2017) instead of the mesh."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError

from .landmarks import LEFT_EYE, REFERENCE, RIGHT_EYE, remove_pose


class FaceAlignmentBackend:
    """The same `landmarks` as `FaceTracker`, from networks that the package downloads on first use.

    It has no irises: landmarks 68 and 69 are the middle of each eye.

    Parameters
    ----------
    device : 'cpu' or 'cuda'

    Raises
    ------
    FaceError if the package is not installed.
    """

    def __init__(self, device: str = "cpu") -> None:
        try:
            package = importlib.import_module("face_alignment")
        except ImportError as error:
            raise FaceError("face-alignment is not installed. pip install 'speechhead[align]'") from error
        kinds = package.LandmarksType
        kind = kinds.THREE_D if hasattr(kinds, "THREE_D") else kinds._3D  # the name before 1.4
        self._network: Any = package.FaceAlignment(kind, device=device, flip_input=False)

    def landmarks(self, image: npt.NDArray[np.uint8]) -> list[Array]:
        """Landmarks [70, 3] px (z away from the camera) of every face in an RGB picture, largest first."""
        found = self._network.get_landmarks_from_image(image) or []
        faces = [_with_irises(_facing(np.asarray(points, np.float32))) for points in found]
        return sorted(faces, key=lambda points: -float(np.ptp(points[:, :2], axis=0).max()))


def _with_irises(points: Array) -> Array:
    """[68, 3] -> [70, 3] with the middle of each eye."""
    centres = np.stack([points[LEFT_EYE].mean(axis=0), points[RIGHT_EYE].mean(axis=0)])
    return np.concatenate([points, centres])


def _facing(points: Array) -> Array:
    """Points with z away from the camera.

    The package does not state its sign, and a face turned inside out fits the reference badly: take the better.
    """
    misfit = {}
    for sign in (-1, 1):
        turned = points * np.array([1, 1, sign], np.float32)
        normalised, _ = remove_pose(_with_irises(turned)[None])
        misfit[float(np.square(normalised[0] - REFERENCE).sum())] = turned
    return misfit[min(misfit)]
