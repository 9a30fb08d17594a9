"""How a face in motion is told in some 20 bytes a frame: codes of a basis, the eyes as numbers, and a pose.

A packet stands alone, whatever was lost before it: some frames one after another, the first one whole and each of the
others as what it differs from the one before. The server's `client/draw/wire.js` reads it, server/PROTOCOL.md says what
every bit means.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.errors import WireError
from speechhead.face.landmarks import Pose

from .blink import close_eyes
from .compose import EyesMoved
from .gaze import turn_eyes

BASIS = Path(__file__).with_name("wire_basis.json")
"""One file for both sides: `pipelines.make.motion_basis` makes it, and the server hands it to browsers."""

VERSION = 1

HEADER = struct.Struct("<BBBBI")
"""Version, epoch, number of frames, lead in steps of LEAD, number of the first frame."""

LEAD = 0.004
"""Seconds of a step of the lead: how long before its time the first frame of a packet leaves."""

MOST_FRAMES = 8
"""Of one packet."""

LARGEST = 2**20
"""What a value is held within, either way."""

SCALARS = {
    "yaw": 0.02, "pitch": 0.02, "roll": 0.02,  # degrees of the head
    "x": 1e-4, "y": 1e-4, "z": 2e-4, "grow": 1e-4,  # of its place in units of the portrait's scale, and log of its size
    "gaze_yaw": 0.1, "gaze_pitch": 0.1, "closure": 0.004,  # degrees of the eyes, part of the lids' opening
}  # fmt: skip
"""Steps of the values behind the basis' codes, in their order."""

Codes = NDArray[np.int64]
"""[K + 10] whole numbers of one frame."""


class MotionPacket(NamedTuple):
    """Frames of one packet; lead: seconds, from its leaving to the time of its first frame."""

    epoch: int
    first: int
    lead: float
    frames: list[Codes]


@dataclass(frozen=True)
class MotionBasis:
    """Directions in which faces move.

    name : tells bases apart
    step : of a code, outer eye distances
    mean, rows : float64 [210], [K, 210], displacement from the portrait's face at rest
    whole, change : orders of the Exp-Golomb codes of a frame's values, and of their changes from frame to frame
    """

    name: str
    step: float
    mean: NDArray[np.float64]
    rows: NDArray[np.float64]
    whole: tuple[int, ...]
    change: tuple[int, ...]

    @classmethod
    def read(cls, path: Path = BASIS) -> MotionBasis:
        """From its file."""
        told = json.loads(path.read_text(encoding="utf-8"))
        unit = told["unit"]
        rows, mean = np.array(told["rows"], np.float64) * unit, np.array(told["mean"], np.float64) * unit
        return cls(told["name"], told["step"], mean, rows, tuple(told["whole"]), tuple(told["change"]))

    def codes(self, rest: Array, base: Pose, eyes: EyesMoved, pose: Pose) -> Codes:
        """A frame as whole numbers.

        Parameters
        ----------
        rest, base : the portrait's face [70, 3] at rest, and its pose, as `Motion` has them
        eyes, pose : of the frame
        """
        moved = (eyes.before - rest).astype(np.float64).reshape(-1) - self.mean
        place = (pose.translation - base.translation) / base.scale
        angles = np.asarray(pose.angles) - base.angles
        scalars = [*angles, *place, np.log(pose.scale / base.scale), eyes.yaw, eyes.pitch, eyes.closure]
        found = np.concatenate([self.rows @ moved / self.step, np.array(scalars) / tuple(SCALARS.values())])
        return np.clip(np.rint(found), -LARGEST, LARGEST).astype(np.int64)

    def face(self, rest: Array, base: Pose, codes: Codes) -> tuple[Array, Pose]:
        """The face [70, 3] and the pose that whole numbers tell: what the other side draws."""
        count = len(self.rows)
        face = (rest + (self.mean + codes[:count] * self.step @ self.rows).reshape(70, 3)).astype(np.float32)
        yaw, pitch, roll, x, y, z, grow, across, down, closure = codes[count:] * tuple(SCALARS.values())
        turn_eyes(face, across, down)
        close_eyes(face, closure)
        turn = base.angles
        angles = (turn[0] + yaw, turn[1] + pitch, turn[2] + roll)
        place = base.translation + base.scale * np.array([x, y, z])
        return face, Pose.from_angles(*angles, place.astype(np.float32), base.scale * float(np.exp(grow)))


@cache
def motion_basis() -> MotionBasis:
    """The basis that every stream of motion uses."""
    return MotionBasis.read()


def pack(basis: MotionBasis, epoch: int, first: int, frames: Sequence[Codes], lead: float = 0.0) -> bytes:
    """A packet of frames that follow one another, `first` being the number of the first of them."""
    if not 1 <= len(frames) <= MOST_FRAMES:
        raise WireError(f"a packet of {len(frames)} frames is none. Give 1 to {MOST_FRAMES}.")
    steps = min(255, max(0, round(lead / LEAD)))
    bits, before = _BitWriter(), np.zeros(len(frames[0]), np.int64)
    for number, frame in enumerate(frames):
        for value, order in zip((frame - before).tolist(), basis.change if number else basis.whole):
            bits.put(value, order)
        before = frame
    return HEADER.pack(VERSION, epoch % 256, len(frames), steps, first % 2**32) + bits.whole()


def unpack(basis: MotionBasis, data: bytes) -> MotionPacket:
    """What a packet tells.

    Raises
    ------
    WireError for anything else.
    """
    if len(data) < HEADER.size:
        raise WireError(f"{len(data)} bytes are no packet of motion.")
    version, epoch, count, steps, first = HEADER.unpack_from(data)
    if version != VERSION or not 1 <= count <= MOST_FRAMES:
        raise WireError(f"version {version} with {count} frames is not known.")
    bits, frames = _BitReader(data[HEADER.size :]), list[Codes]()
    before: Codes = np.zeros(len(basis.whole), np.int64)
    for number in range(count):
        before = before + np.array([bits.take(order) for order in (basis.change if number else basis.whole)])
        frames.append(before)
    return MotionPacket(epoch, first, steps * LEAD, frames)


def cost(values: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    """Bits of signed whole numbers in the Exp-Golomb code of an order."""
    folded = np.where(values > 0, 2 * values - 1, -2 * values) + 2**order
    return 2 * np.floor(np.log2(folded)).astype(np.int64) + 1 - order


class _BitWriter:
    """Bits in their order, the highest of a byte first."""

    def __init__(self) -> None:
        self._value, self._count = 0, 0

    def put(self, value: int, order: int) -> None:
        """A signed whole number in the Exp-Golomb code of an order."""
        folded = (2 * value - 1 if value > 0 else -2 * value) + (1 << order)
        length = folded.bit_length()
        width = 2 * length - 1 - order  # as many zeros as it is longer than `order` + 1 bits, then itself
        self._value = self._value << width | folded
        self._count += width

    def whole(self) -> bytes:
        """All of them, filled up with zeros to a byte."""
        spare = -self._count % 8
        return (self._value << spare).to_bytes((self._count + spare) // 8, "big")


class _BitReader:
    """Takes numbers from bits."""

    def __init__(self, data: bytes) -> None:
        self._text = bin(int.from_bytes(b"\1" + data, "big"))[3:]
        self._at = 0

    def take(self, order: int) -> int:
        """The next number; WireError where the bits end, or for one that is too large."""
        one = self._text.find("1", self._at)
        width = one - self._at + order + 1
        if one < 0 or one + width > len(self._text) or width > 24:
            raise WireError("the packet of motion ends too soon.")
        folded = int(self._text[one : one + width], 2) - (1 << order)
        self._at = one + width
        return (folded + 1) // 2 if folded % 2 else -(folded // 2)
