"""Landmarks by the face-alignment package (Bulat and Tzimiropoulos, 2017) in the place of the mesh network."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError, LandmarkError
from speechhead.media.image import Picture

from .fitted_mesh import fitted_mesh
from .landmarks import LEFT_EYE, REFERENCE, RIGHT_EYE, remove_pose
from .mesh import MARGIN, Roi

UNLIKE = 0.2
"""Root mean square distance from the reference face, in outer eye distances, beyond which the points are no face's."""


class FaceAlignmentMesh:
    """What `FaceMesh` does, from the 68 points of the package, whose networks it downloads on first use.

    It has no irises: landmarks 68 and 69 are the middle of each eye, so that the gaze is always ahead. All else of the
    mesh is fitted to the points (`fitted_mesh`).

    Parameters
    ----------
    device : 'cpu' or 'cuda'

    Raises
    ------
    FaceError if the package is not installed, or its networks are neither here nor to be had.
    """

    def __init__(self, device: str = "cpu") -> None:
        try:
            package = importlib.import_module("face_alignment")
        except ImportError as error:
            raise FaceError("face-alignment is not installed. pip install 'speechhead[align]'") from error
        kinds = package.LandmarksType
        kind = kinds.THREE_D if hasattr(kinds, "THREE_D") else kinds._3D  # the name before 1.4
        try:
            self._network: Any = package.FaceAlignment(kind, device=device, flip_input=False)
        except (OSError, RuntimeError) as error:
            raise FaceError(
                f"face-alignment: its networks can not be opened ({' '.join(str(error).split())[:80]}). Run once with "
                "a network, or use --landmarks mesh."
            ) from error

    def __call__(self, image: Picture, roi: Roi) -> tuple[Array, float]:
        """Mesh [478, 3] in pixels of the face in a square of an RGB picture, and 1 if it is one, else 0.

        The square is the one that the mesh network would see; the package is given the box of the face in it.
        """
        half = roi.side / MARGIN / 2
        box = np.array([roi.x - half, roi.y - half, roi.x + half, roi.y + half, 1.0])
        found = self._network.get_landmarks_from_image(image, detected_faces=[box]) or []
        if not found:
            return np.zeros((478, 3), np.float32), 0.0
        points, misfit = _facing(np.asarray(found[0], np.float32))
        if not misfit < UNLIKE:
            return np.zeros((478, 3), np.float32), 0.0
        return fitted_mesh(points), 1.0


def _with_irises(points: Array) -> Array:
    """[68, 3] -> [70, 3] with the middle of each eye."""
    centres = np.stack([points[LEFT_EYE].mean(axis=0), points[RIGHT_EYE].mean(axis=0)])
    return np.concatenate([points, centres])


def _facing(points: Array) -> tuple[Array, float]:
    """Points [70, 3] with z away from the camera, and their distance from the reference.

    The package does not state its sign, and a face turned inside out fits the reference badly: take the better.
    """
    fits = []
    for sign in (-1, 1):
        turned = _with_irises(points * np.array([1, 1, sign], np.float32))
        try:
            normalised, _ = remove_pose(turned[None])
        except LandmarkError:
            continue
        fits.append((float(np.sqrt(np.square(normalised[0] - REFERENCE).sum(1).mean())), turned))
    misfit, best = min(fits, key=lambda fit: fit[0], default=(np.inf, points))
    return best, misfit
