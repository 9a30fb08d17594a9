"""The jaw: told by the chin, and not by the lip alone."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.face.landmarks import REFERENCE
from speechhead.generators.compact.jaw import CHIN, FOLLOW, LOWER_MIDDLE, dropped


def moved(chin: float, lip: float) -> float:
    face = REFERENCE.copy()
    face[CHIN, 1] += chin
    face[LOWER_MIDDLE, 1] += lip
    return dropped(face, REFERENCE)


def test_a_lip_that_bares_the_lower_teeth_leaves_the_jaw_nearly_where_it_is() -> None:
    assert moved(0.0, 0.1) < 0.02
    assert moved(0.12, 0.1) > 0.08


def test_teeth_go_no_further_than_the_lip_and_never_up() -> None:
    assert moved(0.2, 0.05) == pytest.approx(FOLLOW.most * 0.05)
    assert moved(-0.1, 0.1) == pytest.approx(FOLLOW.lip * 0.1)
    assert moved(0.1, -0.05) == 0


def test_the_jaw_moves_without_jumps() -> None:
    drops = np.array([moved(0.6 * lip, lip) for lip in np.linspace(-0.02, 0.3, 200)])
    assert np.diff(drops).min() >= 0 and np.diff(drops).max() < 0.0025
