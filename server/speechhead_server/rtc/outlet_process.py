"""The process that sends one stage to an address: pictures and sound come by its standard input.

It is a process of its own because connecting may hang with the interpreter held, and the answers of a foreign server
are read. The first line of its input is JSON: target, size. Then come records as in `RECORD`, each before its bytes.
It ends with 1 and a line of words where sending fails.
"""

from __future__ import annotations

import contextlib
import errno
import json
import signal
import struct
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np

from speechhead.core.clocks import FPS
from speechhead.media.writer import COMMENT
from speechhead_server.stage.clock import RATE

from .targets import CAMERA, format_of

RECORD = struct.Struct("<cqI")
"""Kind (p: planar 4:2:0, s: int16 mono at 48 kHz), time in samples at 48 kHz, bytes that follow."""

TIME_BASE = Fraction(1, RATE)

CONNECT = 10.0
"""Seconds in which the other side must answer."""

SOUND_BITRATE = 96_000

BITS_PER_PIXEL = 0.3
"""Of a picture's rate: more than to a browser, as what is sent on is encoded again."""


def records(stream: BinaryIO) -> Iterator[tuple[bytes, int, bytes]]:
    """Kind, time and bytes of each record, to the end of a stream."""
    while len(head := stream.read(RECORD.size)) == RECORD.size:
        kind, at, size = RECORD.unpack(head)
        data = stream.read(size)
        if len(data) < size:
            return
        yield kind, at, data


class Sender:
    """One connection: what is put in is encoded and sent.

    Parameters
    ----------
    size : side of the square pictures
    """

    def __init__(self, target: str, size: int) -> None:
        kind = format_of(target)
        self._size = size
        self._container: Any = av.open(target, "w", format=kind, timeout=(CONNECT, CONNECT))
        self._container.metadata["comment"] = COMMENT
        self._pictures = self._container.add_stream("rawvideo" if kind == CAMERA else "libx264", rate=FPS)
        self._pictures.width = self._pictures.height = size
        self._pictures.pix_fmt = "yuv420p"
        self._pictures.codec_context.time_base = TIME_BASE
        self._sound = None
        if kind != CAMERA:
            codec = self._pictures.codec_context
            codec.options = {"preset": "veryfast", "tune": "zerolatency"}
            codec.gop_size, codec.bit_rate = 2 * FPS, int(size * size * FPS * BITS_PER_PIXEL)
            self._sound = self._container.add_stream("aac", rate=RATE)
            self._sound.codec_context.layout, self._sound.codec_context.bit_rate = "mono", SOUND_BITRATE
        self._container.start_encoding()
        self._from: int | None = None

    def put(self, kind: bytes, at: int, data: bytes) -> None:
        """A record; the first one's time becomes 0."""
        self._from = at if self._from is None else self._from
        if kind == b"p":
            planar = np.frombuffer(data, np.uint8).reshape(self._size * 3 // 2, self._size)
            self._send(self._pictures, av.VideoFrame.from_ndarray(planar, format="yuv420p"), at)
        elif self._sound is not None:
            samples = np.frombuffer(data, np.int16)[None]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16", layout="mono")
            frame.sample_rate = RATE
            self._send(self._sound, frame, at)

    def _send(self, stream: Any, frame: Any, at: int) -> None:
        assert self._from is not None
        if at < self._from:
            return
        frame.pts, frame.time_base = at - self._from, TIME_BASE
        self._container.mux(stream.encode(frame))

    def close(self) -> None:
        """Send what the encoders still hold, and say good-bye."""
        for stream in (self._pictures, self._sound):
            if stream is not None and self._from is not None:
                self._container.mux(stream.encode())
        self._container.close()


@contextlib.contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """Let the system end this process unless the block ends in time: FFmpeg may hold the interpreter as it waits."""
    if not hasattr(signal, "setitimer"):  # on Windows; there the server alone ends it
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def reason_of(error: Exception) -> str:
    """One line of what FFmpeg says."""
    if isinstance(error, av.error.ProtocolNotFoundError):
        return "this PyAV does not speak it; send rtmp:// to a relay that does, such as MediaMTX"
    if isinstance(error, av.error.ArgumentError) or getattr(error, "errno", None) == errno.ENOTTY:
        return "not usable; a virtual camera is a device of v4l2loopback"
    return (getattr(error, "strerror", None) or type(error).__name__).lower()


def main() -> None:
    """Send until the input ends."""
    order = json.loads(sys.stdin.buffer.readline())
    try:
        with ended_after(CONNECT):
            sender = Sender(order["target"], order["size"])
        print("ready", flush=True)
        for record in records(sys.stdin.buffer):
            sender.put(*record)
        sender.close()
    except (av.error.FFmpegError, OSError) as error:
        print(reason_of(error), flush=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
