"""Videos read: any file, upright, at one frame rate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from speechhead.core.errors import MediaError

from .decoding import Decoder, reason
from .image import Picture


class VideoReader:
    """Reads the pictures of a video, upright, at a constant frame rate.

    Parameters
    ----------
    path : any video that PyAV reads
    fps : frames per second of the pictures given out; the video's own average (at most 60) if None

    Raises
    ------
    MediaError if the file is missing, damaged, or has no video track.
    """

    def __init__(self, path: str | Path, fps: float | None = None) -> None:
        self.path = Path(path)
        self._decoder = Decoder(self.path)
        self.fps = float(min(fps or self._decoder.rate, 60.0))
        first = next(self.frames(0, 1), None)
        if first is None:
            raise MediaError(f"{self.path}: the video has no readable picture. Use an intact video file.")
        self.height, self.width = first.shape[:2]

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
                held, end = _upright(shown.frame), shown.time + shown.length
        except (av.FFmpegError, OSError) as error:
            if held is None:  # a damaged tail is cut off, a damaged whole is an error
                why = reason(error)
                raise MediaError(f"{self.path}: can not be decoded ({why}). Use an intact file.") from error
        while held is not None and (index + 0.5) / self.fps < end and (stop is None or index < stop):
            yield held
            index += 1

    def ping_pong(self, count: int, length: int, chunk: int = 32) -> Iterator[Picture]:
        """`count` pictures: 0 .. length - 1, back to 0, and so on, holding at most `chunk` pictures in memory."""
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


def _upright(frame: Any) -> Picture:
    picture = frame.to_ndarray(format="rgb24")
    turns = round(getattr(frame, "rotation", 0) / 90) % 4  # metadata of phones, degrees counter-clockwise
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
