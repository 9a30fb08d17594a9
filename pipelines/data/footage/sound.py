"""The sound of a video piece by piece on the pictures' clock, without holding all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from speechhead.audio.io import Samples, StreamResampler, mono
from speechhead.core.clocks import SAMPLE_RATE

GAP = SAMPLE_RATE // 10
"""Samples by which a time stamp must disagree with the sound before it until silence is filled in."""


class FootageAudio:
    """16 kHz mono sound of a video; sample 0 belongs to the beginning of its first picture.

    Pieces are asked for in the order of their beginnings. A damaged packet is left out, its time is silent.
    """

    def __init__(self, path: Path) -> None:
        self._container = av.open(f"file:{path}", metadata_errors="ignore")
        streams = self._container.streams
        self.exists = bool(streams.audio)
        first = streams.video[0]
        self._origin = float((first.start_time or 0) * (first.time_base or 0))
        self._held: Samples = np.zeros(0, np.float32)
        self._at = self._begin = 0
        self._pieces = self._placed() if self.exists else iter(())

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def between(self, start: int, stop: int) -> tuple[Samples, NDArray[np.bool_]]:
        """Samples [start, stop), silent where there is no sound, and where there is some: float32 and bool [n]."""
        while self._at + len(self._held) < stop:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held = np.concatenate([self._held, piece])
            self._forget(start)
        self._forget(start)
        samples, there = np.zeros(stop - start, np.float32), np.zeros(stop - start, bool)
        low = max(self._at, start)
        part = self._held[low - self._at : max(0, stop - self._at)]
        samples[low - start : low - start + len(part)] = part
        there[low - start : low - start + len(part)] = True
        there[: max(0, self._begin - start)] = False
        return np.clip(samples, -1, 1), there

    def _forget(self, until: int) -> None:
        gone = min(max(0, until - self._at), len(self._held))
        self._held, self._at = self._held[gone:], self._at + gone

    def _frames(self) -> Iterator[av.AudioFrame]:
        stream = self._container.streams.best("audio") or self._container.streams.audio[0]
        try:
            for packet in self._container.demux(stream):
                try:
                    yield from (frame for frame in packet.decode() if isinstance(frame, av.AudioFrame))
                except av.InvalidDataError:
                    continue
        except (av.FFmpegError, OSError):
            return  # a damaged tail: silent from here on

    def _placed(self) -> Iterator[Samples]:
        """Pieces that follow each other from sample 0 on, wherever their time stamps say that they belong."""
        resampler: StreamResampler | None = None
        given = base = 0  # samples at 16 kHz: given out, and given out before this resampler
        fed = skip = 0  # samples at its rate: put in, and yet to be left out
        source = None
        for frame in self._frames():
            kind, rate = (frame.sample_rate, frame.format.name, frame.layout.name), frame.sample_rate
            due = base + fed * SAMPLE_RATE // rate
            place = due if frame.time is None else round((frame.time - self._origin) * SAMPLE_RATE)
            if resampler is None or kind != source or abs(place - due) > GAP:
                if resampler is None:
                    self._begin = max(0, place)
                else:
                    rest = resampler.flush()
                    given += len(rest)
                    yield rest
                silence = max(0, place - given)
                yield np.zeros(silence, np.float32)
                given += silence
                skip = max(0, given - place) * rate // SAMPLE_RATE
                resampler, source, base, fed = StreamResampler(rate), kind, given, 0
            samples = mono(frame)
            piece = resampler.push(samples[skip:])
            fed += len(samples[skip:])
            skip = max(0, skip - len(samples))
            given += len(piece)
            yield piece
        if resampler is not None:
            yield resampler.flush()
