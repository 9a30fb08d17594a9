"""The face mesh: 468 vertices and 10 iris points from a rotated square crop."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array
from speechhead.engines.onnx import load_session
from speechhead.media.image import Picture

SIDE = 192
"""Pixels of the network's square input."""
MARGIN = 1.5
"""Side of the crop in units of the longer side of the face's box, as the network was trained."""
_EYES = (33, 263)  # outer corners: image left, image right


@dataclass(frozen=True)
class Roi:
    """A rotated square of an image: centre x, y and side in pixels, angle in radians (clockwise in the image)."""

    x: float
    y: float
    side: float
    angle: float


def roi_from_box(box: npt.ArrayLike, left_eye: npt.ArrayLike, right_eye: npt.ArrayLike) -> Roi:
    """Crop for a detection: box x0, y0, x1, y1 and the two eyes (image left, image right) that set the angle."""
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    dx, dy = np.asarray(right_eye, np.float64)[:2] - np.asarray(left_eye, np.float64)[:2]
    return Roi((x0 + x1) / 2, (y0 + y1) / 2, MARGIN * max(x1 - x0, y1 - y0), float(np.arctan2(dy, dx)))


def roi_from_mesh(mesh: Array) -> Roi:
    """Crop for the next frame: round the mesh [478, 3], levelled by the outer eye corners."""
    left, right = mesh[_EYES[0], :2], mesh[_EYES[1], :2]
    angle = float(np.arctan2(right[1] - left[1], right[0] - left[0]))
    c, s = np.cos(angle), np.sin(angle)
    turned = mesh[:468, :2] @ np.array([[c, -s], [s, c]])
    low, high = turned.min(axis=0), turned.max(axis=0)
    x, y = (low + high) / 2 @ np.array([[c, s], [-s, c]])
    return Roi(float(x), float(y), MARGIN * float((high - low).max()), angle)


def crop_matrix(roi: Roi, side: int) -> npt.NDArray[np.float64]:
    """Affine [2, 3] from pixels of the crop to pixels of the image."""
    factor = roi.side / side
    c, s = factor * np.cos(roi.angle), factor * np.sin(roi.angle)
    return np.array([[c, -s, roi.x - (c - s) * side / 2], [s, c, roi.y - (s + c) * side / 2]])


def crop(image: Picture, roi: Roi, side: int = SIDE) -> Picture:
    """The square of an image [H, W, 3] under a roi as [side, side, 3]; edges repeat outside the image."""
    matrix = crop_matrix(roi, side)
    shrink = int(roi.side / side / 1.5)
    if shrink > 1:  # bilinear sampling alone would alias on large pictures
        reach = roi.side * 0.75
        x0, y0 = (max(0, int(v - reach)) for v in (roi.x, roi.y))
        part = image[y0 : int(roi.y + reach) + 1, x0 : int(roi.x + reach) + 1]
        if min(part.shape[:2]) > shrink:
            height, width = part.shape[0] // shrink, part.shape[1] // shrink
            image = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            scale = np.array([part.shape[1] / width, part.shape[0] / height])
            matrix = np.column_stack([matrix[:, :2] / scale[:, None], (matrix[:, 2] - [x0, y0] + 0.5) / scale - 0.5])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


class FaceMesh:
    """MediaPipe's attention mesh (lips, eyes and irises refined). Grishchenko et al., 2020, "Attention Mesh"."""

    def __init__(self, threads: int | None = None) -> None:
        self._session = load_session("face_mesh.onnx", threads=threads, names=("image", "mesh", "score"))

    def __call__(self, image: Picture, roi: Roi) -> tuple[Array, float]:
        """Mesh of the face under a roi.

        Parameters
        ----------
        image : uint8 [H, W, 3] RGB
        roi : see `roi_from_box`, `roi_from_mesh`

        Returns
        -------
        float32 [478, 3] in pixels of the image (z away from the camera, same unit), and the network's
        confidence in [0, 1] that there is a face.
        """
        pixels = crop(image, roi).astype(np.float32)[None] / 255
        points, score = self._session.run(None, {"image": pixels})
        matrix = crop_matrix(roi, SIDE)
        mesh = np.empty((478, 3), np.float32)
        mesh[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        mesh[:, 2] = points[:, 2] * (roi.side / SIDE)
        return mesh, float(score[0])
