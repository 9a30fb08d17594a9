"""Videos read: any file, upright, at one frame rate."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from speechhead.core.disk import reason
from speechhead.core.errors import MediaError
from speechhead.core.options import RATES

from .decoding import Decoder
from .film import look_of
from .image import Picture
from .view import as_picture_of, upright_size

PROBED = 5000
"""Packets that tell whether pictures come evenly."""

HELD_BYTES = 192 << 20
"""Pictures that are held where a video is played backward."""

UNEVEN = 1.5
"""A picture that is shown so many times as long as most is none of a constant rate; one that is missing is."""


class VideoReader:
    """Reads the pictures of a video, upright, with square pixels, at a constant frame rate.

    Parameters
    ----------
    path : any video that PyAV reads
    fps : frames per second of the pictures given out; the video's own if None: its average, or where its pictures come
        unevenly the rate at which they come closest, at most 120

    Raises
    ------
    MediaError if the file is missing, damaged, or has no video track.
    """

    def __init__(self, path: str | Path, fps: float | None = None) -> None:
        self.path = Path(path)
        self._decoder = Decoder(self.path)
        first = self._decoder.first()
        with self._decoder.opened() as container:
            self._look = look_of(container.streams.video[0], first.frame)
            own = fps or _own_rate(container, self._decoder.rate)
        self.fps = float(min(own, RATES[1]))
        self.height, self.width = upright_size(self._look)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Picture]:
        """Pictures uint8 [H, W, 3] number `start` up to `stop` (to the end if None); each stands for 1 / fps s."""
        index, held, end = start, None, 0.0
        try:
            for shown in self._decoder.shown_from((start + 0.5) / self.fps):
                # The picture held so far is shown until half a frame before the next one's time.
                while held is not None and (index + 0.5) / self.fps < shown.time and (stop is None or index < stop):
                    yield held
                    index += 1
                if stop is not None and index >= stop:
                    return
                held, end = as_picture_of(shown.frame, self._look), shown.time + shown.length
        except (av.FFmpegError, OSError) as error:
            if held is None:  # a damaged tail is cut off, a damaged whole is an error
                why = reason(error)
                raise MediaError(f"{self.path}: can not be decoded ({why}). Use an intact file.") from error
        while held is not None and (index + 0.5) / self.fps < end and (stop is None or index < stop):
            yield held
            index += 1

    def ping_pong(self, count: int, length: int, chunk: int | None = None) -> Iterator[Picture]:
        """`count` pictures: 0 .. length - 1, back to 0, and so on, holding at most `chunk` pictures in memory."""
        chunk = chunk or max(2, min(32, HELD_BYTES // (3 * self.width * self.height)))
        index, backward = 0, False
        while index < count:
            if not backward:
                for picture in self.frames(0, min(length, count - index)):
                    yield picture
                    index += 1
            else:
                for stop in range(length, 0, -chunk):
                    for picture in reversed(list(self.frames(max(0, stop - chunk), stop))):
                        if index < count:
                            yield picture
                            index += 1
                    if index >= count:
                        return
            backward = not backward


def _own_rate(container: Any, average: float) -> float:
    """The average rate; where pictures come unevenly, the rate at which they come closest."""
    stream = container.streams.video[0]
    packets = itertools.islice(container.demux(stream), PROBED)
    times = np.sort([float(packet.pts * packet.time_base) for packet in packets if packet.pts is not None])
    steps = np.diff(times)
    if len(steps) < 4 or steps.min() <= 0 or steps.max() < UNEVEN * np.median(steps):
        return average
    return max(average, 1 / float(np.quantile(steps, 0.1)))
