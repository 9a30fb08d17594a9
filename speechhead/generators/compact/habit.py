"""How one mouth differs from the rules that draw the inside of every mouth, told by the portrait and by the moment.

Rules tell the light and the jaw alike of everybody. How much is seen of a row of teeth is a person's own: a soft
picture shows few teeth of anybody, and a portrait with open lips shows its own (`own_mouth`). And it changes as lips
move. What of that holds for people never seen before is fitted to open mouths of training clips
(docs/decisions/0027-how-much-of-teeth-is-seen.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array, fixed
from speechhead.core.smoothstep import clip01
from speechhead.face.landmarks import Pose, from_mesh, mouth_opening, to_normalised

from .jaw import CHIN, LOWER_MIDDLE
from .meshwarp import EYE_LEFT, EYE_RIGHT, OUTER_LIP
from .mouth_light import LUMA, moustache

UPPER_MIDDLE, UPPER_EDGE, LOWER_EDGE, ENDS = [61, 62, 63], [50, 51, 52], [56, 57, 58], [60, 64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Linear in what is measured, taken from its mean in parts of its spread, no further than `far`.

    What it tells: the logarithm of the light on the upper row, on the lower row and on the tongue, how far the jaw and
    how far the upper row's edge are further down, outer eye distances.
    """

    far: float = 1.5
    """Spreads from the mean beyond which nothing more is told: of few people it is known."""

    always: Array = field(default_factory=lambda: fixed(0.0292, 0.0080, 0.1837, 0.0064, -0.0028))
    """What is told of the mean portrait and the mean moment."""

    portrait_mean: Array = field(default_factory=lambda: fixed(0.5205, -0.9464))
    """Of the portrait: whether it is open, and how sharp its lips are (`sharpness`)."""

    portrait_spread: Array = field(default_factory=lambda: fixed(0.4718, 0.2837))

    portrait: tuple[Array, ...] = (
        fixed(0.0252, -0.0253, 0.0239, -0.00041, -0.00031),
        fixed(0.0515, 0.0584, 0.0804, -0.00153, 0.00019),
    )
    """For each of them what it tells."""

    keen: tuple[float, float, float] = (-0.825, 0.265, 1.8)
    """Sharpness of lips, eyes and face together from which a portrait is keen, its spread, and how many of these tell
    at most."""

    gleam: float = 0.03
    """Logarithm of the light that a spread of it adds to both rows: blur takes the gleam off teeth."""

    moment_mean: Array = field(
        default_factory=lambda: fixed(-0.0354, 0.0956, 0.0459, 0.0119, 0.0217, 0.1310, -0.0071, -0.0061)
    )
    """Of the moment (`of_moment`)."""

    moment_spread: Array = field(
        default_factory=lambda: fixed(0.0291, 0.0610, 0.0369, 0.0416, 0.0702, 0.0620, 0.0142, 0.0186)
    )

    moment: tuple[Array, ...] = (
        fixed(-0.0046, -0.0157, 0, 0.00244, 0),
        fixed(0.0829, 0.0213, 0, -0.00057, 0),
        fixed(-0.0071, 0.0427, 0, -0.00492, 0),
        fixed(0.0441, -0.0314, 0, 0.00318, 0),
        fixed(0.0790, -0.0018, 0, -0.00420, 0),
        fixed(0.0903, 0.0084, 0, -0.00191, 0),
        fixed(0.0637, 0.1293, 0, 0.00032, 0),
        fixed(-0.0508, 0.0244, 0, 0.00312, 0),
    )
    """For each of them what it tells."""

    jaw: float = 0.856
    """Part of the way that the rules tell of the jaw."""

    bearded: Array = field(default_factory=lambda: fixed(-0.7, -0.5, -0.7, 0, 0))
    """What dark hair over the upper lip takes away, chosen by eye: it hangs before the teeth, and keeps light
    off them."""

    open: tuple[float, float] = (0.03, 0.08)
    """Openings of a portrait's lips from which it begins to tell, and tells fully."""

    light: tuple[float, float] = (-1.6, 0.15)
    """Least and most logarithm of a row's light beside the rules'."""

    unit: float = 110.0
    """Pixels of an outer eye distance at which sharpness is measured; what is smaller is measured as it is."""


FITTED = Fitted()


@dataclass(frozen=True)
class Habit:
    """How much more is seen of one mouth: logarithm of the light on the upper and on the lower row and on the tongue,
    how far further down the jaw and the upper row's edge stand, outer eye distances; jaw_share: of what the rules tell
    of the jaw. Of several moments, each is of all of them [...]."""

    upper: float | Array = 0.0
    lower: float | Array = 0.0
    tongue: float | Array = 0.0
    jaw: float | Array = 0.0
    bite: float | Array = 0.0
    jaw_share: float = 1.0

    @classmethod
    def of_portrait(cls, crop: NDArray[np.uint8], mesh: Array, pose: Pose) -> Habit:
        """What a portrait tells of its mouth in the mean moment.

        Parameters
        ----------
        crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels; pose : of the portrait
        """
        measured = np.array([opened(mesh, pose), sharpness(crop, [mesh[OUTER_LIP]], pose.scale)], np.float32)
        told = FITTED.always + told_by(measured, FITTED.portrait_mean, FITTED.portrait_spread, FITTED.portrait)
        told += moustache(crop, mesh) * FITTED.bearded
        return cls.from_numbers(told, FITTED.jaw)

    @classmethod
    def from_numbers(cls, numbers: Array, jaw_share: float) -> Habit:
        """Of float32 [..., 5] in the order of `Fitted`."""
        upper, lower, tongue, jaw, bite = (numbers[..., k] for k in range(5))
        return cls(upper, lower, tongue, jaw, bite, jaw_share)

    def now(self, face: Array, rest: Array) -> Habit:
        """What is seen in moments; face, rest: float32 [..., 70, 3] and [70, 3], normalised landmarks of the driving
        and of the closed mouth."""
        told = told_by(of_moment(face, rest), FITTED.moment_mean, FITTED.moment_spread, FITTED.moment)
        mine = np.array([self.upper, self.lower, self.tongue, self.jaw, self.bite], np.float32) + told
        mine[..., :2] = np.clip(mine[..., :2], *FITTED.light)
        return Habit.from_numbers(mine, self.jaw_share)


def told_by(measured: Array, mean: Array, spread: Array, tells: tuple[Array, ...]) -> Array:
    """What measured numbers [..., n] tell, float32 [..., 5] (`Fitted`)."""
    away = np.clip((measured - mean) / spread, -FITTED.far, FITTED.far)
    return np.asarray(away @ np.stack(tells), np.float32)


def of_moment(face: Array, rest: Array) -> Array:
    """What tells how much of teeth a moment shows, float32 [..., 8], outer eye distances.

    How far down from rest the upper lip, the lower one, the chin and the mouth's corners are, how much wider the mouth
    is, how far the lips are apart, and how much higher than at rest the red of the upper and of the lower lip is.

    Parameters
    ----------
    face, rest : float32 [..., 70, 3]; landmarks of the driving and of the closed mouth, normalised space
    """
    moved = face - rest
    parts = UPPER_MIDDLE, LOWER_MIDDLE, CHIN, ENDS, UPPER_EDGE, LOWER_EDGE
    *down, upper, lower = (moved[..., points, 1].mean(-1) for points in parts)
    apart = face[..., LOWER_MIDDLE, 1].mean(-1) - face[..., UPPER_MIDDLE, 1].mean(-1)
    wider = moved[..., ENDS[1], 0] - moved[..., ENDS[0], 0]
    return np.stack([*down, wider, apart, down[0] - upper, lower - down[1]], -1).astype(np.float32)


def opened(mesh: Array, pose: Pose) -> float:
    """How far a portrait's lips tell of what is between them, 0 to 1; mesh: float32 [478, 3] in its pixels."""
    opening = float(mouth_opening(from_mesh(to_normalised(mesh, pose))))
    return float(clip01((opening - FITTED.open[0]) / (FITTED.open[1] - FITTED.open[0])))


def gleam(crop: NDArray[np.uint8], mesh: Array, scale: float) -> float:
    """Logarithm of the light that teeth have more where a portrait is keen, 0 at least; arguments as of `sharpness`,
    mesh: float32 [478, 3]."""
    face = cv2.convexHull(np.ascontiguousarray(mesh[:, :2], np.float32))[:, 0]
    regions = [mesh[OUTER_LIP]], [mesh[EYE_LEFT], mesh[EYE_RIGHT]], [np.asarray(face, np.float32)]
    mean, spread, most = FITTED.keen
    keen = float(np.mean([sharpness(crop, region, scale) for region in regions]))
    return FITTED.gleam * min(max((keen - mean) / spread, 0.0), most)


def sharpness(crop: NDArray[np.uint8], outlines: Sequence[Array], scale: float) -> float:
    """How sharp a part of a portrait is: logarithm of its finest contrasts over its coarse ones, at `Fitted.unit`.

    Parameters
    ----------
    crop : uint8 [S, S, 3]; outlines : float32 [n, 2 or more] each, of the part, in its pixels
    scale : pixels of an outer eye distance
    """
    points = np.concatenate([outline[:, :2] for outline in outlines])
    margin = 0.3 * scale
    x0, y0 = np.maximum(points.min(0) - margin, 0).astype(int)
    x1, y1 = np.maximum(np.minimum(points.max(0) + margin, crop.shape[0]).astype(int), (x0 + 8, y0 + 8))
    around = np.ascontiguousarray(crop[y0:y1, x0:x1])
    factor = min(1.0, FITTED.unit / scale)
    shape = max(2, round(around.shape[1] * factor)), max(2, round(around.shape[0] * factor))
    small = cv2.resize(around, shape, interpolation=cv2.INTER_AREA).astype(np.float32)
    light = np.log(small @ LUMA + 8)
    unit = scale * factor / FITTED.unit
    blurred = [light, *(cv2.GaussianBlur(light, (0, 0), width * unit) for width in (1, 2, 4))]
    part = np.zeros(light.shape, np.uint8)
    cv2.fillPoly(part, [np.round((outline[:, :2] - (x0, y0)) * factor).astype(np.int32) for outline in outlines], 1)
    there = cv2.dilate(part, np.ones((9, 9), np.uint8)) > 0
    if not there.any():
        return float(FITTED.portrait_mean[-1])
    fine, coarse = (float(np.std((blurred[k] - blurred[k + 1])[there])) for k in (0, 2))
    return float(np.log((fine + 1e-3) / (coarse + 1e-3)))
