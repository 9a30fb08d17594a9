"""A film as a file holds it: size, colours, shape of pixels, clock; and its frames, each with its own time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import av

from .decoding import Decoder, Shown, address, silence

UNTOLD = 2
"""A colour tag that says nothing (ITU-T H.273)."""

BT601, BT709, BT2020 = 6, 1, 9
"""Matrices of Y'CbCr as files number them (ITU-T H.273)."""

PROGRESSIVE = (0, 1)
"""Field orders of whole pictures: not told, and progressive."""

FULL_RANGE = 2
"""Tag of levels that use all codes."""

SD = (1024, 576)
"""Largest picture of standard definition: a larger one without a tag is BT.709, as players take it."""


@dataclass(frozen=True)
class FilmLook:
    """How the numbers of a film become a picture.

    layout: the pixel format, in libav's words
    matrix, full_range: of Y'CbCr, by the tags, else by the size
    tags: colour range, matrix, primaries and transfer as the file has them, to be written again
    sar: width of a pixel over its height
    siting: place of a chroma sample among its luma samples, horizontal and vertical: 0 on the first, 0.5 between both
    turns: quarter turns counter-clockwise that make a picture upright
    """

    width: int
    height: int
    layout: str
    matrix: int
    full_range: bool
    tags: tuple[int, int, int, int]
    sar: Fraction
    siting: tuple[float, float]
    turns: int = 0

    @property
    def transfer(self) -> int:
        return self.tags[3]


def matrix_of(tag: int, width: int, height: int) -> int:
    """The matrix of Y'CbCr by its tag; without one HD is BT.709, and less is BT.601."""
    if tag != UNTOLD:
        return tag
    return BT709 if width > SD[0] or height > SD[1] else BT601


class Film:
    """A video whose frames are numbered as they are shown, each with its time in ticks of the file's own clock.

    Raises
    ------
    MediaError if it can not be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._decoder = Decoder(self.path)
        silence()
        first = self._decoder.first()
        with self.open() as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            self.codec: str = context.name
            self.container: str = container.format.name
            self.time_base = Fraction(stream.time_base)
            self.rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
            start = Fraction(container.start_time or 0, av.time_base)
            self.start = round(start / self.time_base)
            self.origin: int = self._decoder.first_tick(stream)
            self.late = max(0, self.origin - self.start)
            self.fields: int = getattr(context, "field_order", 0)  # which PyAV tells from version 18 on
            self.look = look_of(stream, first.frame)
        self.interlaced = self.fields not in PROGRESSIVE or bool(first.frame.interlaced_frame)

    def open(self) -> Any:
        """The file, opened anew."""
        return av.open(address(self.path), metadata_errors="ignore")

    def frames(self, since: int = 0) -> Iterator[tuple[int, int, Shown]]:
        """Frames with their times and lengths in ticks from the first one's, from the tick `since` on."""
        for shown in self._decoder.shown_from(float((since + Fraction(1, 2)) * self.time_base)):
            at = round(shown.time / self.time_base)
            if at >= since:
                yield at, max(1, round(shown.length / self.time_base)), shown

    def remember(self, keys: Iterable[int]) -> None:
        """Ticks, from the first frame's, at which decoding can begin: found without decoding."""
        self._decoder.remember(int(key) + self.origin for key in keys)

    @cached_property
    def duration(self) -> float | None:
        """Seconds, as the file states them."""
        with self.open() as container:
            stream = container.streams.video[0]
            if stream.duration:
                return float(stream.duration * stream.time_base)
            if not container.duration:
                return None
            late = container.start_time or 0 if "matroska" in container.format.name else 0  # its length counts from 0
            return float(max(0, container.duration - late) / av.time_base)


def look_of(stream: Any, frame: Any) -> FilmLook:
    """The look of a track by its description and a frame of it."""
    told = [getattr(frame, "color_range", 0), frame.colorspace, frame.color_primaries, frame.color_trc]
    tags = tuple(int(tag) for tag in told)
    sar = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    return FilmLook(
        width=frame.width,
        height=frame.height,
        layout=frame.format.name,
        matrix=matrix_of(tags[1], frame.width, frame.height),
        full_range=tags[0] == FULL_RANGE or frame.format.name.startswith("yuvj"),
        tags=(tags[0], tags[1], tags[2], tags[3]),
        sar=Fraction(sar) if sar and Fraction(1, 4) <= sar <= 4 else Fraction(1),
        siting=chroma_siting(stream),
        turns=round(getattr(frame, "rotation", 0) / 90) % 4,
    )


def chroma_siting(stream: Any) -> tuple[float, float]:
    """Where a chroma sample lies among its luma samples; between two lines and on the first column if not told.

    libav knows, and PyAV does not say: so a Matroska header is written of the stream, which has it in words.
    """
    buffer = io.BytesIO()
    try:
        with av.open(buffer, "w", format="matroska") as container:
            container.add_stream_from_template(stream, opaque=True)
            container.start_encoding()
    except (av.FFmpegError, ValueError):
        return 0.0, 0.5
    header = buffer.getvalue()
    places = []
    for mark, untold in ((b"\x55\xb7\x81", 1), (b"\x55\xb8\x81", 2)):  # ChromaSitingHorz and ChromaSitingVert
        at = header.find(mark)
        places.append((header[at + 3] if at >= 0 else untold) or untold)
    return (places[0] - 1) / 2, (places[1] - 1) / 2
