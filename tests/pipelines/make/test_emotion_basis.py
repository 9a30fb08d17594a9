"""Recipes of emotions: modes of either side together, and of one part of the face alone."""

from __future__ import annotations

import numpy as np

from pipelines.make.emotion_basis import both_sides
from speechhead.face.landmarks import BROWS


def test_a_mode_may_be_limited_to_the_brows():
    modes = {"sneer_L": np.full((70, 3), 1.0, np.float32), "sneer_R": np.full((70, 3), 2.0, np.float32)}
    assert (both_sides(modes, "sneer") == 3.0).all()
    alone = both_sides(modes, "sneer:brows")
    assert (alone[BROWS] == 3.0).all() and not np.delete(alone, np.r_[BROWS], 0).any()
