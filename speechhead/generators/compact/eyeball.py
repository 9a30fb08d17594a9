"""The eyeball behind the lids: white, iris and highlight apart, so that a gaze moves the iris and nothing else.

The landmark warp drags the white along with the iris, and the window networks repaint what is torn; a few degrees are
well, a look aside is not. Here the portrait's own iris is completed to a disc where lids and highlights hide it, and
laid over its own white; the highlight goes less far than the iris, as it does on a cornea.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32

from .eye_frame import edges
from .fill import push_pull
from .lid_plate import Eye, luma
from .meshwarp import WARP

TURNED = (0.007, 0.020)
"""How far an iris has moved, in outer eye distances, where the eyeball begins to replace the warp, and has: about 3 and
8 degrees. Nearer to home the warp is the portrait's own pixels, and good."""

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

WHITE = (0.6, 0.9)
"""Light of a pixel, in that of the lightest, from which it is taken for white, and is: lashes and corners are not."""

CALM = 40.0
"""Percent of the pixels at one distance from the iris's centre that are no highlight, at least."""

RADII = np.geomspace(0.8, 1.6, 12)
"""Radii of the iris that are tried, in those of an adult's."""

STEPS = np.linspace(-0.03, 0.03, 11)
"""Places of its centre that are tried around the tracked one, in outer eye distances."""

FAR = 30000.0
"""Levels of contrast that a place of the centre loses by the square of its way from the tracked one: less, and a pupil
or a shadow beside it is taken for the iris."""

USUAL = 40.0
"""Levels of contrast that a radius e times an adult's loses."""

TOLD = 12.0
"""Levels by which an iris is darker than the white, at least; less, and none is drawn."""


UNSEEN, LEAST = -1e9, -60.0
"""Contrast of a circle one of whose sides the lids hide, and the least that an eye can say against a radius."""


@dataclass(frozen=True)
class Circles:
    """Where an eye's iris may be: of each of RADII the best centre float32 [n, 2] in pixels of its frame, how well it
    fits float32 [n], and by how many levels it is darker than what is around it float32 [n]."""

    centres: Array
    scores: Array
    told: Array


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
    def prepare(eye: Eye, circles: Circles, usual: int, soft: float) -> Eyeball | None:
        """The ball of an open eye; None where no iris tells itself from a white.

        circles : of `circles`; usual : number of the radius that both eyes have; soft : blur of the portrait in pixels
        """
        near = np.arange(max(usual - 1, 0), min(usual + 2, len(RADII)))
        number = int(near[circles.scores[near].argmax()])
        centre, radius = circles.centres[number], float(RADII[number] * WARP.iris_radius * eye.unit)
        if circles.told[number] < TOLD:
            return None
        rows, columns = np.mgrid[0 : len(eye.seen), 0 : eye.seen.shape[1]].astype(np.float32)
        away = np.hypot(columns - centre[0], rows - centre[1])
        plain = eye.seen / _shade(eye.rows, eye.upper, eye.unit)[..., None]
        known = _shown(eye.rows, eye.upper, eye.lower, eye.unit, 1.0) * (eye.inside > 0)
        blur = max(0.7 * soft, 0.5) + 0.004 * eye.unit
        white = _white(eye, plain, known * smoothstep32(away, radius + blur, radius + 2 * blur))
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
        disc = np.maximum(_shifted(self.disc, self._turn(moved)), 0)
        disc[..., 3:] = np.minimum(disc[..., 3:], 1)
        cover = _shown(rows, upper, lower, self.unit, max(self.soft, 1.0) + 0.004 * self.unit)
        picture = self.white * (1 - disc[..., 3:]) + disc[..., :3]
        picture += _shifted(self.glint, np.array([[1, 0, GLINT * moved[0]], [0, 1, GLINT * moved[1]]]))
        picture *= (_shade(rows, upper, self.unit) * cover)[..., None]
        return np.dstack([np.clip(picture, 0, 255, out=picture), cover])

    def _turn(self, moved: Array) -> Array:
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


def circles(eye: Eye, iris: Array) -> Circles:
    """The circle of each radius whose rim turns darkest to lightest, near the tracked centre [2] in the eye's frame.

    Daugman's operator (1993), on the sides of the circle, which lids seldom hide.
    """
    light = np.asarray(cv2.GaussianBlur(luma(eye.seen), (0, 0), max(0.006 * eye.unit, 0.6)), np.float32)
    turns = np.concatenate([np.linspace(-0.6, 0.7, 12), np.pi + np.linspace(-0.7, 0.6, 12)])
    spokes = np.stack([np.cos(turns), np.sin(turns)], -1)
    ways = np.stack(np.meshgrid(STEPS, STEPS[2:-2]), -1).reshape(-1, 1, 2)
    middles = iris + ways * eye.unit
    loss = FAR * np.square(ways).sum(-1)[:, 0]
    found = []
    for scale in RADII:
        size = float(scale * WARP.iris_radius * eye.unit)
        inner, outer = (_read(light, middles + side * size * spokes) for side in (0.82, 1.18))
        ends = middles + 1.18 * size * spokes
        column = np.clip(np.round(ends[..., 0]).astype(int), 0, len(eye.upper) - 1)
        seen = (ends[..., 1] > eye.upper[column]) & (ends[..., 1] < eye.lower[column]) & (eye.inside[column] > 0)
        steps, count = np.clip(outer - inner, -60, 60) * seen, seen.reshape(len(seen), 2, -1).sum(2)
        sides = np.where(count >= 3, steps.reshape(len(seen), 2, -1).sum(2) / np.maximum(count, 1), UNSEEN)
        told = sides.min(1)  # a corner, a brow or a rim are dark on one side only
        score = told - loss - USUAL * abs(np.log(scale))
        first = int(score.argmax())
        found.append((middles[first, 0], score[first], told[first]))
    centres, scores, tolds = (np.asarray(part, np.float32) for part in zip(*found))
    return Circles(centres, scores, tolds)


def usual_radius(both: Sequence[Circles]) -> int:
    """Number of the radius that tells most of one person's irises, which are as large as each other."""
    return int(np.sum([np.maximum(one.scores, LEAST) for one in both], 0).argmax())


def _read(light: Array, places: NDArray[Any]) -> Array:
    """Light [n, k] at places [n, k, 2], pixels."""
    x, y = (np.ascontiguousarray(places[..., axis], np.float32) for axis in (0, 1))
    return np.asarray(cv2.remap(light, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _white(eye: Eye, plain: Array, known: Array) -> Array:
    """The opening without its iris [h, w, 3]: what is known of it; for the rest, the lighter part of that, spread."""
    light = luma(plain)
    skin = np.median(plain[(eye.rows > eye.lower) & (eye.inside > 0)].reshape(-1, 3), 0)
    usual = skin + 0.65 * (luma(skin[None]) - skin)  # a white of little hue, for an eye that shows none
    clear = known > 0.5
    high = float(np.percentile(light[clear], 85)) if clear.sum() > 8 else float(luma(usual[None])[0])
    weight = known * smoothstep32(light / max(high, 1.0), *WHITE)
    colours = (plain * weight[..., None] + usual * 1e-3) / (weight[..., None] + 1e-3)
    filled = push_pull(np.asarray(colours, np.float32), np.minimum(weight + 1e-3, 1).astype(np.float32))
    return np.asarray(filled + known[..., None] * (plain - filled), np.float32)


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
