"""What faces do in tests of drawing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speechhead.face.landmarks import Pose
from speechhead.motion.blink import LID_PAIRS


@dataclass(frozen=True)
class ActedFaces:
    """Faces [70, 3] made of a portrait's own one, and a pose of a head that turned."""

    opened: np.ndarray
    shut: np.ndarray
    aside: np.ndarray
    turned: Pose

    @classmethod
    def of(cls, base: np.ndarray, pose: Pose) -> ActedFaces:
        """An open mouth, a blink, a look aside, and a turn."""
        opened, shut, aside = base.copy(), base.copy(), base.copy()
        opened[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += 0.15
        for upper, lower in LID_PAIRS:
            way = base[lower] - base[upper]
            shut[upper] += 0.7 * way
            shut[lower] -= 0.1 * way
        aside[[68, 69], 0] += 0.03
        yaw, pitch, roll = pose.angles
        place = pose.translation + np.float32([2, 1, 0])
        return cls(opened, shut, aside, Pose.from_angles(yaw + 9, pitch - 4, roll + 5, place, pose.scale))


def moved(base: np.ndarray, pose: Pose) -> list[tuple[np.ndarray, Pose]]:
    """An open mouth in a head that turns, a blink, a look aside, and four frames of one movement."""
    acted = ActedFaces.of(base, pose)
    yaw, pitch, roll = pose.angles
    found = [(acted.opened, acted.turned), (acted.shut, pose), (acted.aside, pose)]
    for k in range(4):
        place = pose.translation + np.float32([0.05 * k, 0, 0])
        face = (base + 0.04 * k * (acted.opened - base)).astype(np.float32)
        found.append((face, Pose.from_angles(yaw + 0.1 * k, pitch, roll, place, pose.scale)))
    return found
