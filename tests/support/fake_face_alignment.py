"""A face_alignment package that knows one face."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from speechhead.core.arrays import Array

TOWARDS = np.array([1, 1, -1], np.float32)
"""The package's z grows towards the camera."""


def package(faces: list[Array], asked: list[Any] | None = None) -> ModuleType:
    """Landmarks [68 or 70, 3] in pixels; of them, those of the face in the middle of the box that is asked about."""

    class FaceAlignment:
        def __init__(self, kind: str, device: str, flip_input: bool) -> None:
            assert (kind, flip_input) == ("3D", False) and device in ("cpu", "cuda")

        def get_landmarks_from_image(self, image: Any, detected_faces: list[Array]) -> list[Array] | None:
            assert image.dtype == np.uint8 and len(detected_faces) == 1
            x0, y0, x1, y1 = detected_faces[0][:4]
            if asked is not None:
                asked.append(detected_faces[0])
            middle = [(face[:68, :2].max(0) + face[:68, :2].min(0)) / 2 for face in faces]
            inside = [x0 < x < x1 and y0 < y < y1 for x, y in middle]
            return [face[:68] * TOWARDS for face, one in zip(faces, inside) if one] or None

    made = ModuleType("face_alignment")
    made.FaceAlignment = FaceAlignment  # type: ignore[attr-defined]
    made.LandmarksType = SimpleNamespace(THREE_D="3D")  # type: ignore[attr-defined]
    return made
