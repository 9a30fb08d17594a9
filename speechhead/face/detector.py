"""Face detector: MediaPipe's short-range BlazeFace, with zoomed passes for small faces in large pictures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..engines.onnx import load_session

Image = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]

SIDE = 128
"""Pixels of the network's square input."""
SMALLEST_TILE = 256
"""Zooming stops at tiles of this many pixels: smaller faces are of no use."""
MOST_TILES = 1300
"""Zooming stops before this many tiles (about 3 s on one core)."""
OVERLAP = 0.3
"""Boxes that overlap more than this (intersection over union) are one face."""


@dataclass(frozen=True)
class Detection:
    """One face.

    box : [4] x0, y0, x1, y1 in pixels, brows to chin; score : [0, 1];
    keypoints : [6, 2] px, eye at image left, eye at image right, nose tip, mouth, ear at left, ear at right.
    """

    box: Array
    keypoints: Array
    score: float

    @property
    def side(self) -> float:
        """Longer side of the box in pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))


def _anchors() -> Array:
    """Centres [896, 2] of the network's anchors in the unit square: 2 per 8 px cell, 6 per 16 px cell."""
    centres = []
    for stride, count in ((8, 2), (16, 6)):
        cells = SIDE // stride
        y, x = np.mgrid[:cells, :cells]
        centres.append(np.repeat((np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) / cells, count, axis=0))
    return np.concatenate(centres).astype(np.float32)


class FaceDetector:
    """Finds faces in pictures. Bazarevsky et al., 2019, "BlazeFace"."""

    def __init__(self, threads: int | None = None, threshold: float = 0.5) -> None:
        self._session = load_session("face_detection.onnx", threads=threads)
        self._anchors = _anchors()
        self._threshold = threshold

    def detect(self, image: Image, zoom: bool = True) -> list[Detection]:
        """Faces of an image, largest first.

        The whole picture is tried with and without a margin (close-ups), then its halves; ever smaller tiles
        follow only while nothing is found.

        Parameters
        ----------
        image : uint8 [H, W, 3] RGB
        zoom : look into tiles too; without it faces below about a tenth of the picture are missed
        """
        height, width = image.shape[:2]
        size = max(height, width)
        margin = size // 3
        found = self._pass(image, 0, 0, size, size)
        found += self._pass(image, -margin, -margin, width + 2 * margin, height + 2 * margin)
        if not zoom:
            return _merge(found)
        tile, spent, level = size // 2, 0, 0
        while tile >= SMALLEST_TILE and (level == 0 or not found):
            step = tile // 2
            rows = _starts(height, tile, step)
            columns = _starts(width, tile, step)
            spent += len(rows) * len(columns)
            if spent > MOST_TILES:
                break
            for y in rows:
                for x in columns:
                    found += self._pass(image, x, y, tile, tile)
            tile, level = tile // 2, level + 1
        return _merge(found)

    def _pass(self, image: Image, x: int, y: int, width: int, height: int) -> list[Detection]:
        """Detections in one rectangle (it may reach outside the image: black there), in pixels of the image."""
        size = max(width, height)
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width, image.shape[1]), min(y + height, image.shape[0])
        part = image[y0:y1, x0:x1]
        factor = SIDE / size
        # centre of the picture to centre of the input, as MediaPipe letterboxes
        left, top = x - (size - width) / 2, y - (size - height) / 2
        w, h = max(1, round(part.shape[1] * factor)), max(1, round(part.shape[0] * factor))
        at_x, at_y = round((x0 - left) * factor), round((y0 - top) * factor)
        at_x, at_y = min(at_x, SIDE - w), min(at_y, SIDE - h)
        pixels = np.full((SIDE, SIDE, 3), -1, np.float32)
        shrunk = cv2.resize(part, (w, h), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        pixels[at_y : at_y + h, at_x : at_x + w] = shrunk.astype(np.float32) / 127.5 - 1
        boxes, logits = self._session.run(None, {"image": pixels[None]})
        score = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))
        keep = score >= self._threshold
        if not keep.any():
            return []
        values = boxes[0, keep].reshape(-1, 8, 2) / SIDE
        anchors = self._anchors[keep, None]
        points = (values + anchors) * size + [left, top]
        centre, extent = points[:, 0], values[:, 1] * size / 2
        corners = np.concatenate([centre - extent, centre + extent], axis=1)
        # right eye first in the network's order: the subject's, so the one at the left of the image
        return [
            Detection(b.astype(np.float32), p.astype(np.float32), float(s))
            for b, p, s in zip(corners, points[:, 2:], score[keep])
        ]


def _starts(length: int, tile: int, step: int) -> list[int]:
    """Left edges of tiles that cover [0, length) with the given step."""
    if length <= tile:
        return [(length - tile) // 2]
    return [*range(0, length - tile, step), length - tile]


def _merge(found: list[Detection]) -> list[Detection]:
    """Weighted non-maximum suppression, largest face first."""
    waiting = sorted(found, key=lambda d: -d.score)
    merged = []
    while waiting:
        best = waiting[0]
        same = [d for d in waiting if _overlap(best.box, d.box) > OVERLAP]
        same = same or [best]
        waiting = [d for d in waiting if all(d is not other for other in same)]
        weights = np.array([d.score for d in same])
        weights = (weights / weights.sum()).astype(np.float32)
        box = np.einsum("n,ni->i", weights, np.stack([d.box for d in same]))
        points = np.einsum("n,nij->ij", weights, np.stack([d.keypoints for d in same]))
        merged.append(Detection(box, points, best.score))
    return sorted(merged, key=lambda d: -d.side)


def _overlap(a: Array, b: Array) -> float:
    """Intersection over the smaller area of two boxes: a tile that cuts a face off gives a part of its box."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return float(max(width, 0) * max(height, 0) / max(smaller, 1e-6))
