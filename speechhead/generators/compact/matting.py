"""Which part of each pixel at an edge is the person, told from the colours on both sides (Bayesian matting)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array

from .fill import push_pull


@dataclass(frozen=True)
class ColourModel:
    """The constants of `by_colour`, chosen by eye (docs/decisions/0001-person-as-a-layer.md)."""

    around: float = 0.03
    """How far around a pixel the colours of person and background are looked at: sigma of a Gaussian, parts of the
    crop's side."""

    noise: float = 0.06
    """Standard deviation of a colour that is exactly known, for colours in 0..1."""

    doubt: float = 0.3
    """Standard deviation of the matte that is expected from the segmentation alone, 0..1."""

    unknown: float = 2.0
    """Density of a colour of the person that is none of those around: dark hair between skin and a wall."""

    certain: tuple[float, float] = (0.10, 0.85)
    """Estimates in 0..1: below the first is background, above the second person. Grain in hair and wall is no matte."""


COLOURS = ColourModel()


_STEPS = np.linspace(-0.5, 1.5, 21, dtype=np.float32)


def by_colour(crop: NDArray[np.uint8], expected: Array, person: NDArray[np.bool_], most: Array) -> Array:
    """The matte between what is surely the person and what is surely not.

    Chuang et al., "A Bayesian approach to digital matting" (2001), with colours of person and background that are
    normally distributed around a place, each channel on its own: a pixel is F with a part of a and B with the rest,

        p(a) ~ N(I; a F + (1 - a) B, a^2 var F + (1 - a)^2 var B + noise^2) N(a; expected, doubt^2)

    of which the mean is taken. To the first factor a small constant is added, times a and what is expected: a pixel
    that no mixture explains is not the background. One-coloured walls behind hair of another colour are cut out to the
    strand; where both sides are alike, or a background is full of colours, what is expected stands.

    Parameters
    ----------
    crop : uint8 [S, S, 3]
    expected : float32 [S, S] in 0..1; what the segmentation says
    person : bool [S, S]; where all of a pixel is the person
    most : float32 [S, S] in 0..1; an upper limit, zero where a pixel is surely background

    Returns
    -------
    float32 [S, S] in 0..1
    """
    colours = crop.astype(np.float32) / np.float32(255)
    front, front_spread = _colours_around(colours, person.astype(np.float32))
    back, back_spread = _colours_around(colours, (most <= 0).astype(np.float32))
    band = ~person & (most > 0)
    pixels, prior = colours[band], expected[band]
    (f, f_spread), (b, b_spread) = (front[band], front_spread[band]), (back[band], back_spread[band])
    # The steps go beyond 0 and 1, where the model stays what it is there: else no mean would come near either.
    logs = []
    for step in _STEPS:
        a = np.clip(step, 0, 1)
        variance = a * a * f_spread + (1 - a) ** 2 * b_spread + COLOURS.noise**2
        misfit = ((pixels - a * f - (1 - a) * b) ** 2 / variance + np.log(variance)).sum(1)
        fit = np.logaddexp(-0.5 * misfit, np.log(COLOURS.unknown * a * prior + 1e-9))
        logs.append(fit - 0.5 * ((step - prior) / COLOURS.doubt) ** 2)
    likely = np.exp(logs - np.max(logs, 0))
    alpha = person.astype(np.float32)
    mean = (likely * _STEPS[:, None]).sum(0) / likely.sum(0)
    low, high = COLOURS.certain
    alpha[band] = np.minimum(np.clip((mean - low) / (high - low), 0, 1), most[band])
    return alpha


def _colours_around(colours: Array, weight: Array) -> tuple[Array, Array]:
    """Mean and variance [S, S, 3] of the colours that count around each pixel; far from any, of the nearest."""
    size = colours.shape[0]
    half, sigma = (size // 2, size // 2), COLOURS.around * size / 2
    sums = np.dstack([colours * weight[..., None], colours * colours * weight[..., None], weight])
    small = np.asarray(cv2.resize(sums, half, interpolation=cv2.INTER_AREA), np.float32)
    blurred = np.dstack([cv2.GaussianBlur(part, (0, 0), sigma) for part in cv2.split(small)])
    known = blurred[..., 6]
    seen = np.asarray(blurred[..., :6] / np.maximum(known, 1e-4)[..., None], np.float32)
    means = push_pull(seen, np.clip(known * 50, 0, 1))
    means = np.asarray(cv2.resize(means, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    return means[..., :3], np.maximum(means[..., 3:] - means[..., :3] ** 2, 0)
