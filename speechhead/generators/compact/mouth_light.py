"""What a portrait tells of the light and the colours in its mouth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array, fixed
from speechhead.core.smoothstep import smoothstep32

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

    lightest: tuple[float, float] = (99.5, 98.0)
    """Percentiles of the face's and of the eyes' luma, and of that of teeth that are shown, above which nothing in the
    mouth is: the lightest of them is what a portrait shows as white."""

    knee: float = 0.85
    """Part of that from which teeth come near it ever more slowly."""

    kept: tuple[float, float] = (0.35, 0.75)
    """How much of their hue teeth keep in the brightest light, where it is guessed and where the portrait shows it."""
    row: Array = field(default_factory=lambda: fixed(1.015, 1.004, 0.953))
    """Colour that the head model's rows have of themselves, of luma 1."""

    front: float = 210.0
    """Luma of their front teeth between the gaps."""


TONES = Tones()


OVER_LIP = [98, 97, 2, 326, 327, 410, 270, 269, 267, 0, 37, 39, 40, 186]
"""Outline of the skin between nose and upper lip."""

CHEEKS = ([50, 101, 36, 205], [280, 330, 266, 425])
"""Outlines of skin of the cheeks, where no beard grows."""

HAIR = (0.55, 0.3)
"""Luma over the lip beside that of the cheeks below which dark hair begins to be told, and below which it is sure: a
nose's shade is lighter."""


@dataclass(frozen=True)
class Print:
    """What is taken for a print of one tone, as in sepia. Chosen on portraits; levels."""

    faint: tuple[float, float] = (3.0, 8.0)
    """Mean difference from the picture's mean hue below which a picture is grey, and above which it has colours."""

    strayed: tuple[float, float] = (2.1, 2.9)
    """Mean difference from a function of luma below which a picture is a print, and above which it is none."""

    side: int = 64
    """Side in pixels at which that is measured: the grain of a print and what a JPEG does to it are finer."""

    bins: int = 24
    """Ranges of luma whose tones are told apart."""

    least: float = 0.002
    """Part of the pixels that a range has if its tone is known."""


PRINT = Print()


@dataclass(frozen=True, eq=False)
class Tone:
    """Colours float32 [256, 3], of luma 1, that a print has at each luma; none that the picture does not have."""

    table: Array

    @classmethod
    def of(cls, colours: Array) -> Tone:
        """The tones of colours float32 [n, 3]. Where hardly one is so dark or light, those of the nearest."""
        luma = colours @ LUMA
        place = np.minimum((luma * (PRINT.bins / 256)).astype(int), PRINT.bins - 1)
        count, light = (np.bincount(place, of, PRINT.bins) for of in (None, luma))
        known = (count > PRINT.least * len(luma)) & (light > count)
        if not known.any():
            return cls(np.ones((256, 3), np.float32))
        sums = np.stack([np.bincount(place, colours[:, k], PRINT.bins) for k in range(3)], 1)
        tones, at = sums[known] / light[known, None], light[known] / count[known]
        return cls(np.stack([np.interp(np.arange(256), at, tones[:, k]) for k in range(3)], 1).astype(np.float32))

    def at(self, luma: Array) -> Array:
        """The print's colours [..., 3] of lumas [...] in 0..255; what is lighter has the tone of 255."""
        tones = self.table[np.clip(luma, 0, 255).astype(np.uint8)]
        return np.asarray(luma[..., None] * tones, np.float32)


@dataclass(frozen=True, eq=False)
class MouthLight:
    """Colours float32 [3] in a portrait's light, 0..255.

    white: by which a row of teeth is multiplied, over 235, where all light reaches it; skin: of the face; lips: of
    closed lips; grey: 1 for a picture without colours of its own, whose colours are its print's tone; most: luma above
    which no tooth is; hue: of teeth that are as light as that, of luma 1.
    """

    white: Array
    skin: Array
    lips: Array
    grey: float
    tone: Tone
    most: float = 255.0
    hue: Array = field(default_factory=lambda: fixed(1.0, 1.0, 1.0))

    def on_teeth(self, light: Array) -> Array:
        """What rows of teeth [..., 3] are multiplied by where light [..., 3] in parts of full light reaches them.

        No front tooth gets lighter than `most`: what comes near it does so ever more slowly, and its colour goes to
        `hue`, as in a camera. The light is bounded, not the tooth, so that gaps stay as dark beside it as they are.
        """
        tooth = light * (self.white * np.float32(TONES.front / 235))
        bound = np.float32(self.most) * self.hue
        knee = np.float32(TONES.knee) * bound
        over = np.maximum(tooth - knee, 0)
        shown = tooth - over * over / (over + (bound - knee))
        return np.asarray(shown / np.float32(TONES.front), np.float32)


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
    most, kept = float(np.percentile(luma[face], TONES.lightest[0])) if face.any() else 255.0, TONES.kept[0]
    if eyes.sum() > 8:
        most = max(most, float(np.percentile(luma[eyes], TONES.lightest[1])))
        level = max(level, 1.25 * float(picture[eyes & (luma >= np.percentile(luma[eyes], 75))].mean()))
    shown = _filled(crop, [points[UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]]])
    shown &= luma > TONES.shown * bright
    if shown.sum() > 40:  # teeth that the portrait shows tell best what they look like in its light
        teeth = np.asarray(np.percentile(picture[shown], 75, axis=0), np.float32)
        if whiteness(teeth) > whiteness(white * TONES.row) - TONES.red:
            most = max(most, float(np.percentile(luma[shown], TONES.lightest[1])))
            white, level = teeth / max(float(teeth.mean()), 1.0), 1.12 * float(teeth.mean())
            kept = TONES.kept[1]
    tones, grey = Tone.of(picture[face]), greyness(picture, face)  # the page around a print has another tone
    if grey > 0.5:
        white = tones.at(np.array([level], np.float32))[0]
        white = np.asarray(white / white.mean(), np.float32)
    lips = _filled(crop, [points[OUTER_LIP]])
    mouth = picture[lips].mean(0) if lips.any() else np.array([180, 100, 100])
    pale = np.asarray(1 + kept * (white / max(float(white @ LUMA), 1e-6) - 1), np.float32)
    white, mouth = np.asarray(white * min(level, 250.0), np.float32), np.asarray(mouth, np.float32)
    return MouthLight(white, skin, mouth, grey, tones, most, pale)


def moustache(crop: NDArray[np.uint8], mesh: Array) -> float:
    """How surely dark hair lies over the upper lip, 0 to 1; crop: uint8 [S, S, 3]; mesh: float32 [478, 3] in its
    pixels."""
    points = np.round(mesh[:, :2]).astype(np.int32)
    luma = crop.astype(np.float32) @ LUMA
    over = _filled(crop, [points[OVER_LIP]])
    cheeks = _filled(crop, [points[cheek] for cheek in CHEEKS])
    if not over.any() or not cheeks.any():
        return 0.0
    return float(smoothstep32(np.median(luma[over]) / max(float(np.median(luma[cheeks])), 1.0), *HAIR))


def whiteness(colour: Array) -> float:
    """Least channel of a colour [3] over its largest."""
    return float(colour.min() / max(float(colour.max()), 1e-6))


def greyness(picture: Array, face: NDArray[np.bool_]) -> float:
    """1 for a picture [H, W, 3] that is grey, or a print of one tone; 0 for one with colours; face: bool [H, W].

    A print's colours are a function of their luma, in the face and around it. So are those of a painted face alone.
    """
    luma = picture @ LUMA
    mean = picture.reshape(-1, 3).mean(0) / max(float(picture.mean()), 1.0)
    spread = float(np.abs(picture - luma[..., None] * mean).mean())
    small = np.asarray(cv2.resize(picture, (PRINT.side, PRINT.side), interpolation=cv2.INTER_AREA), np.float32)
    within = cv2.resize(face.astype(np.float32), (PRINT.side, PRINT.side), interpolation=cv2.INTER_AREA) > 0.5
    error = max(strayed(small.reshape(-1, 3)), strayed(small[within]))
    shares = [(value - full) / (none - full) for value, (full, none) in ((spread, PRINT.faint), (error, PRINT.strayed))]
    return 1 - float(np.clip(min(shares), 0, 1))


def strayed(colours: Array) -> float:
    """By how many levels colours [n, 3] differ in the mean from a smooth function of their luma."""
    if len(colours) < 100:
        return 0.0
    powers = np.stack([(colours @ LUMA / 255) ** k for k in range(4)], 1)
    found = np.linalg.lstsq(powers, colours, rcond=None)[0]
    return float(np.abs(colours - powers @ found).mean())


def _filled(crop: NDArray[np.uint8], outlines: list[NDArray[Any]]) -> NDArray[np.bool_]:
    """Pixels [H, W] within outlines."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(mask, outlines, 1)
    return mask > 0
