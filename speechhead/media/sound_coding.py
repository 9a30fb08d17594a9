"""How a sound track is encoded: codec, channels and rate that a container takes, as near to its own as it can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from speechhead.core.arrays import Array

AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
AAC_LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "6.1(back)", "7.1")
"""What AAC is written in."""

KBITS = 96
"""Kilobits a second for each channel of AAC; one alone gets 128."""

LOSSLESS = {"mp4": ("alac", "s32p"), "mov": ("pcm_s24le", "s32"), "matroska": ("pcm_s24le", "s32")}
"""Encoder and sample format of sound without loss, by container."""


@dataclass(frozen=True)
class SoundCoding:
    """An encoder of sound. layout: of the channels, in libav's words; rate in Hz."""

    encoder: str
    kind: str
    layout: str
    rate: int

    @classmethod
    def of(cls, container: str, layout: str, rate: int, lossless: bool) -> SoundCoding:
        """The coding of a sound of these channels at this rate in a container (libav's name)."""
        if lossless:
            encoder, kind = LOSSLESS[container]
            return cls(encoder, kind, layout, rate)
        layout = layout if layout in AAC_LAYOUTS else "stereo"
        return cls("aac", "fltp", layout, rate if rate in AAC_RATES else 48_000)

    @property
    def channels(self) -> int:
        return len(av.AudioLayout(self.layout).channels)

    def add_to(self, container: Any) -> Any:
        """A track of this coding in a container that is written."""
        track = container.add_stream(self.encoder, rate=self.rate, layout=self.layout)
        track.codec_context.format = self.kind
        if self.encoder == "aac":
            track.bit_rate = 1000 * (128 if self.channels == 1 else KBITS * self.channels)
        return track

    def packets(
        self, track: Any, pieces: Iterable[Array], late: float = 0.0, end: float | None = None
    ) -> Iterator[tuple[float, Any]]:
        """Packets of pieces float32 [channels, n], each with its time in seconds, beginning at `late`.

        The sound is cut, or filled up with silence, where it is to end at `end`.
        """
        start = round(late * self.rate)
        if end is not None:
            pieces = exactly(pieces, self.channels, max(0, round(end * self.rate) - start))
        resampler = av.AudioResampler(format=self.kind, layout=self.layout, rate=self.rate)
        at, time = start, 0.0
        for piece in pieces:
            if not piece.shape[1]:
                continue
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout=self.layout)
            frame.sample_rate, frame.pts, frame.time_base = self.rate, at, Fraction(1, self.rate)
            at += piece.shape[1]
            for part in resampler.resample(frame):
                for packet in track.encode(part):
                    time = max(time, float(packet.dts * packet.time_base))
                    yield time, packet
        for packet in track.encode(None):
            yield max(time, float(packet.dts * packet.time_base)), packet


def exactly(pieces: Iterable[Array], channels: int, samples: int) -> Iterator[Array]:
    """Pieces [channels, n] cut, or filled up with silence, to so many samples in all."""
    left = samples
    for piece in pieces:
        if left <= 0:
            return
        yield piece[:, :left]
        left -= min(left, piece.shape[1])
    while left > 0:
        yield np.zeros((channels, min(left, 48_000)), np.float32)
        left -= 48_000
