"""What a portrait tells of the light and the colours in its mouth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array, fixed

from .meshwarp import EYE_LEFT, EYE_RIGHT, LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Tones:
    """Colours in mouths beside the colour of skin, from open mouths of training clips
    (docs/decisions/0014-a-mouth-with-an-inside.md)."""

    shown: float = 0.75
    """Between open lips of a portrait, what is so bright beside the skin is teeth."""

    tinged: float = 0.5
    """How much of the skin's hue, beside grey, teeth have: it is the light's in part, and lips shine on them."""

    ivory: Array = field(default_factory=lambda: fixed(1.02, 0.99, 1.02))
    """Colour of teeth beside that, of luma 1."""

    red: float = 0.08
    """By how much what is taken for teeth may be less white than teeth are expected to be: lips are."""

    row: Array = field(default_factory=lambda: fixed(1.015, 1.004, 0.953))
    """Colour that the head model's rows have of themselves, of luma 1."""


TONES = Tones()


@dataclass(frozen=True, eq=False)
class MouthLight:
    """Colours float32 [3] in a portrait's light, 0..255.

    white: by which a row of teeth is multiplied, over 235, where all light reaches it; skin: of the face; lips: of
    closed lips; grey: 1 for a picture without colours of its own.
    """

    white: Array
    skin: Array
    lips: Array
    grey: float


def softness(crop: NDArray[np.uint8], mesh: Array, scale: float) -> float:
    """Standard deviation in pixels of the blur of a portrait, told by the steepest edges at its eyes.

    A step of height h, blurred by s, is h / (s sqrt(2 pi)) steep.
    """
    points, margin = mesh[EYE_LEFT + EYE_RIGHT, :2], 0.08 * scale
    x0, y0 = np.maximum(points.min(0) - margin, 0).astype(int)
    x1, y1 = np.maximum((points.max(0) + margin).astype(int), (x0 + 3, y0 + 3))
    luma = np.asarray(cv2.cvtColor(np.ascontiguousarray(crop[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY), np.float32)
    slope = np.hypot(*(cv2.Sobel(luma, cv2.CV_32F, x, 1 - x, ksize=3) / 8 for x in (1, 0)))
    height = np.percentile(luma, 99) - np.percentile(luma, 1)
    return float(np.clip(height / (np.sqrt(2 * np.pi) * max(float(np.percentile(slope, 99.5)), 1e-3)), 0.5, 6))


def light(crop: NDArray[np.uint8], mesh: Array) -> MouthLight:
    """What a portrait tells of its mouth's colours; crop: uint8 [S, S, 3]; mesh: float32 [478, 3] in its pixels."""
    picture = crop.astype(np.float32)
    luma = picture @ LUMA
    points = np.round(mesh[:, :2]).astype(np.int32)
    face = _filled(crop, [cv2.convexHull(points)])
    eyes = _filled(crop, [points[EYE_LEFT], points[EYE_RIGHT]])
    bright = float(np.percentile(luma[face], 80)) if face.any() else 160.0
    level = 1.12 * bright
    skin = np.asarray(np.median(picture[face], 0) if face.any() else (170, 130, 110), np.float32)
    hue = skin / max(float(skin @ LUMA), 1.0)
    white = np.asarray((TONES.ivory + TONES.tinged * (hue - 1)) / TONES.row, np.float32)
    if eyes.sum() > 8:
        level = max(level, 1.25 * float(picture[eyes & (luma >= np.percentile(luma[eyes], 75))].mean()))
    shown = _filled(crop, [points[UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]]])
    shown &= luma > TONES.shown * bright
    if shown.sum() > 40:  # teeth that the portrait shows tell best what they look like in its light
        teeth = np.asarray(np.percentile(picture[shown], 75, axis=0), np.float32)
        if whiteness(teeth) > whiteness(white * TONES.row) - TONES.red:
            white, level = teeth / max(float(teeth.mean()), 1.0), 1.12 * float(teeth.mean())
    mean = picture.reshape(-1, 3).mean(0) / max(float(picture.mean()), 1.0)
    spread = float(np.abs(picture - luma[..., None] * mean).mean())
    tone, error = toning(picture[face], luma[face], level)
    grey = 1 - float(np.clip(min((spread - 3) / 5, (error - 1.5) / 0.7), 0, 1))
    if grey > 0.5:
        white = tone
    lips = _filled(crop, [points[OUTER_LIP]])
    mouth = picture[lips].mean(0) if lips.any() else np.array([180, 100, 100])
    return MouthLight(np.asarray(white * min(level, 250.0), np.float32), skin, np.asarray(mouth, np.float32), grey)


def whiteness(colour: Array) -> float:
    """Least channel of a colour [3] over its largest."""
    return float(colour.min() / max(float(colour.max()), 1e-6))


def toning(colours: Array, luma: Array, level: float) -> tuple[Array, float]:
    """Colour, mean 1, that a print has where its luma is `level`, and by how many levels the colours [n, 3] of a face
    differ from a function of their luma [n]: by few in a print that is toned, as in sepia."""
    if len(luma) < 100:
        return np.ones(3, np.float32), np.inf
    powers = np.stack([(luma / 255) ** k for k in range(4)], 1)
    found = np.linalg.lstsq(powers, colours, rcond=None)[0]
    at = min(level, float(luma.max())) / 255
    tone = np.maximum(np.array([at**k for k in range(4)]) @ found, 1)
    return np.asarray(tone / tone.mean(), np.float32), float(np.abs(colours - powers @ found).mean())


def _filled(crop: NDArray[np.uint8], outlines: list[NDArray[Any]]) -> NDArray[np.bool_]:
    """Pixels [H, W] within outlines."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(mask, outlines, 1)
    return mask > 0
