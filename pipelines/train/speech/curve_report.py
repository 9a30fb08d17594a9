"""Learning curves from what was measured: fitted, as tables, and as a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from speechhead.core.arrays import Array64
from speechhead.media.image import Picture

from .saturation import Saturation, bootstrapped, fit, interval, means

GOALS = {"opening": (0.50, 0.47), "opening best": (0.60, 0.59), "closures": (0.85, 0.82), "chin": (0.35, 0.33)}
"""What is asked of people never heard, and what they have in pictures (docs/evaluation.md). A curve has to rise by that
ratio: what trackers, portraits and unknown offsets take of a correlation, they take as a part of it."""

ROUNDS = 300
"""Of the bootstrap."""


@dataclass(frozen=True)
class Record:
    """One network or map: how it was learned, seconds a person in the mean, and scores of each person left out."""

    learner: str
    setting: str
    draw: int
    people: int
    share: float
    window: int
    seconds: float
    scores: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Curve:
    """Scores over people or seconds, the law fitted to them, and laws of the bootstrap.

    axis: "people" or "seconds" of each; beside: the other of the two, which stays; sizes, scores: [n]
    """

    learner: str
    measure: str
    axis: str
    beside: float
    sizes: Array64
    scores: Array64
    law: Saturation
    laws: list[Saturation]

    @property
    def goal(self) -> float:
        """What the last score has to become."""
        asked, has = GOALS[self.measure]
        return float(self.scores[-1]) * asked / has

    def hours(self, size: float) -> float:
        """Of footage, all people together."""
        return size * self.beside / 3600


def read_records(paths: Sequence[Path]) -> list[Record]:
    """From files of JSON lines; those that are not there yet are empty."""
    lines = [line for path in paths if path.exists() for line in path.read_text("utf-8").splitlines()]
    return [Record(**json.loads(line)) for line in lines]


def curves(records: Sequence[Record]) -> list[Curve]:
    """Of each learner, over people and over seconds; of its settings the one that serves best at each size."""
    found = []
    for learner in dict.fromkeys(one.learner for one in records):
        own = [one for one in records if one.learner == learner]
        cells = {(one.people, one.share): _best([x for x in own if _cell(x) == _cell(one)]) for one in own}
        most = max(people for people, _ in cells)
        for axis in ("people", "seconds"):
            keys = sorted(key for key in cells if (key[1] == 1 if axis == "people" else key[0] == most))
            if len(keys) > 2:
                found += [_curve(learner, measure, axis, [cells[key] for key in keys]) for measure in GOALS]
    return found


def _cell(record: Record) -> tuple[int, float]:
    return record.people, record.share


def _best(records: Sequence[Record]) -> list[Record]:
    """Of one size: the records of the setting with the highest mean correlation of the opening."""
    by_setting: dict[str, list[Record]] = {}
    for one in records:
        by_setting.setdefault(one.setting, []).append(one)
    return max(by_setting.values(), key=lambda own: float(means(_scores([own], "opening"))[0]))


def _scores(sizes: Sequence[Sequence[Record]], measure: str) -> Array64:
    """[draws, people, sizes], NaN where a person was not judged; of several windows the mean."""
    every = [one for own in sizes for one in own]
    draws = sorted({one.draw for one in every})
    people = sorted({name for one in every for name in one.scores})
    values = np.full((len(draws), len(people), len(sizes)), np.nan)
    for k, own in enumerate(sizes):
        for i, draw in enumerate(draws):
            for j, name in enumerate(people):
                seen = [one.scores.get(name, {}).get(measure) for one in own if one.draw == draw]
                given = [value for value in seen if value is not None]
                if given:
                    values[i, j, k] = np.mean(given)
    return values


def _curve(learner: str, measure: str, axis: str, sizes: Sequence[Sequence[Record]]) -> Curve:
    scores, seconds = _scores(sizes, measure), [float(np.mean([one.seconds for one in own])) for own in sizes]
    people = [own[0].people for own in sizes]
    along, beside = (people, seconds[-1]) if axis == "people" else (seconds, people[-1])
    at, mean = np.array(along, np.float64), means(scores)
    return Curve(learner, measure, axis, beside, at, mean, fit(at, mean), bootstrapped(at, scores, ROUNDS))


def table(found: Sequence[Curve]) -> str:
    """Markdown, a table for each axis of each learner."""
    lines = []
    for learner, axis in dict.fromkeys((one.learner, one.axis) for one in found):
        own = [one for one in found if (one.learner, one.axis) == (learner, axis)]
        sizes = " | ".join(f"{size:.0f}" if axis == "people" else f"{size:.1f} s" for size in own[0].sizes)
        rest = f"{own[0].beside:.0f} s each" if axis == "people" else f"{own[0].beside:.0f} people"
        lines += ["", f"| {learner}, {axis} ({rest}) | {sizes} | endless | goal | {axis} for it | hours |"]
        lines += ["| --- |" + " --: |" * (len(own[0].sizes) + 4)]
        lines += [_row(one) for one in own]
    return "\n".join(lines)


def _row(curve: Curve) -> str:
    needed = [law.needed(curve.goal) for law in curve.laws]
    low, high = interval([law.ceiling for law in curve.laws])
    least, most = interval(needed)
    size = curve.law.needed(curve.goal)
    cells = [
        curve.measure,
        *(f"{score:.3f}" for score in curve.scores),
        f"{curve.law.ceiling:.2f} ({low:.2f} to {high:.2f})",
        f"{curve.goal:.3f}",
        f"{counted(size)} ({counted(least)} to {counted(most)})",
        f"{counted(curve.hours(size))} ({counted(curve.hours(least))} to {counted(curve.hours(most))})",
    ]
    return "| " + " | ".join(cells) + " |"


def counted(number: float) -> str:
    """Two digits; what no footage reaches is never."""
    if number > 1e7:
        return "never"
    return f"{number:.2g}" if number < 10 else f"{float(f'{number:.2g}'):.0f}"


WIDTH, HEIGHT, LEFT, FOOT, TOP = 300, 210, 34, 20, 22
"""Pixels of a panel, and of what is left of it for words."""

FARTHEST = 16.0
"""Times the last size up to which the law is drawn."""

COLOURS = {"linear map": (60, 110, 150), "network": (200, 60, 40)}
HUES = 32
"""Of the file."""


def write_picture(found: Sequence[Curve], path: Path) -> None:
    """`drawn` as a small PNG."""
    Image.fromarray(drawn(found)).quantize(HUES).save(path, optimize=True)


def drawn(found: Sequence[Curve]) -> Picture:
    """A row of panels for each axis, a column for each measure; uint8 RGB."""
    rows = []
    for axis in dict.fromkeys(one.axis for one in found):
        own = [[one for one in found if (one.axis, one.measure) == (axis, measure)] for measure in GOALS]
        rows.append(np.hstack([panel(curves) for curves in own]))
    return np.vstack(rows)


def panel(found: Sequence[Curve]) -> Picture:
    """Curves of one measure: dots are measured, lines fitted, the band the bootstrap's, a dash the goal."""
    picture: Picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    first, last = float(found[0].sizes[0]), float(found[0].sizes[-1]) * FARTHEST
    sizes = np.geomspace(first, last, 60)
    every = np.concatenate([np.concatenate([one.scores, one.law.at(sizes), [one.goal]]) for one in found])
    low, high = np.floor(20 * every.min() - 0.5) / 20, np.ceil(20 * every.max() + 0.5) / 20

    def points(x: Array64, y: Array64) -> np.ndarray:
        across = LEFT + np.log(x / first) / np.log(last / first) * (WIDTH - LEFT - 12)
        down = TOP + (high - np.clip(y, low, high)) / (high - low) * (HEIGHT - TOP - FOOT)
        return np.stack([across, down], -1).round().astype(np.int32)

    for value in np.arange(low, high + 0.01, 0.1 if high - low > 0.35 else 0.05):
        line = points(np.array([first, last]), np.array([value, value]))
        cv2.line(picture, line[0].tolist(), line[1].tolist(), (230, 230, 230), 1)
        _write(picture, f"{value:.2f}", 2, int(line[0, 1]) + 4)
    for one in found:
        laws = np.array([law.at(sizes) for law in one.laws])
        edges = [points(sizes, np.quantile(laws, share, axis=0)) for share in (0.05, 0.95)]
        band = cv2.fillPoly(picture.copy(), [np.concatenate([edges[0], edges[1][::-1]])], COLOURS[one.learner])
        picture = np.asarray(cv2.addWeighted(picture, 0.86, band, 0.14, 0), np.uint8)
    for one in found:
        colour = COLOURS[one.learner]
        cv2.polylines(picture, [points(sizes, one.law.at(sizes))], False, colour, 1, cv2.LINE_AA)
        for dot in points(one.sizes, one.scores):
            cv2.circle(picture, dot.tolist(), 3, colour, -1, cv2.LINE_AA)
        ends = points(np.array([one.sizes[-1], last]), np.array([one.goal, one.goal]))
        for x in range(int(ends[0, 0]), int(ends[1, 0]), 8):
            cv2.line(picture, (x, int(ends[0, 1])), (x + 4, int(ends[0, 1])), colour, 1)
    free = 0
    for size in (*found[0].sizes, last):
        at = int(points(np.array([size]), np.array([low]))[0, 0]) - 8
        if at >= free:
            _write(picture, counted(size), at, HEIGHT - 6)
            free = at + 26
    unit = "people" if found[0].axis == "people" else "seconds of each"
    _write(picture, f"{found[0].measure} over {unit}", LEFT, 14)
    return picture


def _write(picture: Picture, text: str, x: int, y: int) -> None:
    cv2.putText(picture, text, (min(x, WIDTH - 8 * len(text)), y), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (60, 60, 60), 1, 16)
