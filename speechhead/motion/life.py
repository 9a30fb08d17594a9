"""The life of a head and its brows: stretches of real motion, chosen by what is said and joined without a seam.

Motion matching (Clavet, 2016): now and then the place in the bank is looked for that fits the sound's cues and
continues the present motion best; what does not fit exactly fades away smoothly (Bollo, 2018, "Inertialization").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array, Array64
from speechhead.core.clocks import FPS

from .bank import MIRRORED, Bank, bank


@dataclass(frozen=True)
class Matching:
    """How the next stretch is chosen. Chosen on training and validation clips; docs/decisions has the figures."""

    every: int = 5
    """Video frames from one search to the next."""

    shortest: int = 30
    """Video frames for which a stretch is kept at least, unless it ends or speech begins or ends."""

    longest: int = 100
    """Video frames after which a stretch is left as soon as another fits nearly as well."""

    cues: tuple[float, ...] = (3.0, 0.6, 0.5, 0.4, 0.7, 0.7)
    """Weight of a difference of one in each of CUES."""

    places: tuple[float, ...] = (0.15, 0.17, 0.17, 2.1, 2.5, 8.4, 15.0, 15.0)
    """Weight of a difference of one in each of CHANNELS between the present motion and a candidate's."""

    speeds: tuple[float, ...] = (0.84, 0.84, 0.84, 8.4, 8.4, 25.0, 24.0, 24.0)
    """The same for their changes per frame."""

    centre: float = 0.005
    """Weight of a candidate's distance from the middle, so that motion does not stay aside."""

    stay: float = 3.0
    """Cost by which another place must be better than the present stretch."""

    restless: float = 0.04
    """By how much that falls with every frame beyond `longest`."""

    taste: float = 1.5
    """Mean of the seeded cost that a take lays on each stretch for good: takes differ in whom they move like."""

    chance: float = 1.5
    """Mean of the seeded cost that each search lays on each stretch."""

    again: float = 20.0
    """Cost of a place that was used lately, falling to nothing in `forgotten` frames."""

    forgotten: int = 750

    fade: float = 4.5
    """Per second: how fast what did not fit goes away."""


MATCHING = Matching()

Motion = TypeVar("Motion", Array, Array64)

_LEAST_LEFT = 20  # frames that a candidate must still have before its stretch ends
_STRIDE = 2  # every so many frames of the bank are candidates


class _Candidates:
    """Weighted features of the bank's places, of the people as filmed and mirrored."""

    def __init__(self, bank: Bank) -> None:
        open_ended = bank.left >= _LEAST_LEFT
        self.frames = np.flatnonzero(open_ended)[::_STRIDE]
        motion, speed = bank.motion[self.frames], bank.speed[self.frames]
        self.stretch = bank.stretch[self.frames]
        self.cues = bank.cues[self.frames] * np.array(MATCHING.cues, np.float32)
        weight = np.array(MATCHING.places + MATCHING.speeds, np.float32)
        self.weight = weight
        plain = np.concatenate([motion, speed], 1) * weight
        turned = np.concatenate([mirrored(motion), mirrored(speed)], 1) * weight
        self.motion = (plain, turned)
        self.aside = MATCHING.centre * np.square(motion[:, :3]).sum(1)


def mirrored(motion: Motion) -> Motion:
    """Motion [..., 8] of a mirrored person."""
    other = motion * MIRRORED.astype(motion.dtype)
    return np.take(other, [0, 1, 2, 3, 4, 5, 7, 6], axis=-1)


@lru_cache(maxsize=4)
def _of(bank: Bank) -> _Candidates:
    return _Candidates(bank)


class Liveliness:
    """Seeded real motion, one video frame at a time; it starts at the portrait's own pose, at rest."""

    def __init__(self, seed: int, source: Bank | None = None) -> None:
        self._bank = source or bank()
        self._random = np.random.default_rng([seed, 0x11FE])
        self._frame = -1  # of the bank; -1 before the first
        self._mirror = False
        self._age = 0  # frames since the last leap
        self._offset = np.zeros(8)
        self._drift = np.zeros(8)  # change of the offset per second
        self._shown, self._before = np.zeros(8), np.zeros(8)
        count = 2 * (int(self._bank.stretch[-1]) + 1)  # as filmed, and mirrored
        self._taste = MATCHING.taste * self._random.exponential(size=count).astype(np.float32)
        self._used: list[tuple[int, int]] = []  # (time, frame of the bank) of the leaps
        self._time = 0
        self._speaking = False

    def step(self, cues: Array64) -> Array64:
        """Deviation [8] of the next video frame, in the order of bank.CHANNELS, for its cues [6]."""
        self._time += 1
        self._age += 1
        speaking = cues[0] > 0.5
        border, self._speaking = speaking != self._speaking, bool(speaking)
        ended = self._frame < 0 or self._bank.left[self._frame] == 0
        if ended or border or (self._age >= MATCHING.shortest and self._time % MATCHING.every == 0):
            self._look(cues, ended)
        else:
            self._frame += 1
        self._fade()
        self._before, self._shown = self._shown, self._real(self._frame) + self._offset
        return self._shown.copy()

    def _real(self, frame: int) -> Array64:
        motion = self._bank.motion[frame].astype(np.float64)
        return mirrored(motion) if self._mirror else motion

    def _speed(self, frame: int) -> Array64:
        """Change of the bank's motion per second at a frame, or after it where a stretch begins."""
        first = frame == 0 or self._bank.left[frame - 1] == 0
        return (self._real(frame + 1) - self._real(frame) if first else self._real(frame) - self._real(frame - 1)) * FPS

    def _look(self, cues: Array64, ended: bool) -> None:
        """Go on in the stretch, or leap to a place that fits better."""
        known = _of(self._bank)
        speed = self._shown - self._before
        state = (np.concatenate([self._shown, speed]) * known.weight).astype(np.float32)
        wanted = np.concatenate([[float(self._speaking)], cues[1:]])  # the bank says whether speech follows, too
        asked = (wanted * MATCHING.cues).astype(np.float32)
        shared = np.square(known.cues - asked).sum(1) + known.aside + self._stale(known.frames)
        costs = [shared + np.square(motion - state).sum(1) for motion in known.motion]
        whim = self._taste + MATCHING.chance * self._random.exponential(size=len(self._taste)).astype(np.float32)
        cost = np.stack(costs) + whim.reshape(2, -1)[:, known.stretch]
        mirror, best = np.unravel_index(int(cost.argmin()), cost.shape)
        if not ended:
            here = self._bank.cues[self._frame + 1] * np.array(MATCHING.cues, np.float32)
            stay = float(np.square(here - asked).sum()) - MATCHING.stay
            stay += MATCHING.restless * max(0, self._age - MATCHING.longest)
            if stay <= float(cost[mirror, best]):
                self._frame += 1
                return
        self._leap(int(known.frames[best]), bool(mirror))

    def _leap(self, frame: int, mirror: bool) -> None:
        going = (self._shown - self._before) * FPS
        self._frame, self._mirror, self._age = frame, mirror, 0
        self._used = [(t, f) for t, f in self._used if self._time - t < MATCHING.forgotten] + [(self._time, frame)]
        # The offset is that of the frame before, which this frame's step of `_fade` then begins to take away.
        self._drift = going - self._speed(frame)
        self._offset = self._shown - (self._real(frame) - self._speed(frame) / FPS)

    def _fade(self) -> None:
        """One frame of a critically damped spring that takes the offset to nothing."""
        fade, seconds = MATCHING.fade, 1.0 / FPS
        pull = self._drift + fade * self._offset
        keep = math.exp(-fade * seconds)
        self._offset = (self._offset + pull * seconds) * keep
        self._drift = (self._drift - fade * pull * seconds) * keep

    def _stale(self, frames: npt.NDArray[np.int64]) -> Array:
        """Cost of places near those that were used lately."""
        cost = np.zeros(len(frames), np.float32)
        for time, frame in self._used:
            fresh = 1.0 - (self._time - time) / MATCHING.forgotten
            if fresh > 0.0:
                near = (frames >= frame - 25) & (frames < frame + 100)
                cost[near] = np.maximum(cost[near], MATCHING.again * fresh)
        return cost
