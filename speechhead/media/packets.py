"""Packets of a film on disk: parts that are encoded, and groups of pictures that are copied from the source."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .film import Film

_HEAD = struct.Struct("<qIB")

CLOCKED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Containers whose packets all tell when their picture is shown."""

CALM = ("libdav1d", "av1", "vp9", "vp8")
"""Codecs whose packets may hold pictures that are never shown."""


class Coded(NamedTuple):
    """An encoded picture: the tick at which it is shown, its bytes, and whether decoding can begin with it."""

    at: int
    data: bytes
    key: bool


def write_part(path: Path, packets: Iterable[Coded]) -> None:
    """Write a part; it is there when it is whole."""
    half = path.with_suffix(".half")
    with half.open("wb") as file:
        for at, data, key in packets:
            file.write(_HEAD.pack(at, len(data), key))
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, path)


def read_part(path: Path) -> Iterator[Coded]:
    """The packets of a part, in the order of decoding."""
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            at, size, key = _HEAD.unpack(head)
            yield Coded(at, file.read(size), bool(key))


def part_times(path: Path) -> NDArray[np.int64]:
    """The times of a part's packets, without reading them."""
    times = []
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            at, size, _ = _HEAD.unpack(head)
            times.append(at)
            file.seek(size, os.SEEK_CUR)
    return np.array(times, np.int64)


class FilmIndex:
    """The packets of a film's picture, in the order of decoding, without decoding them.

    at: int64 [n], ticks from the first picture's; keys: bool [n]
    """

    def __init__(self, at: NDArray[np.int64], keys: NDArray[np.bool_]) -> None:
        self.at, self.keys = at, keys
        self.times = np.sort(at)

    @classmethod
    def of(cls, film: Film) -> FilmIndex | None:
        """The index; None where packets do not tell what is shown."""
        if film.container not in CLOCKED or film.codec in CALM:
            return None
        at, keys = [], []
        with film.open() as container:
            stream = container.streams.video[0]
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                if packet.pts is None or packet.is_discard or packet.is_corrupt:
                    return None
                at.append(packet.pts)
                keys.append(packet.is_keyframe)
        if not at or len(set(at)) < len(at) or min(at) != film.origin:
            return None
        times = np.array(at, np.int64)
        return cls(times - times.min(), np.array(keys, bool))

    def lengths(self, last: int) -> NDArray[np.int64]:
        """Ticks for which each picture of `times` is shown, the last one for `last`."""
        return np.append(np.diff(self.times), max(1, last))

    def cuts(self) -> list[int]:
        """Numbers of pictures, as they are shown, at which a closed group begins, and at last their number: all that is
        decoded before such a one is shown before it."""
        before = np.concatenate([[-1], np.maximum.accumulate(self.at)[:-1]])
        after = np.minimum.accumulate(self.at[::-1])[::-1]
        clean = self.keys & (before < self.at) & (after >= self.at)
        return [*map(int, np.searchsorted(self.times, self.at[clean])), len(self.at)]


def copied_packets(film: Film, index: FilmIndex, first: int, last: int) -> Iterator[Coded]:
    """Packets of the closed groups that hold pictures `first` up to `last`, bit by bit."""
    begin, end = int(index.times[first]), int(index.times[last - 1])
    left = last - first
    with film.open() as container:
        stream: Any = container.streams.video[0]
        origin = film.origin
        container.seek(begin + origin, stream=stream, backward=True)
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None and begin <= packet.pts - origin <= end:
                yield Coded(packet.pts - origin, bytes(packet), bool(packet.is_keyframe))
                left -= 1
                if not left:
                    return
