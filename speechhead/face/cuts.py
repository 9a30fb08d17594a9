"""Where a video is cut: from one picture to the next, or by a dissolve."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.media.image import Picture

WIDTH, HEIGHT = 16, 9
"""Pixels of the thumbnails that are compared."""


@dataclass(frozen=True)
class CutLimits:
    """What is a cut. Levels of 0..255, means over the thumbnail; chosen on joined training clips."""

    suspect: float = 9.0
    """Difference of two pictures in a row above which there may be a cut."""
    sudden: float = 3.0
    """A cut's difference in parts of the largest one within `around` pictures of it: motion is no cut."""
    around: int = 4
    steps: tuple[int, ...] = (4, 8, 13)
    """Half lengths in pictures at which dissolves are looked for."""
    apart: float = 14.0
    """Difference of the two ends of a dissolve."""
    straight: float = 0.14
    """What a dissolve's middle may be off the mean of its ends, in parts of their difference: motion is no mixture."""
    same: float = 0.3
    """What the one end may be off the other's in another light, in parts of their difference: a lamp is no dissolve."""
    pushed: float = 0.6
    """What the ends' difference may be off that of a picture that is pushed aside, in parts of it: a pan is none."""
    bent: float = 0.4
    """What a dissolve's pictures may be off the way from end to end, in parts of its length: motion bends."""


CUTS = CutLimits()


def thumbnail(picture: Picture) -> Picture:
    """A picture [H, W, 3] as uint8 [HEIGHT, WIDTH, 3]."""
    step = max(1, min(picture.shape[0] // (8 * HEIGHT), picture.shape[1] // (8 * WIDTH)))
    thin = np.ascontiguousarray(picture[::step, ::step])
    return np.asarray(cv2.resize(thin, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def difference(one: Picture, other: Picture) -> float:
    """Mean difference of two thumbnails, levels."""
    return float(np.abs(one.astype(np.int16) - other).mean())


@dataclass(frozen=True)
class Shots:
    """Where a video is cut.

    starts: int [n], the first picture of every shot; mixed: bool [T], pictures of a dissolve, which belong to two shots
    """

    starts: NDArray[np.int64]
    mixed: NDArray[np.bool_]

    def of(self, picture: int) -> int:
        """Number of the shot of a picture, from 0."""
        return int(np.searchsorted(self.starts, picture, "right")) - 1


def find_shots(thumbnails: NDArray[np.uint8]) -> Shots:
    """The shots of a video from its thumbnails uint8 [T, HEIGHT, WIDTH, 3]."""
    count = len(thumbnails)
    flat = thumbnails.reshape(count, -1)
    steps = _apart(flat, 1)
    starts = {0} | {index + 1 for index in range(len(steps)) if _is_cut(steps, flat, index)}
    mixed = np.zeros(count, bool)
    for first, middle, last in _dissolves(flat, steps, starts):
        mixed[first : last + 1] = True
        starts.add(middle)
    return Shots(np.array(sorted(starts), np.int64), mixed)


def _apart(flat: NDArray[np.uint8], step: int) -> Array:
    """Mean differences float32 [T - step] of pictures `step` apart; in blocks, as a film is long."""
    parts = [
        np.abs(
            flat[at + step : at + step + 4096].astype(np.int16) - flat[at : at + 4096][: len(flat) - step - at]
        ).mean(1)
        for at in range(0, max(len(flat) - step, 0), 4096)
    ]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float32)


def _is_cut(steps: Array, flat: NDArray[np.uint8], index: int) -> bool:
    """Whether picture `index + 1` is the first of a shot."""
    if steps[index] <= CUTS.suspect:
        return False
    around = np.r_[steps[max(0, index - CUTS.around) : index], steps[index + 1 : index + 1 + CUTS.around]]
    calm = float(np.median(around)) if len(around) else 0.0
    if steps[index] < CUTS.sudden * calm:
        return False
    # A flash comes and goes: what was before it is there again soon after.
    before = flat[max(0, index + 1 - CUTS.around) : index + 1].astype(np.int16)
    later = flat[index + 1 : index + 1 + CUTS.around]
    return bool(np.abs(later[:, None] - before[None]).mean(2).min() > 0.5 * steps[index])


def _dissolves(flat: NDArray[np.uint8], steps: Array, starts: set[int]) -> list[tuple[int, int, int]]:
    """First, middle and last picture of every dissolve."""
    count, cuts = len(flat), np.array(sorted(starts - {0}), np.int64)
    found: list[tuple[int, int, int]] = []
    for half in CUTS.steps:
        ends = _apart(flat, 2 * half)
        for first in np.flatnonzero(ends > CUTS.apart):
            middle, last = int(first) + half, int(first) + 2 * half
            if ((cuts > first) & (cuts <= last)).any() or steps[first:last].max() > 0.5 * ends[first]:
                continue
            a, b = flat[first].astype(np.float32), flat[last].astype(np.float32)
            away = float(np.abs(flat[middle] - (a + b) / 2).mean()) / float(ends[first])
            if away < CUTS.straight and not _relit(a, b) and not _pushed(a, b):
                found.append((int(first), middle, last))
    return _joined(found, flat, count)


def _relit(one: Array, other: Array) -> bool:
    """Whether a flat thumbnail is another one brighter or darker, each colour by a factor and a step of its own."""
    before, after = one.reshape(-1, 3), other.reshape(-1, 3)
    aside, off = before - before.mean(0), after - after.mean(0)
    factor = (aside * off).sum(0) / np.maximum((aside * aside).sum(0), 1e-6)
    if factor.min() < 0.4 or factor.max() > 2.5:
        return False
    return bool(np.abs(off - factor * aside).mean() < CUTS.same * np.abs(other - one).mean())


def _pushed(one: Array, other: Array) -> bool:
    """Whether a flat thumbnail becomes another one by a small motion, one for each colour.

    Where something smooth moves, the change is its slope times its way; in a dissolve the two have nothing in common.
    """
    before, after = one.reshape(HEIGHT, WIDTH, 3), other.reshape(HEIGHT, WIDTH, 3)
    mean = (before + after) / 2
    right, down = np.gradient(mean, axis=1), np.gradient(mean, axis=0)
    off = total = 0.0
    for colour in range(3):
        slopes = np.stack([right[..., colour].ravel(), down[..., colour].ravel()], 1)
        change = (after - before)[..., colour].ravel()
        rest = np.zeros_like(change)
        for _ in range(3):  # a face that stands before it counts little
            share = (1 / np.sqrt(1 + np.abs(rest)))[:, None]
            way = np.linalg.lstsq(slopes * share, change * share[:, 0], rcond=None)[0]
            rest = change - slopes @ way
        off += float(np.abs(rest).mean())
        total += float(np.abs(change).mean())
    return off < CUTS.pushed * total


def _bends(flat: NDArray[np.uint8], way: Array) -> bool:
    """Whether pictures [n, ...] leave the straight line from the first to the last; `way` is 0..1 along it, [n]."""
    a, b = flat[0].astype(np.float32), flat[-1].astype(np.float32)
    off = np.abs(flat - a - way[:, None] * (b - a)).mean(1)
    return float(off.max()) > CUTS.bent * float(np.abs(b - a).mean())


def _joined(found: list[tuple[int, int, int]], flat: NDArray[np.uint8], count: int) -> list[tuple[int, int, int]]:
    """Windows that lie over each other as one, from where the pictures begin to change to where they end."""
    spans: list[list[int]] = []
    for first, _, last in sorted(found):
        if spans and first <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], last)
        else:
            spans.append([first, last])
    out = []
    for first, last in spans:
        a, b = flat[first].astype(np.float32), flat[last].astype(np.float32)
        way = (flat[first : last + 1] - a) @ (b - a) / max(float((b - a) @ (b - a)), 1e-6)
        if _bends(flat[first : last + 1], way):
            continue
        begin, end = first + int((way > 0.04).argmax()), last - int((way[::-1] < 0.96).argmax())
        middle = first + int((way > 0.5).argmax())
        out.append((max(0, begin - 1), middle, min(count - 1, end + 1)))
    return out
