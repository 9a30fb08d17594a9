"""Takes of a film that nobody shot: for the tests of who speaks, and where a mouth is left alone."""

from __future__ import annotations

import numpy as np

from speechhead.render.survey import FACTS, Take

FPS = 25.0


def take(count=100, starts=True, ends=True, **facts):
    """Pictures 10 to 9 + count of a face that is seen well, but for `facts`, numbers or series [count]."""
    table = np.zeros((count, len(FACTS)), np.float32)
    usual = {"opening": 0.05, "scale": 60, "side": 110, "cover": -5}
    for name, value in (usual | facts).items():
        table[:, FACTS.index(name)] = value
    none = np.zeros(count, bool)
    return Take(10, 9 + count, 0, np.arange(count), table, 0, 1.0, starts, ends, none, (), ())
