"""Motion as it is told to those who draw by themselves, and whether anybody needs it at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from speechhead.face.landmarks import Pose
from speechhead.motion.compose import Motion
from speechhead.motion.wire import Codes, motion_basis

from .drawing import Easel


class FrameTold(NamedTuple):
    """A frame as it is told; of two with one number, that of the later epoch counts."""

    frame: int
    epoch: int
    codes: Codes


class Moves:
    """What a stage tells of its motion.

    epoch: rises whenever frames that were told are taken back; those from the next one on are told anew
    sound_only: all viewers want nothing but the sound, which they move and draw a portrait by
    """

    def __init__(self, pictures: Easel) -> None:
        self._pictures = pictures
        self.epoch = 0
        self.sound_only = False
        self.listeners: list[Callable[[FrameTold], None]] = []

    @property
    def deaf(self) -> bool:
        """Whether nobody needs the motion."""
        return self.sound_only and not self._pictures.watched and not self.listeners

    def tell(self, frame: int, motion: Motion, pose: Pose) -> None:
        """Tell of the frame that `motion` has just moved; called in the stage's own thread."""
        listeners = list(self.listeners)
        if listeners:
            codes = motion_basis().codes(motion.rest, motion.base_pose, motion.eyes, pose)
            for listener in listeners:
                listener(FrameTold(frame, self.epoch, codes))
