"""The eyeball behind the lids: white, iris and highlight apart, so that a gaze moves the iris and nothing else.

The landmark warp drags the white along with the iris, and the window networks repaint what is torn; a few degrees are
well, a look aside is not. Here the portrait's own iris is completed to a disc where lids and highlights hide it, and
laid over its own white; the highlight goes less far than the iris, as it does on a cornea. An iris that is not surely
found has no ball.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32

from .eye_frame import edges
from .fill import push_pull
from .iris_fit import Iris, believed
from .lid_plate import Eye, luma

TURNED = (0.007, 0.014)
"""How far an iris has moved, in outer eye distances, where the eyeball begins to replace the warp, and has: about 3 and
6 degrees. Nearer to home the warp is the portrait's own pixels, and good."""

GLINT = 0.45
"""How far the highlight goes beside the iris: a cornea turns about the eye's centre, its mirror image less."""

BRIGHT = (18.0, 50.0)
"""Levels over the iris's own at which a pixel begins to be highlight, and is."""

LASHES = 0.010
"""Under the upper lid's edge, in outer eye distances, lashes and their shadow hide the eye."""

ROOM = 0.03
"""How far around the open eye it may show, in outer eye distances: the upper lid rises with a gaze up."""

RIM = 0.006
"""Over the lower lid's edge, in outer eye distances, the wet rim hides it."""

SHADE, SHADE_REACH = 0.35, 0.03
"""How dark the upper lid's shadow is on the eye, and how far it reaches, in outer eye distances."""

WHITE = (0.62, 0.92)
"""Light of a pixel, in that of the lightest, from which it is taken for white, and is: lashes and corners are not."""

BRIGHTER = 80.0
"""Percent of what is known of the white that is darker than what is taken for the lightest."""

RIM_REACH = (1.5, 1.9)
"""How far from the iris's centre, in its radii, its rim and what it shades may be, and surely are not."""

CALM = 40.0
"""Percent of the pixels at one distance from the iris's centre that are no highlight, at least."""


@dataclass(frozen=True)
class Eyeball:
    """One eye's ball, without the upper lid's shadow, in the part of its eye's frame where it may show.

    corner: float32 [2], of that part in the frame; all else is in pixels of the part
    white: float32 [h, w, 3] in 0..255, the opening without its iris; disc: float32 [h, w, 4] in 0..255 and 0..1, the
    iris, premultiplied; glint: float32 [h, w, 3], what its highlight adds
    centre: float32 [2], of the iris; unit: pixels to an outer eye distance; soft: blur of the portrait in pixels
    """

    corner: Array
    white: Array
    disc: Array
    glint: Array
    centre: Array
    unit: float
    soft: float

    @staticmethod
    def prepare(eye: Eye, iris: Iris, soft: float) -> Eyeball | None:
        """The ball of an open eye; None where it cannot be sure of the iris or of the white.

        iris : of the eye's frame; soft : blur of the portrait in pixels
        """
        centre, radius = iris.centre, iris.radius
        if not believed(iris):
            return None
        rows, columns = np.mgrid[0 : len(eye.seen), 0 : eye.seen.shape[1]].astype(np.float32)
        away = np.hypot(columns - centre[0], rows - centre[1])
        plain = eye.seen / _shade(eye.rows, eye.upper, eye.unit)[..., None]
        known = _shown(eye.rows, eye.upper, eye.lower, eye.unit, 1.0) * (eye.inside > 0)
        blur = max(0.7 * soft, 0.5) + 0.004 * eye.unit
        white = _white(
            eye, plain, known * smoothstep32(away, 1.1 * radius + blur, 1.2 * radius + 2 * blur), away / radius
        )
        iris_only, glint = _iris(plain, known, away, radius)
        cover = 1 - smoothstep32(away, radius - blur, radius + blur)
        disc = np.dstack([iris_only * cover[..., None], cover]).astype(np.float32)
        tall = _span(eye.rows[:, 0], float(eye.upper.min()), float(eye.lower.max()), eye.unit)
        wide = _span(eye.inside, 0, 1e9, eye.unit)
        corner = np.array([wide.start, tall.start], np.float32)
        white, disc, glint = (
            np.ascontiguousarray(part[tall, wide]) for part in (white, disc, glint * cover[..., None])
        )
        return Eyeball(corner, white, disc, glint, centre - corner, eye.unit, soft)

    def layer(self, points: Array, moved: Array) -> Array:
        """The eye as it looks: premultiplied colours and cover, float32 [h, w, 4].

        points : float32 [16, 2], the loop of its lids in the eye's frame; moved : float32 [2], how the iris has gone
        """
        height, width = self.white.shape[:2]
        upper, lower = edges(points - self.corner, width)
        rows = np.arange(height, dtype=np.float32)[:, None]
        disc = np.maximum(_shifted(self.disc, self.turn(moved)), 0)
        disc[..., 3:] = np.minimum(disc[..., 3:], 1)
        cover = _shown(rows, upper, lower, self.unit, max(self.soft, 1.0) + 0.004 * self.unit)
        picture = self.white * (1 - disc[..., 3:]) + disc[..., :3]
        picture += disc[..., 3:] * _shifted(self.glint, np.array([[1, 0, GLINT * moved[0]], [0, 1, GLINT * moved[1]]]))
        picture *= (_shade(rows, upper, self.unit) * cover)[..., None]
        return np.dstack([np.clip(picture, 0, 255, out=picture), cover])

    def turn(self, moved: Array) -> Array:
        """The map [2, 3] of the iris's pixels: it moves, and is seen more from its side."""
        far = float(np.hypot(*moved))
        way = moved / max(far, 1e-6)
        narrow = np.sqrt(max(1 - np.square(far / (0.14 * self.unit)), 0.5))  # 0.14: `motion.gaze.EYEBALL`
        linear = np.eye(2) - (1 - narrow) * np.outer(way, way)
        return np.column_stack([linear, self.centre + moved - linear @ self.centre])


def _span(places: Array, low: float, high: float, unit: float) -> slice:
    """Where places [n] in pixels, in order or along the eye, are between two, or as near as lids move."""
    inside = np.flatnonzero((places > low - ROOM * unit) & (places < high + ROOM * unit))
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _shifted(picture: Array, matrix: Array) -> Array:
    return np.asarray(cv2.warpAffine(picture, matrix, picture.shape[1::-1], flags=cv2.INTER_CUBIC), np.float32)


def _shade(rows: Array, upper: Array, unit: float) -> Array:
    """Light [h, w] at rows [h, 1] under the upper lid's edge [w], beside what there is without its shadow."""
    reach, middle = np.float32(SHADE_REACH * unit), np.float32(upper.mean())
    deep = np.exp((middle - rows) / reach) * np.exp((upper - middle) / reach)
    return np.asarray(1 - np.float32(SHADE) * np.minimum(deep, 1), np.float32)


def _shown(rows: Array, upper: Array, lower: Array, unit: float, edge: float) -> Array:
    """How much of the eyeball each place [h, w] shows between its lids' edges [w], lashes and rim; `edge` in pixels is
    how softly they end."""
    inside = np.minimum(rows - upper - LASHES * unit, lower - rows - RIM * unit)
    return np.clip(inside / edge + np.float32(0.5), 0, 1)


def _white(eye: Eye, plain: Array, known: Array, away: Array) -> Array:
    """The opening without its iris [h, w, 3]: what is known of it; for the rest, the white of that, spread.

    known : [h, w], what shows of the eye outside the old iris; away : [h, w], from its centre, in its radii. Near the
    iris only white is believed: what is dark there is its rim.
    """
    light, clear = luma(plain), known > 0.5
    high = float(np.percentile(light[clear], BRIGHTER)) if clear.sum() > 8 else float(light.mean())
    weight = known * smoothstep32(light / max(high, 1.0), *WHITE)
    mean = (plain * weight[..., None]).sum((0, 1)) / max(float(weight.sum()), 1e-3)
    colours = (plain * weight[..., None] + mean * 1e-3) / (weight[..., None] + 1e-3)
    filled = push_pull(np.asarray(colours, np.float32), np.minimum(weight + 1e-3, 1).astype(np.float32))
    sure, shade = weight > 0.5, luma(eye.seen) / np.maximum(light, 1)
    most = float(np.percentile(luma(eye.seen)[sure], BRIGHTER)) if sure.any() else high
    filled *= np.minimum(1, most / np.maximum(luma(filled) * shade, 1))[..., None]  # in its shade, as it is seen
    own = np.maximum(weight, known * smoothstep32(away, *RIM_REACH))[..., None]
    return np.asarray(filled + own * (plain - filled), np.float32)


def _iris(plain: Array, known: Array, away: Array, radius: float) -> tuple[Array, Array]:
    """The iris without highlight [h, w, 3], whole, and what the highlight adds to it [h, w, 3]."""
    density = min(1.0, 16 / radius)
    count = int(1.3 * radius * density) + 1
    ring = np.minimum((away * density).astype(int), count - 1)
    near, light = (away < 1.3 * radius) & (known > 0.5), luma(plain)
    before = np.median(plain[near & (away < radius)], 0) if near.any() else np.full(3, 60, np.float32)
    profile = np.empty((count, 3), np.float32)
    for number in range(count):
        here = near & (ring == number)
        if here.sum() >= 3:
            before = plain[here & (light <= np.percentile(light[here], CALM) + 1)].mean(0)
        profile[number] = before
    place = np.clip(away * density - 0.5, 0, count - 1)
    usual = np.stack([np.interp(place, np.arange(count), profile[:, k]) for k in range(3)], -1)
    shine = smoothstep32(light - luma(usual), *BRIGHT) * (away < 0.8 * radius)
    shine = np.asarray(cv2.GaussianBlur(cv2.dilate(shine, np.ones((3, 3), np.uint8)), (3, 3), 0), np.float32)
    own = (known * (1 - shine))[..., None]
    whole = np.asarray(usual + own * (plain - usual), np.float32)
    added = np.maximum(plain - whole, 0) * (known * shine)[..., None]
    return whole, np.asarray(added, np.float32)
