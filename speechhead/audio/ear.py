"""The sound of a file for the ear: in its own channels and at its own rate, in time with its picture, as a stream."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from .io import Samples, channels_of, lateness, open_sound

RATES = (8000, 192_000)
"""Sample rates that are kept as they are; others are those of broken headers."""


@dataclass(frozen=True)
class EarSound:
    """A sound as the ear hears it.

    layout: of the channels, in libav's words: mono, stereo, 5.1, ...
    late: seconds by which it starts after the picture of its file, below 0 for before
    tags: what the file says of the track, its language among it
    number: of the file's sound tracks, from 0
    """

    path: Path
    rate: int
    layout: str
    channels: int
    late: float
    tags: dict[str, str]
    number: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> EarSound:
        """The best sound track of a file.

        Raises
        ------
        AudioError as `load_audio`.
        """
        with open_sound(path) as (container, stream):
            context = stream.codec_context
            count = max(1, context.layout.nb_channels)
            rate = min(RATES[1], max(RATES[0], context.sample_rate or 48_000))
            number = list(container.streams.audio).index(stream)
            name = context.layout.name
            known = name if " " not in name and "(" not in name else {1: "mono", 2: "stereo"}.get(count, "")
            tags = dict(stream.metadata)
            layout = known or _usual(count)
            return cls(Path(path), rate, layout, count if known else 2, lateness(container, stream), tags, number)

    @property
    def language(self) -> dict[str, str]:
        """The tag of the language, where the file says it."""
        told = self.tags.get("language", "und")
        return {} if told == "und" else {"language": told}

    def pieces(self, rate: int | None = None, layout: str | None = None) -> Iterator[Samples]:
        """The sound in pieces, float32 [channels, n] within [-1, 1], from the beginning of the picture on.

        Parameters
        ----------
        rate, layout : of the pieces; its own if None
        """
        rate, layout = rate or self.rate, layout or self.layout
        channels = len(av.AudioLayout(layout).channels)
        gap = round(self.late * rate)
        for at in range(0, gap, rate):
            yield np.zeros((channels, min(rate, gap - at)), np.float32)
        early = max(0, -gap)
        for piece in self._decoded(rate, layout):
            if early < piece.shape[1]:
                yield np.clip(piece[:, early:], -1, 1)
            early = max(0, early - piece.shape[1])

    def _decoded(self, rate: int, layout: str) -> Iterator[Samples]:
        with open_sound(self.path) as (container, stream):
            resampler, source = None, None
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.InvalidDataError:
                    continue  # a damaged packet is left out, as for the face
                for frame in frames:
                    if source != (frame.sample_rate, frame.layout.name):  # may change inside a file
                        yield from _rest(resampler)
                        source = (frame.sample_rate, frame.layout.name)
                        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
                    yield from _through(resampler, _clean(frame))
            yield from _rest(resampler)


def _clean(frame: Any) -> Any:
    """A frame of float32 without what is no number."""
    made = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels_of(frame)), format="fltp", layout=frame.layout.name)
    made.sample_rate, made.time_base = frame.sample_rate, Fraction(1, frame.sample_rate)
    return made


def _through(resampler: Any, frame: Any) -> Iterator[Samples]:
    for part in resampler.resample(frame):
        yield part.to_ndarray()


def _rest(resampler: Any) -> Iterator[Samples]:
    return _through(resampler, None) if resampler is not None else iter(())


def _usual(count: int) -> str:
    return {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(count, "stereo")


def spliced(film: Iterable[Samples], passage: Iterable[Samples], first: int, last: int, fade: int) -> Iterator[Samples]:
    """A film's sound [channels, n] with that of a passage in the samples `first` up to `last`, faded over at its ends.

    Parameters
    ----------
    passage : of the same channels and rate; silence follows where it is shorter
    fade : samples
    """
    source, at = _Reader(passage), 0
    for piece in film:
        count = piece.shape[1]
        low, high = max(first - at, 0), min(last - at, count)
        if low < high:
            new = source.take(piece.shape[0], high - low)
            place = np.arange(at + low, at + high, dtype=np.float64)
            share = np.clip(np.minimum(place - first + 1, last - place) / max(1, fade), 0, 1).astype(np.float32)
            piece = piece.copy()
            piece[:, low:high] += share * (new - piece[:, low:high])
        at += count
        yield piece


class _Reader:
    """Takes so many samples at a time from pieces; silence follows the last."""

    def __init__(self, pieces: Iterable[Samples]) -> None:
        self._pieces, self._held = iter(pieces), None

    def take(self, channels: int, count: int) -> Samples:
        parts: list[Samples] = []
        while count > 0:
            held = self._held if self._held is not None else next(self._pieces, None)
            if held is None:
                parts.append(np.zeros((channels, count), np.float32))
                break
            parts.append(held[:, :count])
            self._held = held[:, count:] if held.shape[1] > count else None  # type: ignore[assignment]
            count -= parts[-1].shape[1]
        return np.concatenate(parts, axis=1)
