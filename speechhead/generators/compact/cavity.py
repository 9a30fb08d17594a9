"""Light between open lips, and what lies behind the teeth there: tongue and dark."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from speechhead.core.arrays import Array, fixed
from speechhead.core.smoothstep import smoothstep32

UPPER_MIDDLE, LOWER_MIDDLE = [61, 62, 63], [65, 66, 67]


@dataclass(frozen=True, eq=False)
class Cavity:
    """Light and colour inside a mouth. Lengths in outer eye distances; fitted to open mouths of training clips
    (docs/decisions/0014-a-mouth-with-an-inside.md)."""

    full: float = 1.34
    """Light on the middle of the upper row where no lip throws its shadow."""

    lower: float = 0.85
    """How light the lower teeth are beside the upper ones."""

    shade: float = 0.05
    """Width of the shadow that the lips throw into the mouth."""

    sides: float = 0.31
    """Distance from the middle at which light has fallen to 1 / e: cheeks keep it off the back teeth."""

    near: float = 0.4
    """What the lips' shadow takes away along its edge."""

    under: float = 0.25
    """What the upper lip's takes besides."""

    rounded: float = 3.5
    """How much light goes for each unit by which a mouth is narrower than at rest: rounded lips are a tube."""

    dimmest: float = 0.35
    """The least that is left of it."""

    slit: tuple[float, float] = (0.1, 0.45)
    """How much of a square of `shade` around a place is open where it begins to be seen into the mouth, and where it
    wholly is: between lips that nearly touch, as in the corners, there is only their own shade."""

    slit_share: tuple[float, float] = (0.5, 0.28)
    """How much of that holds where a mouth is as broad as at rest, and how much less of `wide` there is where all of it
    does: the corners of a broad mouth are dark, those of a rounded one are lips."""

    red: Array = field(default_factory=lambda: fixed(0.0, 0.4, 0.5))
    """Powers of the light, below full light, by which less of each channel than of the light is left: in a mouth it has
    been thrown back by red walls."""

    deep: Array = field(default_factory=lambda: fixed(0.27, 0.14, 0.13))
    """Colour of the back of the mouth, parts of the skin's."""

    tongue: Array = field(default_factory=lambda: fixed(0.80, 0.57, 0.56))
    """Colour of the tongue, parts of the skin's."""

    tongue_half: tuple[float, float] = (0.2, 0.085)
    """Half width and height of the tongue that is seen behind the lower teeth."""

    tongue_above: float = 0.016
    """How far the tongue's middle stands above the lower teeth's edge."""


CAVITY = Cavity()


@dataclass(frozen=True)
class Opening:
    """What is seen between lips, in a box of the frame.

    corner: pixel (x, y) of the box; mask: float32 [h, w], how much of each pixel is within, 0..1; width: pixels of the
    lips' shadow, odd.
    """

    corner: tuple[int, int]
    mask: Array
    width: int

    @classmethod
    def between(cls, outline: Array, scale: float, size: int) -> Opening | None:
        """Within an outline [n, 2] in pixels of a frame of `size` a side; None where it is out of the frame.

        scale: pixels of an outer eye distance
        """
        margin = round(CAVITY.shade * scale) + 2
        x0, y0 = np.maximum(np.floor(outline.min(0)).astype(int) - margin, 0)
        x1, y1 = np.minimum(np.ceil(outline.max(0)).astype(int) + margin, size)
        if x1 - x0 < 4 or y1 - y0 < 4:
            return None
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [np.round((outline - (x0, y0)) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        width = 2 * round(CAVITY.shade * scale / 2) + 1
        return cls((int(x0), int(y0)), mask.astype(np.float32) / np.float32(255), width)

    @property
    def where(self) -> tuple[slice, slice]:
        """The box, rows and columns of the frame."""
        (x, y), (height, width) = self.corner, self.mask.shape
        return slice(y, y + height), slice(x, x + width)

    @property
    def places(self) -> tuple[Array, Array]:
        """Pixels (x, y) of the frame, float32 [h, w] each."""
        (rows, columns) = self.where
        x, y = np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)
        x, y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        return x, y

    @cached_property
    def depth(self) -> tuple[Array, Array]:
        """How far from the lips, and from the upper one alone, places are, float32 [h, w]: about 0.5 on the line, 1 in
        the open."""
        near = cv2.blur(self.mask, (self.width, self.width), borderType=cv2.BORDER_CONSTANT)
        move = np.array([[1, 0, 0], [0, 1, 0.5 * self.width]], np.float32)
        below = cv2.warpAffine(near, move, (self.mask.shape[1], self.mask.shape[0]))
        return np.asarray(near, np.float32), np.asarray(below, np.float32)


def lit(opening: Opening, across: Array, face: Array, rest: Array) -> tuple[Array, Array]:
    """Light float32 [h, w] on the lower and on the upper row, in parts of full light.

    It falls in from the front and above: it is darker near the lips, most below the upper one, towards the cheeks, and
    in a rounded mouth.

    Parameters
    ----------
    across : float32 [h, w], distances from the middle, outer eye distances
    face, rest : float32 [70, 3]; driving landmarks and those of the closed mouth, normalised space
    """
    near, below = opening.depth
    light = (1 - CAVITY.near * (1 - smoothstep32(near, 0.15, 0.75))) * (
        1 - CAVITY.under * (1 - smoothstep32(below, 0.1, 0.8))
    )
    light *= CAVITY.full * np.exp(-np.square(across / CAVITY.sides))
    light *= wide(face, rest)
    upper = np.asarray(light, np.float32)
    return upper * np.float32(CAVITY.lower), upper


def seen_into(opening: Opening, face: Array, rest: Array) -> Array:
    """How far it is seen into a mouth, float32 [h, w] in 0..1; arguments as of `lit`."""
    least, narrow = CAVITY.slit_share
    share = least + (1 - least) * np.minimum((1 - wide(face, rest)) / np.float32(narrow), 1)
    return np.asarray(1 - share * (1 - smoothstep32(opening.depth[0], *CAVITY.slit)), np.float32)


def wide(face: Array, rest: Array) -> Array:
    """How much light [...] comes in between lips that are less wide than at rest, 0..1.

    face, rest : float32 [..., 70, 3], as of `lit`
    """
    breadth = (face[..., 64, 0] - face[..., 60, 0]) - (rest[..., 64, 0] - rest[..., 60, 0])
    return np.asarray(np.clip(1 + CAVITY.rounded * breadth, CAVITY.dimmest, 1), np.float32)


def reddened(light: Array) -> Array:
    """Light [h, w] by channel [h, w, 3]: shade in a mouth is red."""
    least = np.clip(light, 1e-3, 1)
    return np.asarray(
        cv2.merge([light, *(light * cv2.pow(least, float(power)) for power in CAVITY.red[1:])]), np.float32
    )


def behind(place: tuple[Array, Array], light: Array, skin: Array, tongue: float = 1.0) -> Array:
    """Colours float32 [h, w, 3] behind the teeth, 0..255.

    Parameters
    ----------
    place : float32 [h, w] each, distances (across, down) from the lower front teeth's edge, outer eye distances
    light : float32 [h, w], on the upper row; skin : float32 [3], its colour
    tongue : how light the tongue is beside the usual
    """
    across, down = place
    far = np.hypot(across / CAVITY.tongue_half[0], (down + CAVITY.tongue_above) / CAVITY.tongue_half[1])
    share = (1 - smoothstep32(far, 0.3, 1.0)) * np.minimum(light, 1) * np.float32(tongue)
    return np.asarray((CAVITY.deep + share[..., None] * (CAVITY.tongue - CAVITY.deep)) * skin, np.float32)
