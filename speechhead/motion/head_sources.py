"""Where the head's motion comes from: generated, retained, given ahead, or steered live; cross-faded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array64
from speechhead.core.clocks import FPS
from speechhead.core.errors import ControlError
from speechhead.core.head_track import Angles, HeadTrack

from .easing import LowPass

STEERED_SECONDS = 1.0
"""Time without a word from whoever steers, after which the head goes back to its own motion."""

STEER_SECONDS = 0.08
"""Time constant in which a steered head follows: it hides that poses come unevenly."""

Head = object
"""A value of `Controls.head`."""


@dataclass
class HeadTurn:
    """What the sources say of one frame.

    angles: (yaw, pitch, roll) in degrees away from the portrait's, of all sources but the generated one, times their
    weights; own: weight of the generated source
    brow: by how much the brows are raised, outer eye distances; lids: weight of a source that has lids, and `blink`
    their closure times that weight
    """

    angles: Array64 = field(default_factory=lambda: np.zeros(3))
    own: float = 0.0
    brow: float = 0.0
    lids: float = 0.0
    blink: float = 0.0


class HeadSources:
    """Where the head's angles come from, cross-faded when the source is switched."""

    def __init__(self, head: Head, fade_seconds: float) -> None:
        self._fade_seconds = fade_seconds
        _check_read(head)
        self._sources = [_Source(head, LowPass(fade_seconds, 1.0))]
        self._head = head  # that of the controls
        self._steered = 0  # frames until the last steering is forgotten

    def switch(self, head: Head) -> None:
        """Fade to another value of `Controls.head`; given angles start at the next frame."""
        _check_read(head)
        self._head = head
        if not self._steered:
            self._fade_to(head)

    def steer(self, angles: npt.ArrayLike) -> None:
        """Follow a pose that is given live, (yaw, pitch, roll) in degrees, for `STEERED_SECONDS` after the last one."""
        if not self._steered:
            self._fade_to(_Live())
        live = self._sources[-1].head
        assert isinstance(live, _Live)
        live.aim = np.asarray(angles, np.float64)
        self._steered = round(STEERED_SECONDS * FPS)

    def _fade_to(self, head: Head) -> None:
        self._sources.append(_Source(head, LowPass(self._fade_seconds, 0.0)))

    def step(self, base: Array64) -> HeadTurn:
        """The next frame of a portrait whose angles are `base` [3]."""
        if self._steered:
            self._steered -= 1
            if not self._steered:
                self._fade_to(self._head)
        turn, kept = HeadTurn(), []
        for source in self._sources:
            current = source is self._sources[-1]
            weight = source.weight.step(float(current))
            source.add(turn, weight, base)
            if current or weight > 1e-6:
                kept.append(source)
        self._sources = kept
        return turn


def _check_read(head: Head) -> None:
    """ControlError for a file: motion opens none."""
    if isinstance(head, Path):
        raise ControlError(f"head {head}: a file is not read here. Give the track of speechhead.render.head.head_of.")


class _Live:
    """A pose that somebody steers."""

    def __init__(self) -> None:
        self.aim: Array64 = np.zeros(3)
        self.now: LowPass[Array64] | None = None

    def step(self) -> Array64:
        if self.now is None:
            self.now = LowPass(STEER_SECONDS, self.aim)
        return self.now.step(self.aim)


class _Source:
    def __init__(self, head: Head, weight: LowPass[float]) -> None:
        self.head = head
        self.weight = weight
        self._frame = 0

    def add(self, turn: HeadTurn, weight: float, base: Array64) -> None:
        """Add this source's part of a frame."""
        head, number = self.head, self._frame
        self._frame += 1
        if isinstance(head, str):
            if head == "generated":
                turn.own += weight
        elif isinstance(head, _Live):
            turn.angles += weight * (head.step() - base)
        elif isinstance(head, HeadTrack):
            at = head.frame(number)
            turn.angles += weight * (np.array(head.angles[at]) - (0.0 if head.relative else base))
            if head.brow is not None:
                turn.brow += weight * float(head.brow[at])
            if head.blink is not None:
                turn.lids += weight
                turn.blink += weight * float(head.blink[at])
        else:
            assert isinstance(head, tuple), "files are refused before"
            angles: Angles = head[min(number, len(head) - 1)]
            turn.angles += weight * (np.array(angles, np.float64) - base)
