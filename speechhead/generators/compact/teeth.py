"""The inside of an open mouth: two rows of teeth, gums, tongue and the dark behind, where the portrait shows none.

A portrait with closed lips does not tell what its teeth look like, and a network that has to guess paints the mean of
all teeth. So they are taken from a head model (ICT-FaceKit, MIT): drawn from the front, once and in detail, they are
laid on two arches that stand still in the skull and in the jaw, and are seen through the opening between the lips.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core import weights
from speechhead.core.arrays import Array, fixed
from speechhead.core.smoothstep import smoothstep32
from speechhead.face.landmarks import Pose, from_mesh, to_pixels
from speechhead.motion.rest import rest_face

from .meshwarp import EYE_LEFT, EYE_RIGHT, LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP
from .own_teeth import own_teeth, relit
from .row import Row

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
UPPER_MIDDLE, LOWER_MIDDLE = [61, 62, 63], [65, 66, 67]
MIDDLE = UPPER_MIDDLE + LOWER_MIDDLE


@dataclass(frozen=True)
class Arches:
    """Where teeth and tongue stand.

    Lengths in outer eye distances. Chosen by eye, and by mouth AKD and opening slope of `pipelines.evaluate`
    (docs/decisions/0002-teeth-of-a-head-model.md).
    """

    upper_bite: float = 0.026
    """How far the edge of the upper front teeth stands below the line of closed lips."""

    lower_bite: float = 0.012
    """How far the edge of the lower front teeth stands below it."""

    lowered: float = 0.85
    """How far the lower row goes down when the lower lip goes down by 1: lips draw back a little from the teeth."""

    behind: float = 0.055
    """How far the front teeth stand behind the lips."""

    density: float = 1.3
    """Pixels of a row of teeth to a pixel of the crop."""

    steep: float = 1.2
    """Largest slope of an arch that is drawn: its sides are out of sight behind the corners of the mouth."""

    apart: tuple[float, float] = (0.0, 0.04)
    """Lip openings from which the teeth begin to be drawn, and are drawn fully."""

    lips: tuple[float, float] = (0.014, 0.008)
    """What the upper and the lower lip hide of what is between them."""

    tongue_half: tuple[float, float] = (0.2, 0.1)
    """Half width and height of the tongue that is seen behind the lower teeth."""

    tongue_above: float = 0.02
    """How far the tongue's middle stands above the lower teeth's edge."""


@dataclass(frozen=True, eq=False)
class Cavity:
    """Light and colour inside a mouth; chosen by eye (docs/decisions/0002-teeth-of-a-head-model.md)."""

    lower_lit: float = 0.85
    """How light the lower teeth are beside the upper ones."""

    shade: float = 0.05
    """Width of the shadow that the lips throw into the mouth, outer eye distances."""

    deep: Array = field(default_factory=lambda: fixed(54, 25, 23))
    """Colour of the back of the mouth, RGB where a white thing is 235."""

    tongue: Array = field(default_factory=lambda: fixed(158, 84, 80))
    """Colour of the tongue, RGB where a white thing is 235."""

    lens: float = 0.45
    """How much softer than drawn the mouth is shown, as a part of the softness of the portrait's eyes."""

    shown: float = 0.75
    """Between open lips of a portrait, what is so bright beside the skin is teeth."""

    skin: Array = field(default_factory=lambda: fixed(1.26, 0.95, 0.79))
    """Colour of skin in white light, RGB of mean 1: what a face has beside it is the light's."""

    ivory: Array = field(default_factory=lambda: fixed(1.05, 0.99, 0.94))
    """Colour of teeth where a portrait does not show them, parts of white: lips shine red on them, and white ones look
    blue beside skin."""


ARCHES = Arches()
CAVITY = Cavity()


@dataclass(frozen=True)
class Inside:
    """The mouth of one portrait.

    lower, upper: its rows, `unit` pixels to an outer eye distance; bite: how far the upper row's edge stands below the
    line of closed lips; seam: float32 [3], middle of the resting lips in normalised space; soft: standard deviation of
    the blur that the portrait has, outer eye distances; white, lips: float32 [3], colours of a white thing in this
    light and of the line between the lips; grey: 1 for a picture without colours of its own.
    """

    lower: Row
    upper: Row
    bite: float
    unit: float
    seam: Array
    soft: float
    white: Array
    lips: Array
    grey: float


class Teeth:
    """Draws the inside of mouths."""

    def __init__(self) -> None:
        with np.load(weights.path("teeth.npz")) as store:
            self._unit = float(store["unit"])
            self._rows = {}
            for name in ("lower", "upper"):
                colour = store[name].astype(np.float32)
                colour[..., :3] *= colour[..., 3:] / 255
                colour[..., 3] /= 255
                self._rows[name] = Row(colour, tuple(store[f"{name}_edge"].tolist()), float(store[f"{name}_curve"]))

    def prepare(self, crop: NDArray[np.uint8], mesh: Array, canonical: Array, pose: Pose) -> Inside:
        """Place, light and, as far as they are seen, teeth of a portrait's mouth.

        Parameters
        ----------
        crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels; canonical : the same in normalised space
        pose : of the portrait, in its pixels
        """
        density = min(1.0, ARCHES.density * pose.scale / self._unit)
        lower, upper = (self._rows[name].scaled(density) for name in ("lower", "upper"))
        seam = rest_face(from_mesh(canonical))[MIDDLE].mean(0)
        soft = CAVITY.lens * softness(crop, mesh, pose.scale) / pose.scale
        white, lips, grey = light(crop, mesh)
        place = seam + np.array([0, 0, ARCHES.behind], np.float32)
        own = own_teeth(crop, mesh, pose, place, upper, self._unit * density, white)
        gain, bite = own or (None, None)
        if gain is not None:
            lower, upper = relit(lower, gain), relit(upper, gain)
        bite = ARCHES.upper_bite if bite is None else bite
        return Inside(lower, upper, bite, self._unit * density, seam, soft, white, lips, grey)

    def draw(self, frame: NDArray[np.uint8], inside: Inside, keypoints: Array, pose: Pose) -> NDArray[np.uint8]:
        """Lay the inside of the mouth into a frame, in place.

        Parameters
        ----------
        keypoints : float32 [478, 3], driving, in normalised space; pose : driving, in crop pixels
        """
        layer = self.layer(frame.shape[0], inside, keypoints, pose)
        if layer is not None:
            (rows, columns), deep, share = layer
            region = frame[rows, columns]
            frame[rows, columns] = cv2.convertScaleAbs(region * (1 - share) + deep * share)
        return frame

    def layer(
        self, size: int, inside: Inside, keypoints: Array, pose: Pose
    ) -> tuple[tuple[slice, slice], Array, Array] | None:
        """What `draw` lays over a frame of `size` pixels a side: where, colours [h, w, 3] in 0..255, and how much of
        them [h, w, 1] in 0..1; None where the lips are shut or the mouth is out of the frame."""
        face = from_mesh(keypoints)
        gap = float(face[LOWER_MIDDLE, 1].mean() - face[UPPER_MIDDLE, 1].mean())
        shown = float(smoothstep32(gap, *ARCHES.apart))
        if shown <= 0:
            return None
        lips = to_pixels(between(keypoints), pose)[:, :2]
        margin = round(CAVITY.shade * pose.scale) + 2
        x0, y0 = np.maximum(np.floor(lips.min(0)).astype(int) - margin, 0)
        x1, y1 = np.minimum(np.ceil(lips.max(0)).astype(int) + margin, size)
        if x1 - x0 < 4 or y1 - y0 < 4:
            return None
        opening = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(opening, [np.round((lips - (x0, y0)) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        mask = opening.astype(np.float32) / 255
        jaw = ARCHES.lowered * max(0.0, float(face[LOWER_MIDDLE, 1].mean() - inside.seam[1]))
        colour = _colours(inside, pose, jaw, (x0, y0, x1, y1))
        # Light falls in from the front and above: it is darker near the lips, and most below the upper one.
        width = 2 * round(CAVITY.shade * pose.scale / 2) + 1
        near = np.asarray(cv2.blur(mask, (width, width), borderType=cv2.BORDER_CONSTANT), np.float32)
        move = np.array([[1, 0, 0], [0, 1, 0.5 * width]], np.float32)
        below = cv2.warpAffine(near, move, (mask.shape[1], mask.shape[0]))
        lit = (0.84 + 0.16 * smoothstep32(near, 0.15, 0.75)) * (0.86 + 0.14 * smoothstep32(below, 0.1, 0.8))
        deep = inside.lips + np.clip((near - 0.15) / 0.45, 0, 1)[..., None] * (colour * lit[..., None] - inside.lips)
        soft = inside.soft * pose.scale
        deep = np.asarray(cv2.GaussianBlur(deep, (0, 0), soft), np.float32)
        share = np.asarray(shown * cv2.GaussianBlur(mask, (0, 0), soft), np.float32)
        return (slice(int(y0), int(y1)), slice(int(x0), int(x1))), deep, share[..., None]


def between(keypoints: Array) -> Array:
    """Outline float32 [n, 3] of what is seen between the inner lips of keypoints [478, 3], in normalised space.

    Lips are round and overhang a little: teeth that were seen up to the line at which lips meet would make a mouth look
    further open than it is.
    """
    upper, lower = keypoints[UPPER_INNER_LIP].copy(), keypoints[LOWER_INNER_LIP].copy()
    share = np.minimum(1, np.maximum(lower[:, 1] - upper[:, 1], 0) / sum(ARCHES.lips))
    upper[:, 1] += ARCHES.lips[0] * share
    lower[:, 1] -= ARCHES.lips[1] * share
    return np.concatenate([upper, lower[-2:0:-1]])


def _colours(inside: Inside, pose: Pose, jaw: float, box: tuple[int, int, int, int]) -> Array:
    """Colours [h, w, 3] of what is behind the lips in a box of the frame, evenly lit; jaw: how far it is down."""
    x0, y0, x1, y1 = box
    x, y = np.meshgrid(np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32))

    def seen(below: float, curve: float) -> tuple[Array, Array]:
        return unprojected(x, y, inside.seam + np.array([0, below, ARCHES.behind], np.float32), pose, curve)

    across, down = seen(ARCHES.lower_bite + jaw - ARCHES.tongue_above, 0.0)
    far = np.hypot(across / ARCHES.tongue_half[0], down / ARCHES.tongue_half[1])[..., None]
    out = CAVITY.deep + (1 - smoothstep32(far, 0.55, 1.0)) * (1 - 0.4 * far) * (CAVITY.tongue - CAVITY.deep)
    lower, upper = (inside.lower, ARCHES.lower_bite + jaw, CAVITY.lower_lit), (inside.upper, inside.bite, 1.0)
    for row, below, lit in (lower, upper):
        across, down = seen(below, row.curve)
        places = across * inside.unit + row.edge[0], down * inside.unit + row.edge[1]
        teeth = cv2.remap(row.colour, *places, cv2.INTER_LINEAR)
        out = out * (1 - teeth[..., 3:]) + teeth[..., :3] * lit
    if inside.grey > 0:
        out = out + inside.grey * (out @ LUMA[:, None] - out)
    return np.asarray(out * (inside.white / 235), np.float32)


def unprojected(x: Array, y: Array, edge: Array, pose: Pose, curve: float) -> tuple[Array, Array]:
    """Where on an arch pixels look: distances (across, down) from its edge's middle, in outer eye distances.

    The arch is z = curve * across^2 behind its middle; three steps of a fixed-point iteration, which converges as long
    as the head is turned less than the arch is steep.

    Parameters
    ----------
    x, y : float32 [h, w], pixels; edge : float32 [3], normalised space; pose : of the head, in pixels
    """
    middle = to_pixels(edge, pose)
    matrix = np.asarray(pose.rotation * pose.scale, np.float32)
    inverse = np.linalg.inv(matrix[:2, :2])
    dx, dy = x - middle[0], y - middle[1]
    reach = ARCHES.steep / (2 * curve) if curve else 0.0
    across, down = np.zeros_like(x), np.zeros_like(y)
    for _ in range(3):
        inner = np.clip(across, -reach, reach)
        depth = curve * inner * inner + (ARCHES.steep if curve else 0.0) * np.abs(across - inner)
        px, py = dx - matrix[0, 2] * depth, dy - matrix[1, 2] * depth
        across, down = inverse[0, 0] * px + inverse[0, 1] * py, inverse[1, 0] * px + inverse[1, 1] * py
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


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


def light(crop: NDArray[np.uint8], mesh: Array) -> tuple[Array, Array, float]:
    """What the portrait tells of its mouth's colours: `white`, `lips` and `grey` of `Inside`."""
    picture = crop.astype(np.float32)
    luma = picture @ LUMA
    points = np.round(mesh[:, :2]).astype(np.int32)
    face = _filled(crop, [cv2.convexHull(points)])
    eyes = _filled(crop, [points[EYE_LEFT], points[EYE_RIGHT]])
    bright = float(np.percentile(luma[face], 80)) if face.any() else 160.0
    white: NDArray[Any] = np.ones(3, np.float32)
    level = 1.12 * bright
    if face.any():
        skin = picture[face].mean(0)
        white = 0.5 + 0.5 * skin / max(float(skin.mean()), 1.0) / CAVITY.skin
        white[2] = min(white[2], white[0])  # pale skin is not blue light
        white = white * CAVITY.ivory
    if eyes.sum() > 8:
        level = max(level, 1.25 * float(picture[eyes & (luma >= np.percentile(luma[eyes], 75))].mean()))
    shown = _filled(crop, [points[UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]]])
    shown &= luma > CAVITY.shown * bright
    if shown.sum() > 40:  # teeth that the portrait shows tell best what they look like in its light
        teeth = np.percentile(picture[shown], 75, axis=0)
        white, level = teeth / max(float(teeth.mean()), 1.0), 1.12 * float(teeth.mean())
    mean = picture.reshape(-1, 3).mean(0) / max(float(picture.mean()), 1.0)
    spread = float(np.abs(picture - luma[..., None] * mean).mean())
    tone, error = toning(picture[face], luma[face], level)
    grey = 1 - float(np.clip(min((spread - 3) / 5, (error - 1.5) / 0.7), 0, 1))
    if grey > 0.5:
        white = tone
    lips = _filled(crop, [points[OUTER_LIP]])
    line = 0.5 * picture[lips].mean(0) if lips.any() else np.array([90, 50, 50])
    return np.asarray(white * min(level, 250.0), np.float32), np.asarray(line, np.float32), grey


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
