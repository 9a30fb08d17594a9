"""What is left of shut eyes: aside and depth are no opening, and blinks in which the lids do not meet do not count."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.judge import shut_eyes, targets
from speechhead.core.arrays import Array
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_68
from speechhead.motion.blink import LID_PAIRS

FRAMES = 60


def blinking(lowest: float, deep: float) -> Array:
    """Landmarks [T, 70, 3] whose lids come as near to each other as `lowest` of open in frame 31; all upper ones stand
    `deep` before the lower ones."""
    faces = np.repeat(100 * MESH_REFERENCE[None, np.r_[MESH_TO_68, 468, 473]], FRAMES, axis=0)
    open_ = np.ones(FRAMES)
    open_[30:33] = 0.5, lowest, 0.5
    for upper, lower in LID_PAIRS:
        faces[:, lower, 0], faces[:, lower, 2] = faces[:, upper, 0], faces[:, upper, 2] + 100 * deep
        faces[:, lower, 1] = faces[:, upper, 1] + open_ * (faces[:, lower, 1] - faces[:, upper, 1])
    return np.asarray(faces, np.float32)


def test_a_depth_between_lids_is_left_in_space_alone() -> None:
    level, deep = (shut_eyes.shut_measures(blinking(0.1, depth)) for depth in (0.0, 0.02))
    assert level["shut"] == pytest.approx(0.1, abs=0.02) and level["shut_seen"] == pytest.approx(0.1, abs=0.02)
    assert deep["shut_seen"] == pytest.approx(level["shut_seen"], abs=0.02)
    rest = float(shut_eyes.unopened(blinking(0.1, 0.02)[0]))
    assert rest > 0.15 and deep["shut"] == pytest.approx(np.hypot(rest, 0.1), abs=0.05)


def test_a_blink_counts_if_the_lids_meet() -> None:
    assert shut_eyes.blinks(blinking(0.1, 0.02)) == [31]
    assert shut_eyes.shut_measures(blinking(0.3, 0.02)) == {"shut": None, "shut_seen": None}
    assert shut_eyes.blinks(0 * blinking(0.1, 0.02)) == []


def test_targets_of_portraits_stand_beside_real_people() -> None:
    life = {
        name: {"people": n, "real": {"shut": value}, "closeness": {}}
        for name, n, value in (("a", 2, 0.2), ("b", 1, 0.5))
    }
    cells = {row[0]: row[-1] for row in targets.table({"clips": [], "life": life})}
    assert cells["Lid opening at full closure over open, median, in space"] == "real people 0.300"
    assert cells["Lid opening at full closure over open, median, in the picture"] == ""
