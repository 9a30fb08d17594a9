"""Who speaks in a film: whose lips move as its own sound asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from speechhead.core.arrays import Array, Array64
from speechhead.core.clocks import FPS

from .survey import Survey, Take


@dataclass(frozen=True)
class Hearing:
    """How lips are held against sound. Chosen on two training clips side by side, of which one is heard."""

    window: float = 3.2
    """Seconds over which lips and sound are compared."""
    step: float = 0.2
    """Seconds after which they are compared anew."""
    lag: int = 3
    """Pictures at 25 a second by which lips may be early or late."""
    least: float = 0.012
    """Spread of lips' opening, outer eye distances, of a mouth that moves."""
    silent: float = 0.35
    """Score with which nobody of those in the picture speaks: a voice from elsewhere."""
    change: float = 1.2
    """What it costs that somebody else speaks, in scores: words are not handed to and fro."""


HEARING = Hearing()


def speaks(survey: Survey, expected: Array) -> list[np.ndarray]:
    """Pictures of each take [n] in which its person is the one who speaks, bool.

    Parameters
    ----------
    expected : float32 [T], how far the film's own sound asks lips to open, at 25 Hz
    """
    spoken = [np.zeros(len(take), bool) for take in survey.takes]
    scores = [_scores(take, survey.fps, expected) for take in survey.takes]
    for shot in sorted({take.shot for take in survey.takes}):
        members = [number for number, take in enumerate(survey.takes) if take.shot == shot]
        _part(survey, members, scores, spoken)
    return spoken


def _part(survey: Survey, members: Sequence[int], scores: Sequence[Array64], spoken: list[np.ndarray]) -> None:
    """Give every moment of a shot to one of its takes, or to none: the best way through the scores."""
    takes = [survey.takes[number] for number in members]
    first, last = min(take.first for take in takes), max(take.last for take in takes)
    step = max(1, round(HEARING.step * survey.fps))
    moments = np.arange(first, last + 1, step)
    table = np.full((len(moments), len(members) + 1), -np.inf)
    table[:, -1] = HEARING.silent
    for column, (number, take) in enumerate(zip(members, takes)):
        inside = (moments >= take.first) & (moments <= take.last)
        table[inside, column] = scores[number][moments[inside] - take.first]
    best, back = table[0], np.zeros(table.shape, np.int64)
    for row in range(1, len(moments)):
        changed = int(np.argmax(best))
        stay = best >= best[changed] - HEARING.change
        back[row] = np.where(stay, np.arange(table.shape[1]), changed)
        best = np.where(stay, best, best[changed] - HEARING.change) + table[row]
    state = int(np.argmax(best))
    for row in range(len(moments) - 1, -1, -1):
        if state < len(members):
            take = takes[state]
            start, stop = moments[row] - take.first, moments[row] + step - take.first
            spoken[members[state]][max(0, start) : max(0, stop)] = True
        state = int(back[row, state])


def _scores(take: Take, fps: float, expected: Array) -> Array64:
    """How well a take's lips fit the sound around each of its pictures, float64 [n]: correlation, less where they
    hardly move."""
    count = len(take)
    times = (take.first + np.arange(count)) * FPS / fps
    grid = np.arange(np.floor(times[0]), np.ceil(times[-1]) + 1)
    seen = take.meshes >= 0
    lips = np.interp(grid, times[seen], take.fact("opening")[seen])
    padded = np.pad(expected.astype(np.float64), (HEARING.lag + 1, 0))
    width = round(HEARING.window * FPS)
    ways = []
    for lag in range(-HEARING.lag, HEARING.lag + 1):
        places = grid.astype(np.int64) + lag + HEARING.lag + 1
        heard = np.where(places < len(padded), padded[np.clip(places, 0, len(padded) - 1)], 0.0)
        ways.append(_correlation(lips, heard, width))
    best = max(ways, key=lambda way: float(way.mean()))  # sound is early or late by one time in all of a film
    spread = np.sqrt(np.maximum(_mean(lips**2, width) - _mean(lips, width) ** 2, 0))
    score = best * np.minimum(spread / HEARING.least, 1)
    return np.asarray(np.interp(times, grid, score), np.float64)


def _correlation(one: Array64, other: Array64, width: int) -> Array64:
    """Correlation of two series in a window around each place; 0 where one of them stands still."""
    a, b = _mean(one, width), _mean(other, width)
    both = _mean(one * other, width) - a * b
    spread = np.sqrt(np.maximum(_mean(one**2, width) - a**2, 0) * np.maximum(_mean(other**2, width) - b**2, 0))
    return np.asarray(both / np.maximum(spread, 1e-5), np.float64)


def _mean(series: Array64, width: int) -> Array64:
    """Mean in a window of so many places around each, shorter at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(series)])
    places = np.arange(len(series))
    low, high = np.maximum(places - width // 2, 0), np.minimum(places + width // 2 + 1, len(series))
    return np.asarray((sums[high] - sums[low]) / (high - low), np.float64)
