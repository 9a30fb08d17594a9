"""Where the mouth of a take is left alone, and why; and how it goes over from what it was to what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.face import LIMITS
from speechhead.core.arrays import Array
from speechhead.face.tracker import LARGEST_YAW

from .survey import Take

COVER_SECONDS = 0.4
"""A mouth counts as hidden where it is for most of this time: a single blurred frame is none."""

BEFORE = 0.2
"""Seconds before and after a mouth is certainly hidden in which the hand is on its way."""

FADE = 0.2
"""Seconds in which a mouth goes over to what it says, and back."""

SMALLEST = 48.0
"""Longer side in pixels of a face whose mouth is worth drawing."""

REASONS = {
    "lost": "no face found",
    "turned": "turned too far",
    "covered": "something covers the mouth",
    "edge": "the picture's edge cuts the mouth",
    "small": "too small",
    "dissolve": "a dissolve",
    "listens": "listens",
}
"""Why a mouth is left alone, first come first."""

Flags = NDArray[np.bool_]


def hindered(take: Take, fps: float) -> dict[str, Flags]:
    """Pictures of a take [n] whose mouth can not be drawn, by reason."""
    lost = np.asarray(take.meshes < 0)
    seen = ~lost

    def where(flags: NDArray[np.bool_]) -> Flags:
        return np.asarray(flags & seen, np.bool_)

    odds = np.where(seen, take.fact("cover"), -9.0).astype(np.float32)
    return {
        "lost": lost,
        "turned": where(np.abs(take.fact("yaw")) > LARGEST_YAW),
        "covered": where(_widened(covered_frames(odds, fps), round(BEFORE * fps))),
        "edge": where(take.fact("cut") > 0),
        "small": where(take.fact("side") < SMALLEST),
        "dissolve": where(take.mixed),
    }


def covered_frames(odds: Array, fps: float) -> Flags:
    """Frames [T] whose mouth is hidden, from log odds [T]: certain ones in most of COVER_SECONDS round a frame."""
    if not (odds >= LIMITS.cover).any():
        return np.zeros(len(odds), bool)
    reach = max(1, round(COVER_SECONDS * fps / 2))
    votes = np.convolve(np.pad(odds >= LIMITS.cover, reach, "edge"), np.ones(2 * reach + 1), "valid")
    return np.asarray(votes > reach, np.bool_)


def _widened(flags: Flags, reach: int) -> Flags:
    if not flags.any():
        return flags
    return np.asarray(np.convolve(np.pad(flags, reach), np.ones(2 * reach + 1), "valid") > 0, np.bool_)


def shares(take: Take, left: Flags, fps: float) -> Array:
    """How far the mouth is what it says, float32 [n] in 0..1: 0 where it is left alone [n], and rising beside it.

    At a cut there is nothing to go over from. A face that comes into a shot or leaves it goes over as well.
    """
    padded = np.concatenate([[not take.starts], left, [not take.ends]])
    reach = FADE * fps + 1
    ramp = np.full(len(padded), np.inf)
    for order in (slice(None), slice(None, None, -1)):
        away = np.inf
        for place, alone in enumerate(padded[order]):
            away = 0.0 if alone else away + 1
            here = place if order.step is None else len(padded) - 1 - place
            ramp[here] = min(ramp[here], away)
    out = np.clip(ramp[1:-1] / reach, 0, 1)
    for first, last in runs(out > 0):
        if out[first : last + 1].max() < 0.5:  # a mouth that speaks for an instant only flickers
            out[first : last + 1] = 0
    return out.astype(np.float32)


def runs(flags: Flags) -> list[tuple[int, int]]:
    """First and last place, both included, of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(first), int(stop) - 1) for first, stop in zip(edges[::2], edges[1::2])]


@dataclass(frozen=True)
class LeftAlone:
    """Pictures first to last, both included, in which a person's mouth is left alone, and the reason."""

    person: int
    first: int
    last: int
    reason: str


def passages(take: Take, why: dict[str, Flags], drawn: Array) -> list[LeftAlone]:
    """Where a take's mouth is left alone [n], by the first reason that holds; `drawn`: its shares [n]."""
    out = []
    left = drawn <= 0
    for reason in REASONS:
        flags = why.get(reason)
        if flags is not None:
            out += [LeftAlone(take.person, take.first + a, take.first + b, reason) for a, b in runs(flags & left)]
            left = left & ~flags
    return sorted(out, key=lambda one: one.first)
