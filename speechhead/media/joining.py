"""Parts of two encoders in one track of H.264: their parameter sets under different numbers, side by side."""

from __future__ import annotations

from typing import NamedTuple

HIGH_444_PREDICTIVE = 244
"""Number of the profile (ITU-T H.264, A.2.7)."""


class ParameterSets(NamedTuple):
    """What the head of a track of H.264 holds (ISO/IEC 14496-15, 5.3.3): sequence and picture sets, what follows."""

    head: bytes
    sequence: list[bytes]
    picture: list[bytes]
    rest: bytes

    @classmethod
    def read(cls, data: bytes | None) -> ParameterSets | None:
        """Of the codec's private data; None unless it is in this form, with lengths of four bytes."""
        if not data or len(data) < 8 or data[0] != 1 or data[4] & 3 != 3:
            return None
        at, found = 5, []
        for mask in (31, 255):
            count, at = data[at] & mask, at + 1
            sets = []
            for _ in range(count):
                size = int.from_bytes(data[at : at + 2], "big")
                sets.append(data[at + 2 : at + 2 + size])
                at += 2 + size
            found.append(sets)
        return cls(data[:5], found[0], found[1], data[at:])

    def joined(self, other: ParameterSets) -> bytes:
        """Private data with the sets of both."""
        sequence, picture = self.sequence + other.sequence, self.picture + other.picture
        parts = [self.head, bytes([0xE0 | len(sequence)]), *map(_sized, sequence)]
        return b"".join([*parts, bytes([len(picture)]), *map(_sized, picture), self.rest])

    @property
    def predictive(self) -> bool:
        """Whether a set is of the profile in which H.264 can be without loss, High 4:4:4 Predictive."""
        return any(each[1] == HIGH_444_PREDICTIVE for each in self.sequence)

    @property
    def free_number(self) -> int:
        """A number that none of the sets has."""
        taken = {_golomb(each[4:]) for each in self.sequence} | {_golomb(each[1:]) for each in self.picture}
        return next(number for number in range(1, 32) if number not in taken)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _golomb(data: bytes) -> int:
    """The first number of a bit string in Exp-Golomb code (ITU-T H.264, 9.1)."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
