"""Face detector: MediaPipe's short-range BlazeFace, with zoomed passes for small faces in large pictures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from speechhead.core.arrays import Array
from speechhead.engines.onnx import load_session
from speechhead.media.image import Picture

SIDE = 128
"""Pixels of the network's square input."""
SMALLEST_TILE = 256
"""Zooming stops at tiles of this many pixels: smaller faces are of no use."""
MARGIN = 5 / 3
"""The picture is also looked at as the middle of a square this much larger, for faces that fill it."""
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
        self._session = load_session("face_detection.onnx", threads=threads, names=("image", "boxes", "logits"))
        self._anchors = _anchors()
        self._threshold = threshold

    def detect(self, image: Picture, zoom: bool = True) -> list[Detection]:
        """Faces of an image, largest first.

        The whole picture is tried with and without a margin (close-ups), then its halves; ever smaller tiles
        follow only while nothing is found.

        Parameters
        ----------
        image : uint8 [H, W, 3] RGB
        zoom : look into tiles too; without it faces below about a tenth of the picture are missed
        """
        size = max(image.shape[:2])
        found = self._scan(image, size) + self._scan(image, MARGIN * size)
        tile, spent, level = size / 2, 0, 0
        while zoom and tile >= SMALLEST_TILE and (level == 0 or not found):
            spent += len(_starts(image.shape[0], tile)) * len(_starts(image.shape[1], tile))
            if spent > MOST_TILES:
                break
            found += self._scan(image, tile)
            tile, level = tile / 2, level + 1
        return _merge(found)

    def _scan(self, image: Picture, tile: float) -> list[Detection]:
        """Detections in half overlapping square tiles of `tile` pixels, in pixels of the image."""
        factor = SIDE / tile
        height, width = (max(1, round(length * factor)) for length in image.shape[:2])
        shrunk = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        left, top = max(0, SIDE - width) // 2, max(0, SIDE - height) // 2
        canvas = np.zeros((max(height, SIDE), max(width, SIDE), 3), np.uint8)
        canvas[top : top + height, left : left + width] = shrunk
        scale = np.array([image.shape[1] / width, image.shape[0] / height], np.float32)
        found = []
        for y in _starts(canvas.shape[0], SIDE):
            for x in _starts(canvas.shape[1], SIDE):
                for points, score in self._tile(canvas[y : y + SIDE, x : x + SIDE]):
                    points = (points + [x - left, y - top]).astype(np.float32) * scale
                    found.append(Detection(points[:2].ravel(), points[2:], score))
        return found

    def _tile(self, pixels: Picture) -> list[tuple[Array, float]]:
        """Box corners and keypoints [8, 2] in pixels, and scores, of one input [128, 128, 3]."""
        boxes, logits = self._session.run(None, {"image": pixels[None].astype(np.float32) / 127.5 - 1})
        score = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))
        keep = np.flatnonzero(score >= self._threshold)
        values = boxes[0, keep].reshape(-1, 8, 2)
        anchors = self._anchors[keep, None] * SIDE
        centre, extent = values[:, :1] + anchors, values[:, 1:2] / 2
        # the network's first eye is the subject's right one: at the left of the image
        points = np.concatenate([centre - extent, centre + extent, values[:, 2:] + anchors], axis=1)
        return [(p, float(s)) for p, s in zip(points, score[keep])]


def _starts(length: int, tile: float) -> list[int]:
    """Where tiles begin that cover [0, length), half overlapping, the last one flush with the end."""
    last = max(0, int(length - tile))
    return [*range(0, last, max(1, int(tile / 2))), last]


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
