"""How much of the mouth's opening that a generator is asked for can be seen in its pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from speechhead.core.arrays import Array

SMALL = (0.02, 0.06)
"""Openings, outer eye distances, that are easily painted as closed lips."""


def fidelity(asked: Array, seen: Array) -> dict[str, Any]:
    """Regression of the opening seen on the opening asked for, curves [T] in outer eye distances.

    Returns
    -------
    dict with `opening_slope` (1 shows all of it), `opening_offset` (seen where lips shall be closed), `opening_r`, and
    `small_openings`: seen over asked, of the frames in which a small opening is asked for. None where the mouth that is
    asked for does not move, or has no small openings.
    """
    row: dict[str, Any] = dict.fromkeys(("opening_slope", "opening_offset", "opening_r", "small_openings"))
    small = (asked > SMALL[0]) & (asked < SMALL[1])
    if small.sum() >= 3:
        row["small_openings"] = float(seen[small].mean() / asked[small].mean())
    if len(asked) < 3 or float(np.std(asked)) < 1e-4:
        return row
    slope, offset = np.polyfit(asked.astype(np.float64), seen.astype(np.float64), 1)
    row |= {"opening_slope": float(slope), "opening_offset": float(offset)}
    if float(np.std(seen)) > 1e-6:
        row["opening_r"] = float(np.corrcoef(asked, seen)[0, 1])
    return row
