"""A film with new words in forms that films are not written as: frames, GIF, WebM, and the new mouth alone."""

from __future__ import annotations

import tempfile
import threading
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from speechhead.audio.ear import EarSound
from speechhead.core.clocks import FPS
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError, MediaError
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import Progress, RenderOptions
from speechhead.media.formats import open_writer
from speechhead.media.image import read_picture
from speechhead.media.reader import VideoReader
from speechhead.media.targets import is_frames
from speechhead.media.writer import AUDIO_RATE, SUFFIXES

from .patch import Patch
from .redub import redub
from .scratch import told_of_scratch


def redub_into(
    source: str | Path,
    audio: str | Path,
    target: Path,
    options: RenderOptions,
    controls: Controls,
    progress: Progress | None,
    film: FilmOptions,
    alpha: bool,
) -> Path:
    """Re-lip-sync a film, or frames of one, into any form; see `redub`, which this goes through without loss.

    Parameters
    ----------
    source : video, or a pattern of frames (frames/%05d.png), which are shown at options.fps, or 25 a second
    alpha : write the new mouths alone, all else transparent: to be laid over the film
    """
    with told_of_scratch(), tempfile.TemporaryDirectory(prefix="speechhead-film-") as name:
        folder = Path(name)
        if is_frames(Path(source)):
            source = film_of_frames(Path(source), options.fps or FPS, folder / "frames.mkv")
        if target.suffix.lower() in SUFFIXES and not alpha:
            return redub(source, audio, target, options, controls, progress, film)
        if film.codec is not None or film.crf is not None:
            raise MediaError(f"{target}: codec and crf are for {', '.join(SUFFIXES)}. Leave them out.")
        with PatchFile(folder / "patches", film.since or 0.0) as patches:
            lossless = replace(film, lossless=True)
            watch = patches.keep if alpha else None
            made = redub(source, audio, folder / "film.mkv", options, controls, progress, lossless, watch)
            return converted(made, target, patches if alpha else None)


def film_of_frames(pattern: Path, fps: float, path: Path) -> Path:
    """A film without loss of the frames that a pattern names, in the order of their numbers."""
    head, _, tail = pattern.name.partition("%")
    tail = tail.partition("d")[2]
    found = [
        (int(number), file)
        for file in pattern.parent.glob("*.png")
        if file.name.startswith(head)
        and file.name.endswith(tail)
        and (number := file.name[len(head) : len(file.name) - len(tail)]).isdecimal()
    ]
    if not found:
        raise MediaError(f"{pattern}: there are no such frames. Check the folder, and the pattern of their names.")
    with av.open(str(path), "w") as container:
        stream: Any = None
        for _, file in sorted(found):
            picture = read_picture(file)[0]
            height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
            if stream is None:
                stream = container.add_stream("ffv1", rate=Fraction(fps).limit_denominator(1001))
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
                stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
                stream.codec_context.color_primaries = stream.codec_context.color_trc = 1
            elif (width, height) != (stream.width, stream.height):
                raise MediaError(f"{file}: is {width}x{height}, the first frame {stream.width}x{stream.height}. "
                                 f"Give frames of one size.")  # fmt: skip
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv444p", dst_colorspace="ITU709")))
        container.mux(stream.encode(None))
    return path


def converted(film: Path, target: Path, patches: PatchFile | None) -> Path:
    """A film's pictures and its sound in the form that the target's name asks for; with `patches` these alone."""
    reader = VideoReader(film)
    try:
        ear: EarSound | None = EarSound.of(film)
    except AudioError:
        ear = None
    layout = "mono" if ear is None or av.AudioLayout(ear.layout).nb_channels == 1 else "stereo"
    rate = None if ear is None else AUDIO_RATE
    size = reader.width, reader.height
    with open_writer(target, size, reader.fps, rate, alpha=patches is not None, layout=layout) as writer:
        for piece in ear.pieces(AUDIO_RATE, layout) if ear is not None else ():
            writer.write_audio(piece)
        for number, picture in enumerate(reader.frames()):
            if patches is None:
                writer.write(picture)
                continue
            share = patches.at(number / reader.fps, 0.5 / reader.fps, picture.shape[:2])
            writer.write(np.dstack([np.where(share[..., None] > 0, picture, 0), share]))
    return target


class _Kept(NamedTuple):
    offset: int
    length: int
    left: int
    top: int
    shape: tuple[int, int]


class PatchFile:
    """Weights of patches by the second at which they are shown, on disk; a context manager.

    Parameters
    ----------
    begin : seconds of the film at which the new sound begins
    """

    def __init__(self, path: Path, begin: float) -> None:
        self._path, self._begin = path, begin
        self._kept: dict[float, list[_Kept]] = {}
        self._order: list[float] = []
        self._lock = threading.Lock()

    def __enter__(self) -> PatchFile:
        self._file = self._path.open("w+b")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def keep(self, seconds: float, patches: Sequence[Patch]) -> None:
        """The patches of a picture, `seconds` after the new sound began."""
        held = []
        for patch in patches:
            data = zlib.compress(np.round(patch.weight * 255).astype(np.uint8).tobytes(), 1)
            with self._lock:
                offset = self._file.seek(0, 2)
                self._file.write(data)
            held.append(_Kept(offset, len(data), patch.left, patch.top, (len(patch.weight), patch.weight.shape[1])))
        self._kept[seconds + self._begin] = held

    def at(self, seconds: float, near: float, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """How much of each pixel is new, uint8 [H, W], in the picture that is shown within `near` of a time."""
        share = np.zeros(shape, np.uint8)
        for kept in self._near(seconds, near):
            self._file.seek(kept.offset)
            weight = np.frombuffer(zlib.decompress(self._file.read(kept.length)), np.uint8).reshape(kept.shape)
            blank = np.zeros((*kept.shape, 3), np.uint8)
            part = Patch(kept.left, kept.top, blank, weight.astype(np.float32)).within(shape[1], shape[0])
            if part is not None:
                height, width = part.weight.shape
                where = slice(part.top, part.top + height), slice(part.left, part.left + width)
                share[where] = np.maximum(share[where], part.weight.astype(np.uint8))
        return share

    def _near(self, seconds: float, near: float) -> list[_Kept]:
        if len(self._order) != len(self._kept):
            self._order = sorted(self._kept)
        place = bisect_left(self._order, seconds)
        close = [key for key in self._order[max(0, place - 1) : place + 1] if abs(key - seconds) <= near]
        return self._kept[min(close, key=lambda key: abs(key - seconds))] if close else []
