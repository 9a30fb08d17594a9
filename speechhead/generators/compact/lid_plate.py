"""What a shut eye is made of, taken from a portrait with open ones: skin, and the lashes on its edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32

from .fill import push_pull
from .teeth import LUMA

ABOVE, BELOW, BESIDE = 0.045, 0.028, 0.025
"""How far around the opening lashes and rims are for sure, in outer eye distances: the plate replaces them."""

OUTWARD = 0.03
"""How much further they are beyond the outer corner, where lashes and their paint run out."""

REACH = 0.105
"""How far from the edge lashes, paint and folds are looked for, in outer eye distances."""

TIPS = 0.04
"""How much further a thing goes away with its tips that begins within it, in outer eye distances."""

STANDING = 0.085
"""How high over the edge what is dark is lashes or their fold for sure, unless there are rims, outer eye distances."""

THIN = 0.05
"""Half width of what is no wider than they are, in outer eye distances."""

FAINT = (0.08, 0.2)
"""How much darker than the skin around it, as a part of that, a thing begins to be taken away, and wholly is."""

APART = 30.0
"""Levels between white and skin from which they can be told apart."""

STRAY = 0.6
"""Part of a dark thing that may lie further off; more, and it is no lash."""

GOES_ON = 0.05
"""Part of a white thing under the lid that may lie furthest off; more, and it is skin in light or glare."""

SOFT = 0.012
"""Width of soft edges, in outer eye distances."""

NEAR = 0.03
"""How far from the lids the skin is looked at that a shut lid is made of, in outer eye distances."""

LENT, FAIR = 0.6, 0.9
"""How much of the light under an eye a shut lid has beside that over it, and how much of it reaches a lid: a brow and a
fold shade the skin over an eye, and a lid comes out of them. Measured on blinks of the training clips."""

SHADED = (0.35, 0.55)
"""How light the white under an upper lid is beside the skin under the eye in the shade of a hat or of a deep socket,
which a lid stays in, and in the light."""

SHADOW = (0.3, 0.8)
"""How light all that is seen around an eye is beside its skin, when the eye lies in shadow, and when it does not."""

DEPTH = 0.5
"""How much of the shadow lies on a shut lid, which stands out of it."""

UNDER = 0.8
"""How much less what lies under the eye tells of that than what lies over it."""

MOST_GRAIN = 1.0
"""How strong the texture of a shut lid is at most, beside that of the skin under the eye."""

BORDER = 0.012
"""How far across its border the light is looked at that a shut lid is to have, in outer eye distances."""

DOTS, PRINTED = 0.03, (1.5, 4.0)
"""Width of the dots of a print, in outer eye distances; and levels that they deviate by, from which they are taken for
that, and wholly are."""

LASHES = 0.05
"""How far above the edge lashes are seen, in outer eye distances."""

LINE_SHARE = (0.95, 1.0)
"""How much of the middle of a shut lash line is lash, at least and at most."""

TAPER = ((-0.10, 0.02), (-0.05, 0.03))
"""Distances inward from the outer and from the inner corner over which the lash line sets in, outer eye distances."""

PALE, LEAST = (0.58, 0.72), 0.9
"""How light the darkest of an eye is beside the skin where it begins to be a pale picture's, and surely is: there the
shut line is no darker than the second part of that."""

BUSY = (0.11, 0.18)
"""Slope of the light under an eye, a hundredth of an outer eye distance in parts of the skin's, that a tenth of places
have on skin, and from which rims or dots of a print are there."""

GRAINY = (0.07, 0.13)
"""The same of what the line of a shut lid has to be bolder in: grain and coarse paint hide it as well."""


@dataclass(frozen=True)
class Eye:
    """An open eye, upright: its picture float32 [h, w, 3] in 0..255; rows [w] of its lids' edges; how far each column
    is inside the outer and the inner corner, pixels [w]; and pixels to an outer eye distance."""

    seen: Array
    upper: Array
    lower: Array
    outer: Array
    inner: Array
    unit: float

    @property
    def rows(self) -> Array:
        """Number of each row [h, 1]."""
        return np.arange(len(self.seen), dtype=np.float32)[:, None]

    @property
    def inside(self) -> Array:
        """How far each column is inside both corners [w], pixels."""
        return np.minimum(self.outer, self.inner)

    def outside(self, above: float, below: float, beside: float) -> Array:
        """Distance [h, w] out of the opening widened by these, all in outer eye distances; negative inside it."""
        tall = np.maximum(self.upper - self.rows - above * self.unit, self.rows - self.lower - below * self.unit)
        aside = -np.minimum(self.outer + OUTWARD * self.unit, self.inner) - beside * self.unit
        return np.asarray(np.maximum(tall, aside) / self.unit, np.float32)


def luma(picture: NDArray[Any]) -> Array:
    """Luma [...] of colours [..., 3]."""
    return np.asarray(picture @ LUMA, np.float32)


def hole(eye: Eye) -> tuple[Array, Array]:
    """What shows of the open eye [h, w] in 0..1: the opening with its rims, and lashes, paint and folds as far as they
    reach; and what of the picture is laid over at all."""
    sure = 1 - smoothstep32(eye.outside(ABOVE, BELOW, BESIDE), 0, SOFT)
    columns = np.arange(eye.seen.shape[1])
    ends = np.asarray(np.minimum(columns, columns[::-1]) / eye.unit, np.float32)  # nothing is laid where the frame ends
    reach = np.maximum(eye.outside(REACH, BELOW + SOFT, REACH), -eye.inner / eye.unit - BESIDE - SOFT)
    side = 2 * max(1, round(0.01 * eye.unit)) + 1
    around = np.maximum(_dark_things(eye, sure, reach, ends), _whites(eye)).astype(np.float32)
    grown = cv2.dilate(around, np.ones((side, side), np.uint8))
    found = np.maximum(sure, cv2.GaussianBlur(grown, (0, 0), 0.25 * side)).astype(np.float32)
    return found, np.maximum(found, 1 - smoothstep32(np.maximum(reach, -ends), -0.03, 0))


def _dark_things(eye: Eye, sure: Array, reach: Array, ends: Array) -> Array:
    """Lashes, paint and folds on the skin around the opening [h, w] in 0..1.

    What is thin and dark there is theirs, but for what goes on out of sight: brows, hair, rims of spectacles. Close to
    the edge all of it is, for lashes may run into a brow, unless rims are there. The fainter, the more of it stays: a
    shut lid has its fold.

    sure : [h, w], the opening with its rims; reach : [h, w], how far out of the place looked at; ends : [w], distance
    from where the frame ends; in outer eye distances
    """
    light = luma(eye.seen)
    filled = push_pull(eye.seen, np.square(1 - sure).astype(np.float32))
    bare = light + sure * (luma(filled) - light)
    side = 2 * max(1, round(THIN * eye.unit)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx(np.asarray(bare, np.float32), cv2.MORPH_CLOSE, disc)
    contrast = 1 - bare / np.maximum(closed, 1)
    dark = (contrast > FAINT[0]) & (sure < 0.99)
    near, tips = (np.maximum(reach - more, -ends) < 0 for more in (0, TIPS))
    count, parts = cv2.connectedComponents(dark.astype(np.uint8))
    total, beyond = (np.bincount(parts[where], minlength=count) for where in (dark, dark & ~near))
    theirs = (beyond < total) & (beyond <= STRAY * total)
    across = np.intersect1d(parts[:, 0], parts[:, -1])
    theirs[np.concatenate([parts[0], across])] = False
    high = (eye.upper - eye.rows) / eye.unit
    above = (high > 0) & (high < STANDING) & (eye.outer > -OUTWARD * eye.unit) & (eye.inner > 0)
    standing = (above & ~np.isin(parts, across)) * (1 - busy(eye, eye.seen))
    free = np.maximum(tips & theirs[parts], standing)
    return np.asarray(dark * free * smoothstep32(contrast, *FAINT), np.float32)


def _whites(eye: Eye) -> Array:
    """What of the white [h, w] is seen below the tracked edge of the lower lid, which may run across a wide eye."""
    below, away = eye.rows - eye.lower, eye.outside(0, 0, 0)
    inside, under = away < -0.01, (below > 0.06 * eye.unit) & (below < 0.13 * eye.unit) & (eye.inside > 0)
    if inside.sum() < 8 or under.sum() < 8:
        return np.zeros(eye.seen.shape[:2], np.float32)
    light, skin = luma(eye.seen), np.median(eye.seen[under], 0)
    white = eye.seen[inside & (light >= np.percentile(light[inside], 80))].mean(0)
    way = white - skin
    like = (eye.seen - skin) @ way / max(float(way @ way), 1.0)
    near = (like > 0.5) & (below > -0.02 * eye.unit) & (below < 0.08 * eye.unit) & (eye.inside > -BESIDE * eye.unit)
    count, parts = cv2.connectedComponents(near.astype(np.uint8))
    if float(np.linalg.norm(way)) < APART or count < 2:
        return np.zeros(eye.seen.shape[:2], np.float32)
    held = np.bincount(parts[near & (below < 0.005 * eye.unit)], minlength=count) > 0
    far = np.bincount(parts[near & (below > 0.07 * eye.unit)], minlength=count)
    on = far > GOES_ON * np.bincount(parts.ravel())
    return np.asarray(near & (held & ~on)[parts], np.float32)


def plate(eye: Eye, covered: Array) -> Array:
    """The picture [h, w, 3] with skin where `covered` [h, w] shows the eye: that over the lid, drawn down, and at the
    seam that under the eye."""
    weight = _skin(eye, covered)
    over, under = _beside(eye, weight)
    lighter = luma(over) > FAIR * luma(under)  # amid rims and dots a line is told on a light lid
    lent = LENT * _lit(eye, under) * (1 - busy(eye, eye.seen) * lighter)
    over = over + lent[:, None] * (FAIR * under - over)
    down = (eye.rows - eye.upper) / np.maximum(eye.lower - eye.upper + 0.03 * eye.unit, 1)
    lid = over + smoothstep32(down, 0.55, 1.25)[..., None] * (under - over)
    around = push_pull(eye.seen, np.minimum(weight, 1).astype(np.float32))
    deep = cv2.GaussianBlur((covered > 0.5).astype(np.float32), (0, 0), 0.025 * eye.unit)
    mixed = np.asarray(around + smoothstep32(deep, 0.45, 0.95)[..., None] * (lid - around), np.float32)
    known = np.square(1 - covered).astype(np.float32)
    below = smoothstep32((eye.rows - eye.lower) / eye.unit, 0, BELOW)
    shown = push_pull(eye.seen, np.asarray(known * (1 - UNDER * below), np.float32))
    shadow = DEPTH * (1 - smoothstep32(luma(shown) / np.maximum(luma(mixed), 1), *SHADOW))
    mixed = np.asarray(mixed + shadow[..., None] * (shown - mixed), np.float32)
    smooth = np.asarray(cv2.GaussianBlur(mixed, (0, 0), 0.015 * eye.unit), np.float32)
    skin = _matched(eye, smooth, shown, covered) + _grain(eye, covered)
    return np.asarray(eye.seen + covered[..., None] * (skin - eye.seen), np.float32)


def _matched(eye: Eye, skin: Array, shown: Array, covered: Array) -> Array:
    """Skin [h, w, 3] in the light of what surrounds it: no step is left where `covered` [h, w] ends."""
    below = (eye.rows - eye.lower) / eye.unit - BELOW
    rim = smoothstep32(below, -BELOW, 0) * (1 - smoothstep32(below, 0.5 * BELOW, 1.5 * BELOW))
    known = np.asarray(np.square(1 - covered) * (1 - 0.95 * rim), np.float32)
    away = known[..., None] * (eye.seen - skin)
    near = np.maximum(cv2.GaussianBlur(known, (0, 0), BORDER * eye.unit), 1e-3)[..., None]
    step = cv2.GaussianBlur(away, (0, 0), BORDER * eye.unit) / near
    matched = skin + push_pull(np.asarray(step, np.float32), known)
    return np.asarray(np.clip(matched, 0.9 * np.minimum(skin, shown), 1.1 * skin), np.float32)


def _skin(eye: Eye, covered: Array) -> Array:
    """How much each pixel [h, w] tells of the skin's colour: neither lashes nor brows, rims or glare do."""
    known, light = np.square(1 - covered), luma(eye.seen)
    spread = 0.03 * eye.unit
    local = cv2.GaussianBlur(light * known, (0, 0), spread) / np.maximum(cv2.GaussianBlur(known, (0, 0), spread), 1e-3)
    usual = float(np.median(light[known > 0.9])) if (known > 0.9).any() else 128.0
    glare = smoothstep32(light / max(usual, 1.0), 1.2, 1.5)
    dim = smoothstep32(light / np.maximum(local, 1), 0.6, 0.9)
    return np.asarray(known * (0.02 + dim) * (1 - 0.99 * glare), np.float32)


def _beside(eye: Eye, weight: Array) -> tuple[Array, Array]:
    """Colours [w, 3] of the skin over and under the eye, column by column."""
    away = np.maximum(np.maximum(eye.upper - eye.rows, eye.rows - eye.lower) / eye.unit - ABOVE, 0)
    near = np.exp(-0.5 * np.square(away / NEAR))
    found, middle = [], 0.5 * (eye.upper + eye.lower)
    for side in (eye.rows < middle, eye.rows >= middle):
        share = weight * (near * side + 1e-4)
        sums = np.dstack([eye.seen * share[..., None], share]).sum(0)[None].astype(np.float32)
        sums = cv2.GaussianBlur(sums, (0, 0), 0.05 * eye.unit)[0]
        found.append(np.asarray(sums[:, :3] / np.maximum(sums[:, 3:], 1e-6), np.float32))
    return found[0], found[1]


def _lit(eye: Eye, under: Array) -> float:
    """How much of the light on the skin under an eye [w, 3] falls on the eye as well, 0 to 1."""
    high, middle = eye.rows < 0.5 * (eye.upper + eye.lower), eye.inside > 0.25 * (eye.outer + eye.inner)
    inside = (eye.outside(0, 0, 0) < 0) & high
    if not inside.any():
        return 1.0
    white = float(np.percentile(luma(eye.seen[inside]), 85))
    return float(smoothstep32(white / max(float(luma(under[middle]).mean()), 1.0), *SHADED))


def _grain(eye: Eye, covered: Array) -> Array:
    """Texture [h, w, 3] for all of the picture: that of the skin under the eye, as strong as it is around each place.

    Skin has only what is finer than folds; the dots of a print are coarser, and as strong as nothing on skin is.
    """
    smooth = [cv2.GaussianBlur(eye.seen, (0, 0), width * eye.unit) for width in (SOFT, DOTS)]
    coarse = smooth[0] - smooth[1]
    first = int(np.clip(eye.lower.max() + (BELOW + 0.01) * eye.unit, 0, len(coarse) - 2))
    printed = float(smoothstep32(np.float32(np.median(np.abs(coarse[first:]))), *PRINTED))
    fine = eye.seen - smooth[0] + printed * coarse
    known = np.square(1 - covered).astype(np.float32)
    height, spread = len(fine), 0.03 * eye.unit
    limit = 2.5 * float(np.median(np.abs(fine[first:]))) + 0.5
    fine = np.clip(fine, -limit, limit)
    power = cv2.GaussianBlur(known * np.square(luma(fine)), (0, 0), spread)
    level = np.sqrt(power / np.maximum(cv2.GaussianBlur(known, (0, 0), spread), 1e-3)) + 0.25
    usual = float(np.median(level[first:]))
    wanted = push_pull(np.minimum(level, MOST_GRAIN * usual)[..., None], known)
    strip = 0.5 * (fine[first:] + luma(fine[first:])[..., None]) / np.maximum(level[first:, :, None], 0.7 * usual)
    tiles = [strip if k % 2 == 0 else strip[::-1] for k in range(-(-height // len(strip)))]
    return np.asarray(np.concatenate(tiles)[:height] * wanted, np.float32)


def lashes(eye: Eye, skin: Array) -> tuple[Array, Array, Array]:
    """How much of each place over the lid's edge is lash [k, w], by rows up from it; how much of the edge itself is
    [w]; and the colour of lashes [3].

    skin : float32 [h, w, 3], of `plate`
    """
    unit = eye.unit
    rows, columns = np.mgrid[0 : round(LASHES * unit) + 1, 0 : eye.seen.shape[1]].astype(np.float32)

    def over(picture: Array) -> Array:
        return np.asarray(cv2.remap(picture, columns, eye.upper - rows, cv2.INTER_LINEAR), np.float32)

    colours, bare = over(eye.seen), over(luma(skin))
    light = luma(colours)
    edge = (eye.inside > 0) & (rows < 0.03 * unit)
    dark = colours[edge & (light <= np.percentile(light[edge], 12))].mean(0)
    taken = np.clip((bare - light) / np.maximum(bare - float(luma(dark)), 12), 0, 1)
    near = taken[: max(2, round(0.02 * unit))].max(0)
    line = np.clip(cv2.blur(near[None], (2 * round(0.04 * unit) + 1, 1))[0], *LINE_SHARE)
    ends = smoothstep32(eye.outer / unit, *TAPER[0]) * smoothstep32(eye.inner / unit, *TAPER[1])
    far = 1 - smoothstep32(rows / unit, 0.3 * LASHES, LASHES)
    return np.asarray(taken * far * ends, np.float32), np.asarray(line * ends, np.float32), dark


def deepest(eye: Eye) -> float:
    """Luma of the darkest that an open eye shows, with its lashes."""
    light = cv2.GaussianBlur(luma(eye.seen), (0, 0), 0.5 * SOFT * eye.unit)
    return float(np.percentile(light[eye.outside(ABOVE, BELOW, BESIDE) < 0], 2))


def drawable(eye: Eye, skin: float, dark: float) -> np.float32:
    """How much of a lash line is drawn, 0..1, that nothing gets darker than a pale eye shows; luma of the skin at the
    seam and of the line."""
    shown = deepest(eye)
    least = LEAST * shown * float(smoothstep32(shown / max(skin, 1.0), *PALE))
    return np.float32(np.clip((skin - least) / max(skin - dark, 1.0), 0, 1))


def busy(eye: Eye, skin: Array, limits: tuple[float, float] = BUSY) -> float:
    """How much there is under an eye beside skin, 0 to 1: rims of spectacles, dots and lines of a print; skin: float32
    [h, w, 3], of `plate`; limits: BUSY or GRAINY."""
    light = cv2.GaussianBlur(luma(eye.seen), (0, 0), max(0.5, 0.005 * eye.unit))
    slope = np.hypot(*(cv2.Sobel(light, cv2.CV_32F, x, 1 - x, ksize=3) / 8 for x in (1, 0)))
    under = (eye.outside(ABOVE, BELOW, BESIDE) > 0.02) & (eye.rows > eye.lower)
    if not under.any():
        return 0.0
    steep = float(np.percentile(slope[under], 90)) * eye.unit / 100 / max(float(luma(skin).mean()), 1.0)
    return float(smoothstep32(steep, *limits))
