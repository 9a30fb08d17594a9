"""A film written in parts: decoded, drawn and encoded in bounded memory, each part on disk when it is finished."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from speechhead.core.disk import reason
from speechhead.core.errors import MediaError
from speechhead.core.options import Progress
from speechhead.core.threads import WORKERS, in_order
from speechhead.media.encoding import FilmCoding, encoded
from speechhead.media.film import Film
from speechhead.media.film_file import FilmFile, NewPicture, NewSound
from speechhead.media.image import Picture
from speechhead.media.joining import ParameterSets
from speechhead.media.packets import Coded, FilmIndex, copied_packets, part_times, read_part, write_part
from speechhead.media.view import as_picture_of, changed_frame, copied_frame, plain_frame
from speechhead.media.writer import SUFFIXES, Watermark

from .job import FilmJob
from .timeline import Part, Timeline, parts

log = logging.getLogger("speechhead")

PART_SECONDS = 8.0
"""Length of a part, or up to twice of it: so much work is lost with a crash."""

BACKWARD_BYTES = 192 << 20
"""Decoded frames that are held where a film is played backward."""

Draw = Callable[[Picture, int, float], Picture]
"""A picture of the film, its number in the source, and the seconds since the film's beginning: the picture to show."""


@dataclass(frozen=True)
class Shooting:
    """What a film is made of.

    times: int64 [n], ticks of the source's pictures; edited: bool, of each entry of the timeline
    index: of the source's packets, where they tell what is shown; joins: groups of pictures may be copied
    mark: a text in every picture
    """

    film: Film
    times: NDArray[np.int64]
    line: Timeline
    edited: NDArray[np.bool_]
    draw: Draw
    coding: FilmCoding
    index: FilmIndex | None = None
    mark: Watermark | None = None
    joins: bool = True

    @property
    def touched(self) -> NDArray[np.bool_]:
        """Entries whose picture changes."""
        return self.edited | (self.mark is not None)


def shoot(
    shooting: Shooting,
    job: FilmJob,
    sound: NewSound | None,
    replaced: tuple[int | None, bool],
    progress: Progress | None,
) -> list[str]:
    """Write the film of a job; notes, a line each.

    Parameters
    ----------
    replaced : the source's sound track that the new one stands for, and whether it is kept
    """
    given = shooting
    shooting, heads = _copyable(given)
    cuts = shooting.index.cuts() if shooting.index is not None else None
    whole = parts(shooting.line, shooting.touched, cuts, PART_SECONDS)
    if heads is not None and not any(part.copied for part in whole):
        return shoot(replace(given, index=None, joins=False), job, sound, replaced, progress)
    done = sum(part.last - part.first for part in whole if part.copied)
    found = sum(not part.copied and _file(job, shooting, part).exists() for part in whole)
    if found:
        log.warning("%s: goes on after %d finished parts.", job.output, found)
    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            for part in whole:
                if part.copied:
                    continue
                if not _file(job, shooting, part).exists():
                    counted = _counted(_drawn(shooting, part, pool), done, len(shooting.line), progress)
                    write_part(_file(job, shooting, part), map(Coded._make, encoded(shooting.coding, counted)))
                done += part.last - part.first
        kind = SUFFIXES[job.output.suffix.lower()]
        file = FilmFile(job.whole, kind, shooting.film, shooting.coding)
        file.write(_picture(shooting, whole, job, heads), sound, *replaced)
        if heads is not None and not _decodes(job.whole, shooting, whole):
            log.warning("%s: copied groups of pictures do not decode beside new ones, so all is encoded.", job.output)
            return shoot(replace(given, index=None, joins=False), job, sound, replaced, progress)
        os.replace(job.whole, job.output)
    except (OSError, av.FFmpegError) as error:
        raise MediaError(f"{job.output}: {reason(error)}. Choose another output.") from error
    return file.notes


def _file(job: FilmJob, shooting: Shooting, part: Part) -> Path:
    return job.part(f"{part.first:08d}-{part.last:08d}-{shooting.coding.set_id}")


def _counted(
    frames: Iterator[tuple[int, Any]], done: int, total: int, progress: Progress | None
) -> Iterator[tuple[int, Any]]:
    for number, pair in enumerate(frames, done + 1):
        yield pair
        if progress:
            progress(number, total)


def _drawn(shooting: Shooting, part: Part, pool: ThreadPoolExecutor) -> Iterator[tuple[int, Any]]:
    """Times and frames of a part, drawn."""
    film, line = shooting.film, shooting.line

    def draw(entry: int, frame: Any) -> tuple[int, Any]:
        frame, look = plain_frame(frame, film.look)
        if shooting.edited[entry] or shooting.mark is not None:
            picture = shown = as_picture_of(frame, look)
            if shooting.edited[entry]:
                shown = shooting.draw(picture, int(line.source[entry]), line.seconds(entry))
            if shooting.mark is not None:
                shown = shooting.mark.draw(shown)
            frame = changed_frame(frame, look, picture, shown)
        return int(line.at[entry]), frame

    return in_order(pool, draw, frames_of(film, shooting.times, line, part))


def frames_of(film: Film, times: NDArray[np.int64], line: Timeline, part: Part) -> Iterator[tuple[int, Any]]:
    """Entries of a part, which run in one direction, with their frames; few are held."""
    source = line.source[part.first : part.last]
    if len(source) < 2 or source[-1] >= source[0]:
        yield from _upward(film, times, enumerate(map(int, source), part.first))
        return
    size = film.look.width * film.look.height * (6 if "p1" in film.look.layout else 3)
    held = max(2, BACKWARD_BYTES // size)
    for start in range(0, len(source), held):
        block = source[start : start + held]
        numbered = list(enumerate(map(int, block), part.first + start))
        yield from reversed(list(_upward(film, times, iter(numbered[::-1]))))


def _upward(film: Film, times: NDArray[np.int64], wanted: Iterator[tuple[int, int]]) -> Iterator[tuple[int, Any]]:
    first = next(wanted, None)
    if first is None:
        return
    entry, number = first
    frames = film.frames(int(times[number]))
    at, frame = -1, None
    while True:
        again = at >= times[number]
        while at < times[number]:
            found = next(frames, None)
            if found is None:
                break
            at, frame = found[0], found[2].frame
        if frame is None:
            raise MediaError(f"{film.path}: can not be decoded. Use an intact file.")
        # A frame may be drawn and encoded while the next is read, so a picture that is shown twice is two frames.
        yield entry, copied_frame(frame, film.look.tags) if again else frame
        after = next(wanted, None)
        if after is None:
            return
        entry, number = after


def _copyable(shooting: Shooting) -> tuple[Shooting, bytes | None]:
    """A shooting whose index is there only if packets of the source can stand beside new ones; the heads of both."""
    film, coding, index = shooting.film, shooting.coding, shooting.index
    same = film.codec == coding.codec and film.look.layout == coding.layout
    same &= coding.size == (film.look.width, film.look.height) and coding.time_base == film.time_base
    if not shooting.joins or not same or shooting.touched.all():
        return replace(shooting, index=None), None
    if index is None:
        log.warning("%s: its packets do not tell which pictures a group holds, so all is encoded.", film.path)
        return shooting, None
    with film.open() as container:
        data = container.streams.video[0].codec_context.extradata
    if coding.codec == "h264":
        own = ParameterSets.read(data)
        if own is None:
            return replace(shooting, index=None), None
        coding = replace(coding, set_id=own.free_number)
        new = ParameterSets.read(coding.heads)
        if new is not None and new.predictive != own.predictive:  # players go from one to the other in wrong colours
            log.warning("%s: groups with and without loss can not stand side by side, so all is encoded.", film.path)
            return replace(shooting, index=None), None
        return replace(shooting, coding=coding), None if new is None else own.joined(new)
    if coding.codec == "hevc" or (coding.codec == "ffv1" and data != coding.heads):
        log.warning("%s: %s does not join groups of two encoders, so all is encoded.", film.path, coding.codec)
        return replace(shooting, index=None), None
    return shooting, data or b""


def _picture(shooting: Shooting, whole: list[Part], job: FilmJob, heads: bytes | None) -> NewPicture:
    """All packets in the order of decoding, and how far that runs ahead of the order in which they are shown."""
    line, order = shooting.line, []
    for part in whole:
        if not part.copied:
            order.append(part_times(_file(job, shooting, part)))
        elif shooting.index is not None:
            span = shooting.index.times[part.first], shooting.index.times[part.last - 1]
            order.append(shooting.index.at[(shooting.index.at >= span[0]) & (shooting.index.at <= span[1])])
    decoded = np.concatenate(order)
    if len(decoded) != len(line) or not np.array_equal(np.sort(decoded), line.at):
        raise MediaError(f"{job.output}: its parts do not fit together. Remove {job.folder}, and start again.")
    late = round(shooting.film.late * shooting.film.time_base / line.base)

    def packets() -> Iterator[Coded]:
        for part in whole:
            if not part.copied:
                yield from read_part(_file(job, shooting, part))
            elif shooting.index is not None:
                yield from copied_packets(shooting.film, shooting.index, part.first, part.last)

    return NewPicture(packets(), line.at, line.lengths, late, int((line.at - decoded).max()), heads)


def _decodes(path: Path, shooting: Shooting, whole: list[Part]) -> bool:
    """Whether the pictures on both sides of every join come out, at their times."""
    written = Film(path)
    base = written.time_base
    for before, after in zip(whole, whole[1:]):
        if before.copied == after.copied:
            continue
        around = shooting.line.at[max(before.first, after.first - 2) : after.first + 2]
        wanted = [round(at * shooting.line.base / base) for at in map(int, around)]
        found: list[int] = []
        try:
            for at, _, shown in written.frames(max(0, wanted[0] - 1)):
                if shown.frame.is_corrupt:
                    return False
                found.append(at)
                if at >= wanted[-1]:
                    break
        except (av.FFmpegError, OSError):
            return False
        if any(min(abs(at - each) for each in found) > 1 for at in wanted) if found else True:
            return False
    return True
