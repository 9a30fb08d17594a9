"""Head motion that somebody else gives: a pose for every video frame, and brows and lids where they are known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ControlError
from .records import shortened

ANGLES = ("yaw", "pitch", "roll")
"""Names of a pose's angles, in their order."""

MOST_DEGREES = 90.0
MOST_RAISED = 0.3
"""Outer eye distances by which brows are raised or lowered at most."""

Angles = tuple[float, float, float]


def check_angles(angles: Any) -> Angles:
    """(yaw, pitch, roll) in degrees within +-90; ControlError otherwise."""
    try:
        yaw, pitch, roll = (float(value) for value in angles)
    except (TypeError, ValueError, OverflowError):
        raise ControlError(f"head pose {shortened(angles)} is no pose. Give (yaw, pitch, roll) in degrees.") from None
    if not all(abs(value) <= MOST_DEGREES for value in (yaw, pitch, roll)):  # NaN is not
        raise ControlError(f"head pose {(yaw, pitch, roll)} is out of range. Give degrees within +-{MOST_DEGREES:g}.")
    return yaw, pitch, roll


@dataclass(frozen=True)
class HeadTrack:
    """Head motion at 25 frames per second; where speech is longer, it is played to and fro.

    angles: yaw, pitch and roll in degrees, one per frame
    relative: they are away from the portrait's own pose; else they are the pose
    brow: by how much the brows are raised, outer eye distances; blink: lid closure 0..1; one per frame, or none

    Raises
    ------
    ControlError naming the frame and the value.
    """

    angles: Sequence[Angles]
    relative: bool = False
    brow: Sequence[float] | None = None
    blink: Sequence[float] | None = None

    def __post_init__(self) -> None:
        angles = []
        for frame, pose in enumerate(self.angles):
            try:
                angles.append(check_angles(pose))
            except ControlError as error:
                raise ControlError(f"frame {frame}: {error}") from None
        if not angles:
            raise ControlError("head poses are empty. Give one (yaw, pitch, roll) per frame.")
        object.__setattr__(self, "angles", tuple(angles))
        for name, low, high in (("brow", -MOST_RAISED, MOST_RAISED), ("blink", 0.0, 1.0)):
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, _numbers(name, values, len(angles), low, high))

    def frame(self, number: int) -> int:
        """Index of what is shown with video frame `number`, to and fro."""
        period = max(1, 2 * (len(self.angles) - 1))
        at = number % period
        return min(at, period - at)

    def alone(self) -> HeadTrack:
        """The pose without brows and lids."""
        return HeadTrack(self.angles, self.relative)


def _numbers(name: str, values: Iterable[float], count: int, low: float, high: float) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        raise ControlError(f"{name} {shortened(values)} is not usable. Give a number for each pose.") from None
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ControlError(f"{name}: {len(numbers)} values for {count} poses. Give a finite number for each.")
    return tuple(min(max(number, low), high) for number in numbers)
