"""The frames of a video from any moment on, each with the time at which it is shown: the same ones by every way."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.logging

from speechhead.core.clocks import FPS
from speechhead.core.disk import reason
from speechhead.core.errors import MediaError
from speechhead.core.stand_ins import refuse_stand_in

from .image import is_heic

_COUNTED = {"avi"}
"""Containers that number their packets and store no time to show a frame at."""

_FIRST_LEAD = 0.5
"""Seconds by which a search starts earlier after it has come out late; doubled each time."""

_MARKS = 0.5
"""Seconds between the key frames that are remembered: an hour of them is a few thousand numbers."""


@dataclass(frozen=True)
class Shown:
    """A decoded frame, the seconds from the video's beginning at which it is shown, and for how many."""

    frame: Any
    time: float
    length: float


class Decoder:
    """Decodes the first video track of a file.

    A container without an index (MPEG transport and program streams) is searched by guesses, which come out
    anywhere, at times with wrong times. So the key frames that are met from the beginning on are remembered, and a
    search counts only where it meets one of them in time. Otherwise it starts earlier, at last at the beginning.

    Raises
    ------
    MediaError if the file is missing, damaged, or has no video track.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.opened() as container:
            stream = container.streams.video[0]
            self.rate = float(stream.average_rate or stream.guessed_rate or FPS)
            self._counted = container.format.name in _COUNTED
            start = None if self._counted else stream.start_time
            self._origin = None if start is None else float(start * stream.time_base)
        self._marks: set[int] = set()
        self._marked = -math.inf
        self._ordered = True
        self._lead = 0.0

    def first(self) -> Shown:
        """The first frame.

        Raises
        ------
        MediaError if there is none that can be decoded.
        """
        try:
            found = next(self.shown_from(0), None)
        except (av.FFmpegError, OSError) as error:
            raise MediaError(f"{self.path}: can not be decoded ({reason(error)}). Use an intact file.") from error
        if found is None:
            raise MediaError(f"{self.path}: the video has no readable picture. Use an intact video file.")
        return found

    def shown_from(self, time: float) -> Iterator[Shown]:
        """Frames in the order in which they are shown; the first of them at `time` or before, if there is one.

        Parameters
        ----------
        time : seconds from the video's beginning
        """
        lead = self._lead
        while self._ordered and time - lead > _MARKS:
            with self.opened() as container:
                frames, first = self._clock(container, time - lead, time), None
                with contextlib.suppress(av.FFmpegError, OSError):  # not all can be searched
                    first = next(frames, None)
                if first is not None:
                    self._lead = lead
                    yield first
                    yield from frames
                    return
            lead = max(_FIRST_LEAD, 2 * lead)
        with self.opened() as container:
            yield from self._clock(container)

    def remember(self, stamps: Iterable[int]) -> None:
        """Times of key frames on the file's own clock that are known without decoding, in order."""
        self._marks.update(stamps)

    def first_tick(self, stream: Any) -> int:
        """The time at which the first frame is shown, on the file's own clock."""
        return 0 if self._origin is None else round(self._origin / stream.time_base)

    def opened(self) -> Any:
        """The file, opened anew; errors as of the class."""
        silence()
        if not self.path.is_file():
            raise MediaError(f"{self.path}: no such video. Check the path.")
        try:
            container = av.open(address(self.path))
        except (av.FFmpegError, OSError, ValueError) as error:
            refuse_stand_in(self.path, MediaError)
            raise MediaError(f"{self.path}: not a readable video ({reason(error)}). Use an mp4 file.") from error
        still = container.format.name.endswith("_pipe") or container.format.name == "image2" or is_heic(self.path)
        if still or not container.streams.video:
            container.close()
            what = "is a picture, not a video. Use a video" if still else "has no video track. Use a video or a picture"
            raise MediaError(f"{self.path}: {what}.")
        return container

    def _clock(self, container: Any, start: float | None = None, latest: float = 0.0) -> Iterator[Shown]:
        """Frames from the beginning, or from the remembered one that a search for `start` s meets before `latest` s.

        A frame without a time, or with one that does not come after the last frame's, follows the last frame.
        """
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        if start is not None:
            container.seek(int((start + (self._origin or 0.0)) / stream.time_base), stream=stream, backward=True)
        met, last, follows = start is None, -math.inf, 0.0
        for frame in container.decode(stream):
            stamp = frame.dts if self._counted else frame.pts
            time = follows if stamp is None else float(stamp * frame.time_base) - (self._origin or 0.0)
            if not met and time > latest:
                return
            met = met or (frame.key_frame and stamp in self._marks)
            if not met:
                continue
            if self._origin is None:
                self._origin, time = time, 0.0
            if time <= last:
                self._ordered = self._ordered and time > last - _MARKS  # a clock that starts anew can not be searched
                time, stamp = follows, None
            if start is None and stamp is not None and frame.key_frame and time >= self._marked + _MARKS:
                self._marks.add(stamp)
                self._marked = time
            length = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
            length = length or 1 / self.rate
            last, follows = time, time + length
            yield Shown(frame, time, length)


def address(path: Path) -> str:
    """A file as libav takes it: what comes before a colon in its name is no protocol then."""
    return f"file:{path}"


def silence() -> None:
    """Keep libav quiet.

    Not through Python's logging: a codec's thread that logs waits for the interpreter, which may be waiting for
    that thread (PyAV issue 751).
    """
    av.logging.set_level(None)
