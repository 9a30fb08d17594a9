"""How a film is encoded: codec, pixel format and quality; one encoder for every part of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.codec.context import Flags

from speechhead.core.errors import MediaError
from speechhead.core.film_options import CODECS, FilmOptions

from .film import Film, FilmLook
from .h264 import repeatable
from .view import PLANAR, copied_frame, reformatted
from .writer import SUFFIXES

ENCODERS = {"h264": "libx264", "hevc": "libx265", "prores": "prores_ks", "ffv1": "ffv1"}

CRF = 16
"""Quality where none is asked for: what is encoded again differs from its source by 45 dB and more."""

KEY_SECONDS = 4.0
"""Longest time between two key frames."""

KEPT = {
    "libx264": ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv420p10le", "yuv422p10le",
                "yuv444p10le"),
    "libx265": tuple(PLANAR),
    "prores_ks": ("yuv422p10le", "yuv444p10le"),
    "ffv1": tuple(name for name in PLANAR if "j" not in name),
}  # fmt: skip
"""Pixel formats of `PLANAR` that an encoder takes as they are."""


@dataclass(frozen=True)
class FilmCoding:
    """An encoder and all that it is told; equal ones write equal bits of equal frames.

    set_id: number of the parameter sets of H.264, so that parts of another encoder's can stand beside them
    """

    codec: str
    layout: str
    look: FilmLook
    time_base: Fraction
    rate: Fraction
    options: dict[str, str] = field(default_factory=dict)
    set_id: int = 0

    @property
    def encoder(self) -> str:
        return ENCODERS[self.codec]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height: even where chroma has fewer samples."""
        across, down, _ = PLANAR[self.layout]
        return self.look.width // across * across, self.look.height // down * down

    def open(self) -> Any:
        """A new encoder, its parameter sets beside the packets, not in them."""
        try:
            context = av.CodecContext.create(self.encoder, "w")
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"this build of PyAV has no {self.encoder}. Choose another --codec.") from error
        self.set_up(context)
        context.open()
        return context

    def at_rate(self, rate: Fraction) -> FilmCoding:
        """The same at a constant rate, a tick for each picture."""
        keys = str(max(1, round(KEY_SECONDS * float(rate))))
        options = {**self.options, "g": keys} if self.options.get("g", "1") != "1" else self.options
        return replace(self, time_base=1 / rate, rate=rate, options=options)

    @property
    def heads(self) -> bytes | None:
        """Private data that a track of this coding begins with."""
        data: bytes | None = self.open().extradata
        return data

    def set_up(self, context: Any) -> None:
        """Tell an encoder all that this coding says."""
        context.width, context.height = self.size
        context.pix_fmt = self.layout
        context.time_base, context.framerate = self.time_base, self.rate
        if self.look.sar != 1:
            context.sample_aspect_ratio = self.look.sar
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = self.look.tags
        context.flags |= Flags.global_header | Flags.bitexact
        options = dict(self.options)
        options["chroma_sample_location"] = _SITES.get(self.look.siting, "unspecified")
        if self.codec == "h264":
            options |= {**repeatable(self.size[0]), "x264-params": f"sps-id={self.set_id}:annexb=0"}
        if self.codec == "hevc":
            options["x265-params"] = f"log-level=none:open-gop=0{options.pop('lossless', '')}"
        context.options = options


_SITES = {(0.0, 0.5): "left", (0.5, 0.5): "center", (0.0, 0.0): "topleft", (0.5, 0.0): "top"}


def coding_for(film: Film, look: FilmLook, wanted: FilmOptions, output: Path) -> tuple[FilmCoding, list[str]]:
    """The coding of a film and notes, a line each, on what it can not keep.

    Parameters
    ----------
    look : of the frames that are given to the encoder, in a format of `PLANAR`
    wanted : codec, quality, lossless; what is left open is the source's where it can be

    Raises
    ------
    MediaError if the container of `output` does not hold the codec.
    """
    kind = SUFFIXES[output.suffix.lower()]
    codec = wanted.codec or (film.codec if film.codec in CODECS and holds(kind, ENCODERS[film.codec]) else "h264")
    encoder, notes = ENCODERS[codec], []
    if not holds(kind, encoder):
        fit = " or ".join(end for end, other in SUFFIXES.items() if end != ".m4v" and holds(other, encoder))
        raise MediaError(
            f"{output}: {codec} does not go into '{output.suffix}'. Write a {fit}, or choose --codec h264."
        )
    if film.look.layout not in PLANAR:
        notes.append(f"{film.look.layout} is no planar Y'CbCr: the film becomes {look.layout}.")
    layout = look.layout if look.layout in KEPT[encoder] else _nearest(look.layout, encoder)
    if layout != look.layout:
        if wanted.lossless:
            raise MediaError(
                f"--lossless: {codec} has no {look.layout}, which the film is in. Use --codec ffv1 in a .mkv."
            )
        notes.append(f"{codec} has no {look.layout}: the film becomes {layout}.")
    across, down, _ = PLANAR[layout]
    if look.width % across or look.height % down:
        notes.append(f"{look.width}x{look.height}: {layout} has even sides, so the last line or column is left out.")
    return FilmCoding(codec, layout, look, film.time_base, film.rate, _quality(codec, layout, film.rate, wanted)), notes


def _quality(codec: str, layout: str, rate: Fraction, wanted: FilmOptions) -> dict[str, str]:
    crf, keys = f"{CRF if wanted.crf is None else wanted.crf:g}", str(max(1, round(KEY_SECONDS * float(rate))))
    if codec == "h264":
        level = {"qp": "0"} if wanted.lossless else {"crf": crf}
        return {"preset": "veryfast", "g": keys, **level}
    if codec == "hevc":
        level = {"lossless": ":lossless=1"} if wanted.lossless else {"crf": crf}
        return {"preset": "veryfast", "g": keys, **level}
    if codec == "prores":
        return {"profile": "4" if layout == "yuv444p10le" else "3", "vendor": "apl0"}  # 4444, or 422 HQ
    return {"level": "3", "coder": "1", "context": "1", "slices": "4", "slicecrc": "1", "g": "1"}


def _nearest(layout: str, encoder: str) -> str:
    """The format that an encoder takes and that loses least."""
    across, down, depth = PLANAR[layout]
    full = layout.startswith("yuvj")

    def loss(name: str) -> tuple[int, int, int, bool]:
        wide, high, bits = PLANAR[name]
        fewer, more = (wide > across) + (high > down), (across - wide) + (down - high)
        return fewer, max(0, depth - bits), abs(bits - depth) + more, name.startswith("yuvj") != full

    return min(KEPT[encoder], key=loss)


def holds(kind: str, encoder: str) -> bool:
    """Whether a container (libav's name) takes the packets of an encoder."""
    try:
        with av.open(io.BytesIO(), "w", format=kind) as container:
            container.add_stream(encoder)
    except (av.FFmpegError, ValueError):
        return False
    return True


def encoded(coding: FilmCoding, frames: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, bytes, bool]]:
    """Packets, as time of its picture, bytes and whether it is a key frame, of frames with their times in ticks."""
    context = coding.open()
    for at, frame in frames:
        for packet in context.encode(fitted(frame, coding, at)):
            yield packet.pts, bytes(packet), bool(packet.is_keyframe)
    for packet in context.encode(None):
        yield packet.pts, bytes(packet), bool(packet.is_keyframe)


def fitted(frame: Any, coding: FilmCoding, at: int) -> Any:
    """A frame as the encoder takes it, at a time; a new one where it has to change."""
    width, height = coding.size
    if frame.format.name != coding.layout or (frame.width, frame.height) != (width, height):
        matrix = coding.look.matrix
        if (frame.width, frame.height) != (width, height):
            frame = copied_frame(frame, coding.look.tags, width, height)
        if frame.format.name != coding.layout:
            frame = reformatted(frame, format=coding.layout, src_colorspace=matrix, dst_colorspace=matrix)
    frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc = coding.look.tags
    frame.pts, frame.time_base, frame.pict_type = at, coding.time_base, 0
    return frame
