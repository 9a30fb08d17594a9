"""A whole film written: its picture from parts, its new sound, and all else that its source has, as it was."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.errors import MediaError

from .decoding import address
from .encoding import FilmCoding
from .film import Film
from .packets import Coded
from .sound_coding import SoundCoding
from .subtitles import HEADER, TEXT, TEXT_OF, subtitle_packet, subtitle_text
from .writer import COMMENT

QUIET = ("tmcd",)
"""Tags of data tracks that the muxer makes itself of a film's metadata: time codes."""


@dataclass(frozen=True)
class NewSound:
    """The sound that is written: pieces float32 [channels, n] from the first picture on, and the track's tags."""

    pieces: Iterable[Array]
    coding: SoundCoding
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NewPicture:
    """The picture that is written.

    packets: in the order of decoding
    times, lengths: int64 [n], ticks of the pictures in the order in which they are shown
    late: ticks at which the first is shown
    reordered: most ticks by which a picture is decoded before it is its turn to be shown
    heads: private data of the codec, where it is not the encoder's alone
    """

    packets: Iterable[Coded]
    times: NDArray[np.int64]
    lengths: NDArray[np.int64]
    late: int
    reordered: int
    heads: bytes | None = None

    @property
    def end(self) -> int:
        """Ticks at which it ends."""
        return int(self.late + self.times[-1] + self.lengths[-1])


class FilmFile:
    """Writes a film beside its source.

    Parameters
    ----------
    path : of the file; kind : its container, in libav's words
    film : the source; coding : of the picture

    `notes` says, a line each, what did not go over.
    """

    def __init__(self, path: Path, kind: str, film: Film, coding: FilmCoding) -> None:
        self.path, self.kind, self.film, self.coding = path, kind, film, coding
        self.notes: list[str] = []

    def write(self, picture: NewPicture, sound: NewSound | None, replaced: int | None, kept: bool) -> None:
        """Write the file.

        Parameters
        ----------
        replaced : number of the source's sound track (from 0) that the new sound stands for, None where it has none
        kept : whether that track follows the new sound
        """
        options = {} if self.kind == "matroska" else {"movflags": "+faststart+use_metadata_tags"}
        end = float(picture.end * self.coding.time_base)
        with (
            self.film.open() as source,
            av.open(address(self.path), "w", format=self.kind, options=options) as target,
        ):
            target.flags |= av.container.core.Flags.bitexact.value
            self._describe(source, target, end)
            video = self._video(source, target, picture.heads)
            tracks = [_pictures(video, self.coding.time_base, picture)]
            if sound is not None:
                tracks.append(self._sound(target, sound, float(picture.late * self.coding.time_base), end))
            copies = self._copies(source, target, replaced, kept or sound is None)
            tracks.append(self._others(source, copies, end))
            for _, packet in heapq.merge(*tracks, key=lambda pair: pair[0]):
                target.mux(packet)

    def _describe(self, source: Any, target: Any, end: float) -> None:
        """Title and all other metadata, and the chapters that begin before the end."""
        target.metadata.update(source.metadata)
        told = target.metadata.get("comment")
        target.metadata["comment"] = f"{told}; {COMMENT}" if told and COMMENT not in told else COMMENT
        chapters = []
        for chapter in source.chapters():
            base = chapter["time_base"] or Fraction(1, av.time_base)
            if chapter["start"] * base < end:
                last = min(chapter["end"], int(Fraction(end) / base))
                chapters.append({**chapter, "end": max(last, chapter["start"] + 1)})
        if chapters:
            target.set_chapters(chapters)

    def _video(self, source: Any, target: Any, heads: bytes | None) -> Any:
        """The track of pictures: like the source's where its codec is kept, so that its side data are, too."""
        origin = source.streams.video[0]
        if self.film.codec == self.coding.codec and self.film.look.layout == self.coding.layout:
            track = target.add_stream_from_template(origin, opaque=True)
            track.codec_context.extradata = heads if heads is not None else self.coding.heads
            track.codec_context.width, track.codec_context.height = self.coding.size
        else:
            track = target.add_stream(self.coding.encoder, rate=self.coding.rate)
            self.coding.set_up(track.codec_context)
            if self.film.look.turns:
                self._turn(track)
        sar = self.coding.look.sar
        if sar != 1:  # which a codec need not know of
            track.codec_context.sample_aspect_ratio = sar
        if sar != 1 and self.kind == "matroska" and self.coding.codec in ("prores", "ffv1"):
            self.notes.append(
                f"{self.coding.codec} in .mkv does not hold the shape of pixels, {sar}. Use --codec h264."
            )
        track.time_base = self.coding.time_base
        if self.coding.codec == "hevc" and self.kind != "matroska":
            track.codec_context.codec_tag = "hvc1"
        _tell(track, origin)
        return track

    def _turn(self, track: Any) -> None:
        """Tell a track of another codec how its pictures are turned."""
        if hasattr(track, "set_display_rotation"):
            track.set_display_rotation(90 * self.film.look.turns)
        else:
            self.notes.append("this PyAV can not turn a film of another codec. pip install -U av, or keep the codec.")

    def _sound(self, target: Any, sound: NewSound, late: float, end: float) -> Iterator[tuple[float, Any]]:
        track = sound.coding.add_to(target)
        track.metadata.update(sound.tags)
        track.disposition = Disposition.default
        return sound.coding.packets(track, sound.pieces, late, end)

    def _copies(self, source: Any, target: Any, replaced: int | None, kept: bool) -> dict[int, _Copy]:
        """Tracks of the source that go on into the target, by their number."""
        audio = list(source.streams.audio)
        main = audio[replaced] if replaced is not None and replaced < len(audio) else None
        order = list(source.streams)
        if main is not None:
            order.remove(main)
            order = ([main] if kept else []) + order
        copies = {}
        for stream in order:
            if stream.index == source.streams.video[0].index:
                continue
            copy = self._copy(target, stream)
            if copy is None:
                continue
            if main is not None and stream is main:
                copy.track.disposition = stream.disposition & ~Disposition.default
            copies[stream.index] = copy
        return copies

    def _copy(self, target: Any, stream: Any) -> _Copy | None:
        """A track for a stream's packets; None, with a note, where the container does not hold them."""
        name = stream.codec_context.name if stream.codec_context is not None else ""
        if stream.type == "subtitle" and name in TEXT and not _fits(self.kind, stream):
            codec = TEXT_OF[self.kind]
            track = target.add_stream(codec)
            track.codec_context.subtitle_header = HEADER
            track.time_base = stream.time_base
            _tell(track, stream)
            return _Copy(track, name, codec)
        if not _fits(self.kind, stream):
            if getattr(stream, "codec_tag", "") not in QUIET and stream.type != "data":
                self.notes.append(
                    f"track {stream.index} ({name or stream.type}) does not go into {self.kind}: left out."
                )
            return None
        track = target.add_stream_from_template(stream, opaque=True)
        _tell(track, stream)
        return _Copy(track)

    def _others(self, source: Any, copies: dict[int, _Copy], end: float) -> Iterator[tuple[float, Any]]:
        """Packets of the copied tracks up to the end, on the film's clock."""
        wanted = [stream for stream in source.streams if stream.index in copies and stream.type != "attachment"]
        last = 0.0
        for packet in source.demux(wanted) if wanted else ():
            if not packet.size:
                continue
            base = packet.time_base
            shift = round(self.film.start * self.film.time_base / base)
            stamp = packet.dts if packet.dts is not None else packet.pts
            if stamp is None or (stamp - shift) * base >= end:
                continue
            made = copies[packet.stream_index].packet(packet, shift)
            last = max(last, float((stamp - shift) * base))
            yield last, made


@dataclass(frozen=True)
class _Copy:
    """A track that gets the packets of one of the source; the words of subtitles from one codec to another."""

    track: Any
    codec: str = ""
    becomes: str = ""

    def packet(self, packet: Any, shift: int) -> Any:
        if self.becomes:
            made = av.Packet(subtitle_packet(subtitle_text(bytes(packet), self.codec), self.becomes))
            made.duration, made.is_keyframe = packet.duration, True
            made.pts, made.dts, made.time_base = packet.pts, packet.pts, packet.time_base
            packet = made
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = self.track
        return packet


def _tell(track: Any, origin: Any) -> None:
    """Language, title, and what a track is for."""
    tags = dict(origin.metadata)
    if "name" in tags:  # what mp4 calls a title
        tags.setdefault("title", tags.pop("name"))
    track.metadata.update(tags)
    track.disposition = origin.disposition


def _fits(kind: str, stream: Any) -> bool:
    """Whether a container holds a stream's packets as they are."""
    if stream.type == "data" or (stream.type == "attachment" and kind != "matroska"):
        return False
    try:
        with av.open(io.BytesIO(), "w", format=kind) as container:
            container.add_stream_from_template(stream, opaque=True)
            container.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _pictures(track: Any, base: Fraction, picture: NewPicture) -> Iterator[tuple[float, Any]]:
    """Packets of the picture; they are decoded in the order of their times, as much earlier as is needed."""
    for turn, coded in enumerate(picture.packets):
        made = av.Packet(coded.data)
        made.stream, made.time_base = track, base
        made.pts = coded.at + picture.late
        made.dts = int(picture.times[turn]) - picture.reordered + picture.late
        made.duration = int(picture.lengths[np.searchsorted(picture.times, coded.at)])
        made.is_keyframe = coded.key
        yield float(made.dts * base), made
    if picture.times.size != turn + 1:
        raise MediaError("the parts of the film do not fit together. Delete the hidden job folder, and start again.")
