"""A film that gets new words, from its source and the sound to the file: all but what is drawn."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from speechhead.audio.ear import EarSound, spliced
from speechhead.audio.face_sound import FaceSound
from speechhead.core.arrays import Array
from speechhead.core.disk import reason
from speechhead.core.errors import AudioError, ControlError, MediaError
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import Progress, RenderOptions
from speechhead.media.encoding import coding_for
from speechhead.media.film import Film
from speechhead.media.film_file import NewSound
from speechhead.media.image import Picture
from speechhead.media.packets import FilmIndex
from speechhead.media.sound_coding import SoundCoding
from speechhead.media.view import as_picture_of, plain_frame, plain_look, upright_size
from speechhead.media.writer import SUFFIXES, Watermark

from .filming import Draw, Shooting, shoot
from .job import FilmJob
from .timeline import Timeline, at_rate, timeline
from .track import note_speakers

log = logging.getLogger("speechhead")

CUT_OFF = 0.05
"""Part of a film's length that its pictures may lack without a note."""

FADE = 0.01
"""Seconds in which a film's own sound goes over into that of a passage."""

EARLY = 1e-9
"""Seconds that a time may be early by rounding."""


class Reel:
    """A source film, the sound it is to speak, and what is known of both before anything is drawn.

    Raises
    ------
    MediaError if the film can not be read or is interlaced; AudioError for the sound; ControlError for a passage that
    is not in the film.
    """

    def __init__(self, source: str | Path, audio: str | Path, options: RenderOptions, wanted: FilmOptions) -> None:
        self.film, self.options, self.wanted = Film(source), options, wanted
        if self.film.interlaced:
            raise MediaError(
                f"{source}: is interlaced: each of its pictures holds two moments. De-interlace it first, as with "
                f"ffmpeg -i IN -vf bwdif OUT."
            )
        if wanted.passage and options.fps is not None:
            raise ControlError(f"fps {options.fps:g}: with --from or --to a film keeps its times. Leave fps out.")
        self.audio, self.speech = Path(audio), FaceSound.of(audio, options.speaker)
        note_speakers(audio, options.speaker)
        self.begin = wanted.since or 0.0
        length = self.film.duration
        if length is not None and self.begin >= length:
            raise ControlError(f"--from {self.begin:g}: the film ends at {length:.2f} s. Give an earlier time.")
        self.index = FilmIndex.of(self.film)
        if self.index is not None:
            self.film.remember(map(int, np.sort(self.index.at[self.index.keys])))
        self._first = 0
        self._noted: list[tuple[int, int]] = []

    @property
    def fps(self) -> float:
        """Pictures per second, in the mean."""
        return float(self.film.rate)

    @property
    def until(self) -> float:
        """Seconds since the first picture at which no picture speaks any more."""
        if self.wanted.passage:
            return self.begin + self.speech.seconds if self.wanted.until is None else self.wanted.until
        return np.inf if self.wanted.way == "keep" else self.speech.seconds

    def pictures(self) -> Iterator[Picture]:
        """The pictures that may speak, upright, with square pixels: they are numbered from 0 in what is drawn."""
        base, number = float(self.film.time_base), 0
        start = 0
        if self.wanted.passage and self.index is not None:
            self._first = int(np.searchsorted(self.index.times * base, self.begin - EARLY))
            self._first = min(self._first, len(self.index.times) - 1)
            start = int(self.index.times[self._first])
        for at, length, frame in self._decoded(start):
            over = at * base >= self.until - EARLY
            if over and number and not (self.wanted.passage and self.index is None):
                return
            self._noted.append((at, length))
            if at * base < self.begin - EARLY and self.index is None:
                self._first += 1
            elif not (over and number):
                number += 1
                yield as_picture_of(*plain_frame(frame, self.film.look))

    def _decoded(self, start: int) -> Iterator[tuple[int, int, Any]]:
        """Frames with their times; a damaged tail is cut off, a damaged whole is an error."""
        end = None
        try:
            for at, length, shown in self.film.frames(start):
                yield at, length, shown.frame
                end = float((at + length) * self.film.time_base)
        except (av.FFmpegError, OSError) as error:
            why = reason(error)
            if end is None:
                raise MediaError(f"{self.film.path}: can not be decoded ({why}). Use an intact file.") from error
            log.warning("%s: can not be decoded after %.2f s (%s), and ends there.", self.film.path, end, why)
            return
        told = self.film.duration or 0.0
        if end is not None and end < told - max(1.0, CUT_OFF * told):
            log.warning("%s: its pictures end at %.2f s, though the file says %.2f s.", self.film.path, end, told)

    def write(self, job: FilmJob, drawn: NDArray[np.bool_], draw: Draw, progress: Progress | None) -> None:
        """Write the film.

        Parameters
        ----------
        drawn : bool [n], which of `pictures` are changed
        draw : what does it, by the picture, its number among them, and the seconds of the new sound
        """
        line, times = self._line()
        coding, notes = coding_for(self.film, plain_look(self.film.look), self.wanted, job.output)
        if line.base != coding.time_base:
            coding = coding.at_rate(1 / line.base)
        edited = np.zeros(len(times), bool)
        edited[self._first : self._first + len(drawn)] = drawn[: len(times) - self._first]
        seconds = line.at * float(line.base)
        edited = edited[line.source] & (seconds >= self.begin - EARLY) & (seconds < self.until - EARLY)
        mark = None
        if self.options.watermark:
            height, width = upright_size(self.film.look)
            mark = Watermark(self.options.watermark, width, height)
        shooting = Shooting(self.film, times, line, edited, self._shown(draw), coding, self.index, mark)
        sound, replaced = self._sound(job.output, line, coding.codec)
        notes += shoot(shooting, job, sound, (replaced, self.wanted.keep_audio), progress)
        for note in notes:
            log.warning("%s: %s", job.output, note)

    def _shown(self, draw: Draw) -> Draw:
        first, begin = self._first, self.begin
        return lambda picture, number, seconds: draw(picture, number - first, seconds - begin)

    def _line(self) -> tuple[Timeline, NDArray[np.int64]]:
        """When which picture is shown, and the times of the source's pictures."""
        noted = np.array(self._noted, np.int64).reshape(-1, 2)
        times, lengths = noted[:, 0], noted[:, 1]
        if self.index is not None and not np.array_equal(times, self.index.times[self._first :][: len(times)]):
            if self._first:
                raise MediaError(f"{self.film.path}: its packets do not tell its pictures. Convert it to mp4 or mkv.")
            self.index = None
        if self.index is not None:
            own = self.index.lengths(int(lengths[-1]))
            if self.wanted.passage:
                times, lengths = self.index.times, own
            else:
                lengths = own[: len(times)]
        seconds = None if self.wanted.way == "keep" else self.speech.seconds
        line = timeline(times, lengths, self.film.time_base, seconds, self.wanted.way)
        return (line if self.options.fps is None else at_rate(line, self.options.fps)), times

    def _sound(self, output: Path, line: Timeline, codec: str) -> tuple[NewSound, int | None]:
        """The sound of the film, and which of the source's tracks it stands for."""
        kind = SUFFIXES[output.suffix.lower()]
        lossless = self.wanted.lossless or codec in ("prores", "ffv1")
        new = EarSound.of(self.audio)
        try:
            own: EarSound | None = EarSound.of(self.film.path)
        except AudioError:
            own = None
        number = None if own is None else own.number
        if not self.wanted.passage:
            coding = SoundCoding.of(kind, new.layout, new.rate, lossless)
            return NewSound(new.pieces(coding.rate, coding.layout), coding, new.language), number
        like = own or new
        coding = SoundCoding.of(kind, like.layout, like.rate, lossless)
        length = float(line.end * line.base)
        first, last = round(self.begin * coding.rate), round(min(self.until, length) * coding.rate)
        film = _endless(own.pieces(coding.rate, coding.layout) if own else iter(()), coding.channels)
        passage = new.pieces(coding.rate, coding.layout)
        return NewSound(spliced(film, passage, first, last, round(FADE * coding.rate)), coding, like.tags), number


def _endless(pieces: Iterator[Array], channels: int) -> Iterator[Array]:
    yield from pieces
    while True:
        yield np.zeros((channels, 48_000), np.float32)
