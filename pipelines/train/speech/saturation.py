"""A learning curve that saturates, r(n) = ceiling - loss * n ** -pace, fitted to scores of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from speechhead.core.arrays import Array64

PACES = np.linspace(0.1, 2.0, 39)
"""Tried as the exponent. Below them a curve over one decade cannot be told from one that never ends."""

BAND = 0.9
"""Share of the bootstrap's rounds that an interval holds."""


@dataclass(frozen=True)
class Saturation:
    """ceiling: score of endless data, at most 1; loss: what is missing at n = 1, >= 0; pace: how quickly it shrinks."""

    ceiling: float
    loss: float
    pace: float

    def at(self, sizes: Array64) -> Array64:
        """Scores at sizes [n]."""
        return np.asarray(self.ceiling - self.loss * sizes**-self.pace, np.float64)

    def needed(self, goal: float) -> float:
        """Size at which the goal is reached; infinite where the ceiling is not above it."""
        if goal >= self.ceiling:
            return float("inf")
        with np.errstate(over="ignore"):
            return float(np.float64(self.loss / (self.ceiling - goal)) ** (1 / self.pace))


def fit(sizes: Array64, scores: Array64) -> Saturation:
    """Least squares over three sizes [n] or more and their scores [n]; a curve that falls is taken for a flat one."""
    shrunk = sizes ** -PACES[:, None]  # [paces, n]
    mean, centred = float(np.mean(scores)), shrunk - shrunk.mean(1, keepdims=True)
    losses = -(centred * (scores - mean)).sum(1) / (centred**2).sum(1)
    ceilings = mean + losses * shrunk.mean(1)
    losses = np.where(ceilings > 1, (shrunk * (1 - scores)).sum(1) / (shrunk**2).sum(1), losses)
    ceilings = np.minimum(ceilings, 1)
    errors = ((ceilings[:, None] - losses[:, None] * shrunk - scores) ** 2).sum(1)
    best = int(np.argmin(np.where(losses > 0, errors, np.inf)))
    if losses[best] <= 0 or errors[best] >= ((scores - mean) ** 2).sum():
        return Saturation(mean, 0.0, 1.0)
    return Saturation(float(ceilings[best]), float(losses[best]), float(PACES[best]))


def bootstrapped(sizes: Array64, scores: Array64, rounds: int, seed: int = 0) -> list[Saturation]:
    """Fits to means over people, and over draws of training people, both drawn again with replacement.

    Parameters
    ----------
    scores : [draws, people, sizes], NaN where a person was not judged
    """
    rng, laws = np.random.default_rng(seed), []
    for _ in range(rounds):
        draws, people = (rng.integers(count, size=count) for count in scores.shape[:2])
        laws.append(fit(sizes, means(scores[draws][:, people])))
    return laws


def means(scores: Array64) -> Array64:
    """Mean over people of each one's mean over draws: [draws, people, sizes] -> [sizes].

    Only people who are judged at every size count, so that all sizes are judged by the same ones.
    """
    known = np.isfinite(scores)
    everywhere = np.all(np.any(known, axis=0), axis=1)
    sums, counts = np.nansum(scores, axis=0)[everywhere], np.sum(known, axis=0)[everywhere]
    return np.asarray((sums / counts).mean(0), np.float64)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The middle `BAND` of values, infinite ones among them."""
    ordered, cut = sorted(values), (1 - BAND) / 2
    last = len(ordered) - 1
    return ordered[round(cut * last)], ordered[round((1 - cut) * last)]
