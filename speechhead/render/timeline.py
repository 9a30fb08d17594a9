"""Which picture of a film is shown when: at its own time, to and fro, again, held or cut to a sound's length."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]


@dataclass(frozen=True)
class Timeline:
    """The pictures of a film that is written, in the order in which they are shown.

    source: int64 [n], numbers of the source's pictures; at, lengths: int64 [n], in ticks of `base`
    forward: how many of them are the source's first ones at their own times
    """

    source: Ticks
    at: Ticks
    lengths: Ticks
    base: Fraction
    forward: int

    def __len__(self) -> int:
        return len(self.source)

    @property
    def end(self) -> int:
        """Ticks at which the last picture has been shown."""
        return int(self.at[-1] + self.lengths[-1])

    def seconds(self, entry: int) -> float:
        """When a picture is shown."""
        return float(self.at[entry] * self.base)


def timeline(times: Ticks, lengths: Ticks, base: Fraction, seconds: float | None, way: str) -> Timeline:
    """The pictures of a film for so many seconds.

    Parameters
    ----------
    times, lengths : int64 [n] ticks of the source's pictures, from its first one's
    seconds : of the sound; None for a film that keeps its length
    way : of `LENGTHS`
    """
    own = Timeline(np.arange(len(times)), times, lengths, base, len(times))
    if seconds is None or way == "keep":
        return own
    end = max(1, int(np.ceil(round(seconds / float(base), 6))))
    count = max(1, int(np.searchsorted(times, end)))
    if count < len(times) or way == "cut" or own.end >= end:
        return Timeline(own.source[:count], times[:count], lengths[:count], base, count)
    period = own.end
    source, at, length = [own.source], [times], [lengths]
    if way == "hold":
        more = np.arange(period, end, int(lengths[-1]), dtype=np.int64)
        source.append(np.full(len(more), len(times) - 1))
        at.append(more)
        length.append(np.full(len(more), lengths[-1]))
    for turn in range(1, -(-end // period)) if way != "hold" else ():
        back = way == "bounce" and turn % 2 == 1
        source.append(own.source[::-1] if back else own.source)
        at.append(turn * period + ((period - times - lengths)[::-1] if back else times))
        length.append(lengths[::-1] if back else lengths)
    joined, starts = np.concatenate(source), np.concatenate(at)
    count = int(np.searchsorted(starts, end))
    return Timeline(joined[:count], starts[:count], np.concatenate(length)[:count], base, len(times))


def at_rate(line: Timeline, fps: float) -> Timeline:
    """The same film at a constant rate: each picture is the one that is shown in its middle."""
    base = 1 / Fraction(fps).limit_denominator(1001)
    count = max(1, int(np.ceil(round(float(line.end * line.base / base), 6))))
    middles = (np.arange(count) + 0.5) * float(base / line.base)
    shown = np.clip(np.searchsorted(line.at, middles, side="right") - 1, 0, len(line) - 1)
    return Timeline(line.source[shown], np.arange(count), np.ones(count, np.int64), base, 0)


@dataclass(frozen=True)
class Part:
    """Entries `first` up to `last` of a timeline. copied: as the source's packets, bit by bit."""

    first: int
    last: int
    copied: bool


def parts(line: Timeline, edited: NDArray[np.bool_], cuts: list[int] | None, seconds: float) -> list[Part]:
    """A timeline in parts that are encoded each for itself, or copied where no picture of a closed group is edited.

    Parameters
    ----------
    edited : bool [n], of each entry
    cuts : numbers of pictures of the source at which a closed group begins, and of all; None if nothing is copied
    seconds : least length of a part that is encoded
    """
    groups: list[Part] = []
    if cuts is not None and cuts and cuts[0] == 0:
        bounds = [cut for cut in cuts if cut <= line.forward]  # a group is copied whole or not at all
        for first, last in zip(bounds, bounds[1:]):
            if first < last:
                groups.append(Part(first, last, not edited[first:last].any()))
    done = groups[-1].last if groups else 0
    groups += [Part(first, last, False) for first, last in _runs(line, done)]
    return _joined(line, groups, round(seconds / float(line.base)))


def _runs(line: Timeline, done: int) -> list[tuple[int, int]]:
    """Entries from `done` on in runs of one direction."""
    if done >= len(line):
        return []
    way = np.sign(np.diff(line.source[done:]))
    moves = np.flatnonzero(way)  # a picture that is shown again belongs to the run before
    turns = done + moves[1:][np.diff(way[moves]) != 0]
    bounds = [done, *map(int, turns), len(line)]
    return [(first, last) for first, last in zip(bounds, bounds[1:]) if first < last]


def _joined(line: Timeline, groups: list[Part], least: int) -> list[Part]:
    """Neighbours of one kind joined up to `least` ticks, copied ones whole; long ones cut."""
    found: list[Part] = []
    for group in groups:
        before = found[-1] if found else None
        if before is not None and before.copied == group.copied and before.last == group.first:
            short = line.at[group.first] - line.at[before.first] < least
            if group.copied or (short and _direction(line, before) == _direction(line, group)):
                found[-1] = Part(before.first, group.last, group.copied)
                continue
        found.append(group)
    cut: list[Part] = []
    for part in found:
        first = part.first
        while not part.copied and line.at[part.last - 1] - line.at[first] >= 2 * least:
            middle = first + int(np.searchsorted(line.at[first : part.last], line.at[first] + least))
            middle = max(middle, first + 1)
            cut.append(Part(first, middle, False))
            first = middle
        cut.append(Part(first, part.last, part.copied))
    return cut


def _direction(line: Timeline, part: Part) -> int:
    return int(np.sign(line.source[part.last - 1] - line.source[part.first]))
