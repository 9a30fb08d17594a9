"""How well mouths follow sound, person by person: for opening, width, chin, lip corners and protrusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pipelines.data.curves import at_lag, best_lag, correlation
from pipelines.judge import sync
from speechhead.core.arrays import Array

from .losses import CURVES

Row = dict[str, float]

REACH = 8
"""Frames to either side within which the best lag is looked for."""
NEAR = 1
"""Frames within which a best lag counts as on time."""


def curves_of(motion: Array, names: Sequence[str] = tuple(CURVES)) -> dict[str, Array]:
    """The curves [T] of `losses.CURVES` of a motion [T, 70, 3], in outer eye distances."""
    tensor = torch.from_numpy(np.ascontiguousarray(motion, np.float32))
    return {name: CURVES[name][0](tensor).numpy() for name in names}


def extent(curve: Array) -> float:
    """From the 5th to the 95th percentile."""
    low, high = np.percentile(curve, [5, 95])
    return float(high - low)


def measure(ours: Array, true: Array, lag: int = 0, names: Sequence[str] = tuple(CURVES)) -> Row:
    """Motion of ours against the truth's, [T, 70, 3], whose picture is `lag` frames late, in the curves of `names`.

    Returns
    -------
    dict with, for each curve, its correlation at once (NAME), at its best lag (NAME best) and its extent over the
    truth's (NAME range); `lag` of our opening at its best (positive: late), `near`, and `closures`, the share hit
    """
    row: Row = {}
    shown, seen = curves_of(ours, names), curves_of(true, names)
    for name in names:
        truth, mouth = at_lag(seen[name], shown[name], lag)
        found, peak = best_lag(mouth, truth, REACH)
        row[name], row[f"{name} best"] = correlation(mouth, truth), peak
        row[f"{name} range"] = extent(mouth) / max(extent(truth), 1e-4)
        if name == "opening":
            row |= {"lag": float("nan") if found is None else found}
            row["near"] = float(found is not None and abs(found) <= NEAR)
            hit = sync.closure_recall(np.maximum(mouth, 0), np.maximum(truth, 0))
            row["closures"] = float("nan") if hit is None else hit
    return row


def over_people(rows: Sequence[Row], people: Sequence[str]) -> Row:
    """Mean over people of each person's mean; of ranges the median over people."""
    own: dict[str, list[Row]] = {}
    for row, person in zip(rows, people, strict=True):
        own.setdefault(person, []).append(row)
    result: Row = {"people": len(own)}
    for name in rows[0]:
        values = [[row[name] for row in mine if not np.isnan(row[name])] for mine in own.values()]
        means = [float(np.mean(found)) for found in values if found]
        if means:
            result[name] = float(np.median(means) if name.endswith("range") else np.mean(means))
    return result


COLUMNS = (
    *("people", "opening", "opening best", "near", "lag", "closures", "width", "chin", "corners", "protrusion"),
    *(f"{name} range" for name in CURVES),
)


def table(rows: dict[str, Row]) -> str:
    """Markdown, a line for each name."""
    lines = ["| | " + " | ".join(COLUMNS) + " |", "| --- |" + " --: |" * len(COLUMNS)]
    for name, row in rows.items():
        cells = [f"{row[column]:.0f}" if column == "people" else f"{row.get(column, np.nan):.2f}" for column in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
