"""From pictures to segments: runs with one face, cut where the head travels, judged as wholes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from speechhead.core.arrays import Array
from speechhead.face.crop import crop_square
from speechhead.generators.families.crops import Crop, middle_square

from . import settings as limit
from .settings import FootageSettings
from .watch import Watched


@dataclass(frozen=True)
class FootageSegment:
    """Frames [start, stop) of a video: kept with its crop and its pictures' numbers, or why not.

    reason : '' if it is kept, with the number that decided, as in the report
    """

    start: int
    stop: int
    reason: str = ""
    value: float = 0.0
    mesh: Array | None = None
    crop: Crop | None = None
    quality: dict[str, float] | None = None


class Segmenter:
    """Joins what `Watcher` saw into segments, holding no more than one of them."""

    def __init__(self, settings: FootageSettings, width: int, height: int) -> None:
        self._settings, self._width, self._height = settings, width, height
        self._run: list[Watched] = []
        self._useless: list[Watched] = []

    def push(self, seen: Watched) -> Iterator[FootageSegment]:
        """Take the next picture; gives the segments that are complete."""
        if seen.reason:
            kept = max(0, len(self._run) - seen.retract)
            doomed, self._run = self._run[kept:], self._run[:kept]
            yield from self._close()
            if self._useless and self._useless[-1].reason != seen.reason:
                yield from self._close_useless()
            self._useless += [Watched(one.index, seen.reason, seen.value) for one in doomed] + [_slim(seen)]
            return
        yield from self._close_useless()
        if seen.begins:
            kept = max(0, len(self._run) - seen.retract)
            doomed, self._run = self._run[kept:], self._run[:kept]
            yield from self._close()
            if doomed:
                yield FootageSegment(doomed[0].index, doomed[-1].index + 1, "dissolve", len(doomed))
        self._run.append(seen)
        if len(self._run) >= self._settings.longest:
            yield from self._close()

    def flush(self) -> Iterator[FootageSegment]:
        """The last segments."""
        yield from self._close_useless()
        yield from self._close()

    def _close_useless(self) -> Iterator[FootageSegment]:
        run, self._useless = self._useless, []
        if run:
            value = min if run[0].reason == "small face" else max
            yield FootageSegment(run[0].index, run[-1].index + 1, run[0].reason, value(one.value for one in run))

    def _close(self) -> Iterator[FootageSegment]:
        run, self._run = self._run, []
        if not run:
            return
        if self._settings.cropped:
            picture = np.empty((self._height, self._width, 3), np.uint8)
            yield self._judge(run, middle_square(picture))
            return
        for part, crop in _travels(run):
            yield self._judge(part, crop)

    def _judge(self, run: list[Watched], crop: Crop) -> FootageSegment:
        start, stop = run[0].index, run[-1].index + 1
        looks = [one.look for one in run if one.look]
        combs = np.sort([look.combs for look in looks])
        quality = {
            "eyes": float(np.median([one.pose.scale for one in run if one.pose])),
            "yaw": float(max(abs(one.pose.angles[0]) for one in run if one.pose)),
            "sharpness": float(np.median([look.sharpness for look in looks])),
            "mean": float(np.median([look.mean for look in looks])),
            "white": float(np.median([look.white for look in looks])),
            "combs": float(combs[-max(1, len(combs) // 10) :].mean()),
            "repeated": float(np.mean([one.repeats for one in run[1:]])) if len(run) > 1 else 0.0,
            "outside": _outside(crop, self._width, self._height),
        }
        for reason, value, bad in (
            ("too short", stop - start, stop - start < limit.SHORTEST),
            ("repeated pictures", quality["repeated"], quality["repeated"] > limit.REPEATED),
            ("interlaced", quality["combs"], quality["combs"] > limit.COMBED),
            ("dark", quality["mean"], quality["mean"] < limit.DARK),
            ("bright", quality["mean"], quality["mean"] > limit.BRIGHT),
            ("overexposed", quality["white"], quality["white"] > limit.CLIPPED),
            ("blurred", quality["sharpness"], quality["sharpness"] < limit.SHARPNESS),
            ("outside the picture", quality["outside"], quality["outside"] > limit.OUTSIDE),
        ):
            if bad:
                return FootageSegment(start, stop, reason, float(value))
        mesh = np.stack([one.mesh for one in run if one.mesh is not None])
        return FootageSegment(start, stop, mesh=mesh, crop=crop, quality=quality)


def _slim(seen: Watched) -> Watched:
    """Without its arrays: an hour without a face is a long run."""
    return Watched(seen.index, seen.reason, seen.value)


def _travels(run: list[Watched]) -> Iterator[tuple[list[Watched], Crop]]:
    """Parts in which a fixed square holds the head, each with that square.

    The square lies midway between the ends of the head's way, its side follows the middle of the head's sizes.
    """
    squares = np.array([crop_square(one.pose) for one in run if one.pose])
    middles, sides = squares[:, :2] + squares[:, 2:] / 2, squares[:, 2]
    start = 0
    for stop in range(1, len(run) + 1):
        part = slice(start, stop + 1)
        far = np.ptp(middles[part], axis=0).max() > limit.TRAVEL * sides[start:stop].min()
        if stop == len(run) or far or sides[part].max() > limit.ZOOM * sides[part].min():
            held, size = middles[start:stop], sides[start:stop]
            x, y = (held.min(0) + held.max(0)) / 2
            yield run[start:stop], Crop(float(x), float(y), round(float(np.sqrt(size.min() * size.max()))))
            start = stop


def _outside(crop: Crop, width: int, height: int) -> float:
    """Share of a square that lies outside of a picture."""
    inside = 1.0
    for middle, length in ((crop.x, width), (crop.y, height)):
        middle += 0.5  # from the first pixel's centre to its border
        low, high = max(0.0, middle - crop.side / 2), min(float(length), middle + crop.side / 2)
        inside *= max(0.0, high - low) / crop.side
    return 1 - inside
