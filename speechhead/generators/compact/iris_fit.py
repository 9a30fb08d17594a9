"""Where an iris is: the circle whose rim is told from the white on both sides, and whether that can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array

from .lid_plate import Eye, luma
from .meshwarp import WARP

RADII = np.geomspace(0.75, 1.5, 14)
"""Radii of the iris that are tried, in the tracked one."""

STEPS = np.linspace(-0.03, 0.03, 11)
"""Places of its centre that are tried around the tracked one, in outer eye distances."""

FAR = 20000.0
"""Levels of contrast that a place of the centre loses by the square of its way from the tracked one: less, and a pupil
or a shadow beside it is taken for the iris."""

USUAL = 20.0
"""Levels of contrast that a radius e times the tracked one loses."""

LEAST = -60.0
"""The least that an eye can say against a radius, levels."""

LIT = 0.5
"""How much the light just outside the rim counts beside the step across it: a pupil's rim has an iris around it."""

SIDES = np.concatenate([np.linspace(-0.6, 0.7, 12), np.pi + np.linspace(-0.7, 0.6, 12)])
"""Angles of the rim's points that are looked at, on the sides, which lids seldom hide."""

APART, TOLD, AROUND, STRAYED, GROWN, OPENED, HIDDEN, LARGE = 16.0, 0.3, 0.4, 0.4, (0.8, 1.3), 0.5, 0.2, 1.22
"""What a believed iris has: see `Iris`."""


@dataclass(frozen=True)
class Iris:
    """A circle in an eye's frame: centre float32 [2] and radius in pixels; `told`: float32 [2], by how much of the way
    from iris to white the rim turns lighter at image right and at image left; `apart`: levels between iris and white;
    `around`: float32 [2], how white, 0..1, it is outside the rim on either side; `strayed`: how far the centre is from
    the tracked one, in radii; `grown`: its radius in the tracked one's; `opened`: how much of its height the lids show;
    `hidden`: part of the shown disc that is highlight or glare; `large`: the tracked radius in an adult's."""

    centre: Array
    radius: float
    told: Array
    apart: float
    around: Array
    strayed: float
    grown: float
    opened: float
    hidden: float
    large: float


@dataclass(frozen=True)
class Circles:
    """Where an eye's iris may be: of each of RADII the best centre float32 [n, 2] in pixels of its frame; how well it
    fits float32 [n]; `told` and `around` of it, float32 [n, 2]; and of the eye: `apart`, how white each place is
    float32 [h, w], its tracked centre float32 [2] and a tracked radius in pixels."""

    centres: Array
    scores: Array
    told: Array
    around: Array
    apart: float
    white: Array
    tracked: Array
    size: float


def circles(eye: Eye, tracked: Array, size: float) -> Circles:
    """The circle of each radius whose rim turns most from iris to white, near the tracked centre [2] of an eye's frame.

    size : tracked radius, pixels, the same for both eyes

    Daugman's operator (1993) on how white each place is.
    """
    white, apart = whiteness(eye, tracked, size)
    soft = np.asarray(cv2.GaussianBlur(white, (0, 0), max(0.006 * eye.unit, 0.6)), np.float32)
    spokes = np.stack([np.cos(SIDES), np.sin(SIDES)], -1)
    ways = np.stack(np.meshgrid(STEPS, STEPS[2:-2]), -1).reshape(-1, 1, 2)
    middles = tracked + ways * eye.unit
    loss = FAR * np.square(ways).sum(-1)[:, 0]
    found = []
    for scale in RADII:
        radius = float(scale * size)
        inner, outer = (_read(soft, middles + side * radius * spokes) for side in (0.82, 1.18))
        ends = middles + 1.18 * radius * spokes
        column = np.clip(np.round(ends[..., 0]).astype(int), 0, len(eye.upper) - 1)
        seen = (ends[..., 1] > eye.upper[column]) & (ends[..., 1] < eye.lower[column]) & (eye.inside[column] > 0)
        step, around = (_sides(values, seen) for values in (outer - inner, outer))
        score = apart * (step.min(1) + LIT * around.min(1)) - loss - USUAL * abs(np.log(scale))
        first = int(score.argmax())
        found.append((middles[first, 0], score[first], step[first], around[first]))
    centres, scores, told, sides = (np.asarray(part, np.float32) for part in zip(*found))
    return Circles(centres, scores, told, sides, apart, soft, tracked, size)


def usual_radius(both: Sequence[Circles]) -> int:
    """Number of the radius that tells most of one person's irises, which are as large as each other."""
    return int(np.sum([np.maximum(one.scores, LEAST) for one in both], 0).argmax())


def fitted(eye: Eye, tried: Circles, usual: int) -> Iris:
    """The iris of an open eye; `usual` is the number of the radius that both eyes have."""
    near = np.arange(max(usual - 1, 0), min(usual + 2, len(RADII)))
    number = int(near[tried.scores[near].argmax()])
    centre, radius = tried.centres[number], float(RADII[number] * tried.size)
    column = int(np.clip(round(float(centre[0])), 0, len(eye.upper) - 1))
    top, bottom = max(float(eye.upper[column]), centre[1] - radius), min(float(eye.lower[column]), centre[1] + radius)
    return Iris(
        centre,
        radius,
        tried.told[number],
        tried.apart,
        tried.around[number],
        float(np.linalg.norm(centre - tried.tracked)) / tried.size,
        radius / tried.size,
        float(bottom - top) / (2 * radius),
        _bright(eye, tried.white, centre, radius),
        tried.size / (WARP.iris_radius * eye.unit),
    )


def whiteness(eye: Eye, tracked: Array, size: float) -> tuple[Array, float]:
    """How far each place [h, w] is from iris to white, 0..1.1, and how many levels those are apart."""
    light = luma(eye.seen)
    away = np.hypot(np.arange(eye.seen.shape[1]) - tracked[0], eye.rows - tracked[1])
    opening = (eye.rows > eye.upper) & (eye.rows < eye.lower) & (eye.inside > 0)
    near = opening & (away < 0.8 * size)
    beside = opening & (away > 1.1 * size) & (eye.inside > 0.02 * eye.unit)
    if near.sum() < 5 or beside.sum() < 5:
        return np.zeros(light.shape, np.float32), 0.0
    dark = np.median(eye.seen[near & (light <= np.percentile(light[near], 70))], 0)
    white = eye.seen[beside & (light >= np.percentile(light[beside], 70))].mean(0)
    way = white - dark
    apart = float(np.linalg.norm(way)) / np.sqrt(3.0)
    places = (eye.seen - dark) @ way / max(float(way @ way), 1.0)
    return np.asarray(np.clip(places, 0, 1.1), np.float32), apart if luma(way[None])[0] > 0 else 0.0


def _bright(eye: Eye, white: Array, centre: Array, radius: float) -> float:
    """Part of the disc between the lids that is as light as the white."""
    away = np.hypot(np.arange(eye.seen.shape[1]) - centre[0], eye.rows - centre[1])
    disc = (away < 0.75 * radius) & (eye.rows > eye.upper) & (eye.rows < eye.lower)
    return float((white[disc] > 0.6).mean()) if disc.any() else 1.0


def _sides(values: Array, seen: NDArray[np.bool_]) -> Array:
    """Mean [n, 2] of values [n, k] that are seen on the right and on the left; -9 where fewer than three are."""
    count = seen.reshape(len(seen), 2, -1).sum(2)
    sums = (values * seen).reshape(len(seen), 2, -1).sum(2)
    return np.where(count >= 3, sums / np.maximum(count, 1), -9.0)


def _read(picture: Array, places: NDArray[Any]) -> Array:
    """Values [n, k] of a picture [h, w] at places [n, k, 2], pixels."""
    x, y = (np.ascontiguousarray(places[..., axis], np.float32) for axis in (0, 1))
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def believed(iris: Iris) -> bool:
    """Whether an eyeball may be drawn of it: without, the picture's own pixels go with the landmarks, less far."""
    return bool(
        iris.apart > APART
        and iris.told.min() > TOLD
        and iris.around.min() > AROUND
        and iris.strayed < STRAYED
        and GROWN[0] < iris.grown < GROWN[1]
        and iris.opened > OPENED
        and iris.hidden < HIDDEN
        and iris.large < LARGE  # a cartoon's irises have rings and shine of their own
    )
