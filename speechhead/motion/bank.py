"""The bank of real motion: how heads and brows of filmed people move, beside what they say then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from speechhead.core import weights
from speechhead.core.arrays import Array, Array64

from .cues import CUES

FILE = "life.npz"

CHANNELS = ("yaw", "pitch", "roll", "x", "y", "grow", "brow_left", "brow_right")
"""In the order of every array of motion, as deviations from a person's usual pose and brows.

yaw, pitch, roll: degrees; x, y: of the neck, outer eye distances, right and down; grow: log of the size in the picture;
brow_left, brow_right: height above the eyes, outer eye distances, of the brows at the left and right of the image.
"""

MIRRORED = np.array([-1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0])
"""Signs of the motion of a mirrored person, whose brows change places too."""

UNITS = np.array([0.05, 0.05, 0.05, 0.001, 0.001, 0.0003, 0.0002, 0.0002])
"""Steps in which each channel is kept."""

CUE_UNIT = 1.0 / 48
"""Step in which cues are kept; they are limited to 127 of them."""


@dataclass(frozen=True, eq=False)
class Bank:
    """Stretches of real motion laid end to end, T frames at 25 Hz.

    motion : float32 [T, 8], see CHANNELS
    cues : float32 [T, 6], see `cues.CUES`; `speaking` is the part of the next frames that is speech
    left : int32 [T], frames of the stretch that are still to come after each frame
    """

    motion: Array
    cues: Array
    left: npt.NDArray[np.int32]

    def __deepcopy__(self, memo: dict[int, Any]) -> Bank:
        return self  # never changed in place

    @cached_property
    def stretch(self) -> npt.NDArray[np.int64]:
        """Number of the stretch of each frame, [T]."""
        return np.concatenate([[0], np.cumsum(self.left[:-1] == 0)])

    @cached_property
    def speed(self) -> Array:
        """float32 [T, 8], change of each channel from the frame before; 0 at the start of a stretch."""
        speed = np.diff(self.motion, axis=0, prepend=self.motion[:1])
        speed[1:][self.left[:-1] == 0] = 0.0
        return speed


def pack(stretches: Sequence[tuple[Array64, Array64]]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of the file from (motion [T, 8], cues [T, 6]) of each stretch: steps and cues in whole units."""
    whole = [np.round(motion / UNITS).astype(np.int32) for motion, _ in stretches]
    steps = [np.diff(one, axis=0, prepend=one[:1]) for one in whole]
    return {
        "frames": np.array([len(one) for one in whole], np.int32),
        "first": np.array([one[0] for one in whole], np.int16),
        "steps": np.clip(np.concatenate(steps), -127, 127).astype(np.int8).T.copy(),
        "cues": np.clip(np.round(np.concatenate([c for _, c in stretches]) / CUE_UNIT), -127, 127)
        .astype(np.int8)
        .T.copy(),
    }


def unpack(arrays: dict[str, npt.NDArray[Any]]) -> Bank:
    """The inverse of `pack`."""
    steps, frames = arrays["steps"].T.astype(np.int32), arrays["frames"]
    ends = np.cumsum(frames)
    motion = np.concatenate(
        [
            first + np.cumsum(steps[end - count : end], axis=0)
            for first, end, count in zip(arrays["first"], ends, frames)
        ]
    )
    left = np.concatenate([np.arange(count - 1, -1, -1) for count in frames]).astype(np.int32)
    cues = arrays["cues"].T.astype(np.float32) * np.float32(CUE_UNIT)
    assert cues.shape[1] == len(CUES) and motion.shape[1] == len(CHANNELS)
    return Bank((motion * UNITS).astype(np.float32), cues, left)


@cache
def bank() -> Bank:
    """The shipped bank, read once.

    Raises
    ------
    WeightsError if it is missing or damaged.
    """
    with weights.arrays(FILE) as arrays:
        return unpack(dict(arrays))
