"""How far a portrait's head may go: what holds is left as it is, and beyond it motion fades out, not the face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array64
from speechhead.face.landmarks import Pose

from .pose import about_neck, neck


@dataclass(frozen=True)
class HeadLimits:
    """Where pictures hold. Angles are (yaw, pitch, roll) in degrees, lengths outer eye distances.

    Chosen by eye on turned portraits (`python -m pipelines.judge.turns`).
    """

    turn: tuple[float, float, float] = (20.0, 15.0, 15.0)
    """From the portrait's own pose. One that is turned comes back by as much: what its far side hides is not seen
    further."""

    front: tuple[float, float, float] = (35.0, 25.0, 30.0)
    """From the front: a portrait that is turned already has that much less to go."""

    least: tuple[float, float, float] = (10.0, 6.0, 8.0)
    """From its own pose in any case: a head that talks is never nailed."""

    room: tuple[float, float, float] = (5.0, 4.0, 5.0)
    """In which motion fades out beyond."""

    together: float = 1.45
    """Of all axes at once, each as a part of how far it holds, the root of the squares: two may be at their limits."""

    together_room: float = 0.1
    """The same for it."""

    way: tuple[float, float] = (0.35, 0.25)
    """Of the neck across and along the picture: further out, the crop's border cuts into hair."""

    way_room: tuple[float, float] = (0.12, 0.08)
    """The same for it."""

    growth: tuple[float, float] = (0.9, 1.2)
    """Of the face's size: smaller, hair has to stretch to where it was."""

    growth_room: float = 0.1
    """The same for it, as the logarithm of the growth."""


HEAD = HeadLimits()


def soft_stop(value: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, room: npt.ArrayLike) -> Array64:
    """`value` as it is within low..high, bit for bit; beyond, it comes to rest within `room` more.

    x -> high + room (1 - exp(-(x - high) / room)): as fast as before where it begins, then slower and slower; it
    never turns back and never arrives. All of one shape, or numbers; low <= high and room > 0.
    """
    x, first, last = np.asarray(value, np.float64), np.asarray(low, np.float64), np.asarray(high, np.float64)
    if (x >= first).all() and (x <= last).all():
        return np.array(x)
    more = np.asarray(room, np.float64)
    over, under = np.maximum(x - last, 0), np.maximum(first - x, 0)
    return np.asarray(np.clip(x, first, last) - more * (np.expm1(-over / more) - np.expm1(-under / more)), np.float64)


def reach(own: npt.ArrayLike, limits: HeadLimits = HEAD) -> tuple[Array64, Array64]:
    """Lowest and highest (yaw, pitch, roll) away from a portrait's own angles [3] that hold, degrees.

    A portrait from the front goes to either side alike. One that is turned goes back by as much, and on by what `front`
    leaves it, at least `least`.
    """
    low, high = _reach(*np.asarray(own, np.float64).tolist(), limits)
    return low.copy(), high.copy()


@lru_cache(64)
def _reach(yaw: float, pitch: float, roll: float, limits: HeadLimits) -> tuple[Array64, Array64]:
    """`reach`, which a portrait asks for each frame."""
    angles = np.array([yaw, pitch, roll])
    turn, front, least = (np.asarray(part) for part in (limits.turn, limits.front, limits.least))
    away = np.clip(front - np.abs(angles), least, turn)
    right = angles >= 0
    return np.where(right, -turn, -away), np.where(right, away, turn)


def held_turn(angles: npt.ArrayLike, own: npt.ArrayLike, limits: HeadLimits = HEAD) -> Array64:
    """(yaw, pitch, roll) [3] away from a portrait's own angles [3], faded out beyond what holds; degrees."""
    asked = np.asarray(angles, np.float64)
    low, high = reach(own, limits)
    far = float(np.linalg.norm(asked / np.where(asked < 0, -low, high)))
    if far > limits.together:
        asked = asked * (soft_stop(far, 0, limits.together, limits.together_room) / far)
    return soft_stop(asked, low, high, limits.room)


def held_pose(pose: Pose, own: Pose, limits: HeadLimits = HEAD) -> Pose:
    """A pose asked of a portrait, as far as it holds: turn, size, and the way of the neck.

    The neck goes where it was asked to go as far as that holds, whatever the head may turn: a head that is held at a
    smaller turn does not slide over its shoulders.

    Parameters
    ----------
    pose, own : what is asked, and the portrait's own, in the same pixels
    """
    asked = np.subtract(pose.angles, own.angles, dtype=np.float64)
    asked -= 360 * np.round(asked / 360)  # the short way round
    turn = held_turn(asked, own.angles, limits)
    grown = float(np.log(pose.scale / own.scale))
    smallest, largest = np.log(limits.growth)
    growth = float(soft_stop(grown, smallest, largest, limits.growth_room))
    way = (neck(pose) - neck(own)) / own.scale
    gone = way.copy()
    gone[:2] = soft_stop(way[:2], np.negative(limits.way), limits.way, limits.way_room)
    if np.array_equal(turn, asked) and growth == grown and np.array_equal(gone, way):
        return pose
    return about_neck(own.angles + turn, neck(own) + own.scale * gone, own.scale * float(np.exp(growth)))
