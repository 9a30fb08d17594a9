"""Which encoder writes the H.264 of a new video: x264 on the CPU, or NVENC on a GPU that has it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

from speechhead.core.errors import MediaError

from .decoding import silence

X264, NVENC = "libx264", "h264_nvenc"
"""Encoders as libav names them."""

KEY_SECONDS = 4
"""Time between two key frames."""

MACROBLOCK = 16
"""Side of what H.264 codes as one, pixels."""


@dataclass(frozen=True)
class H264:
    """An encoder of H.264 and its quality.

    encoder : X264 or NVENC
    crf : constant quality, lower is better; NVENC has the same scale
    """

    encoder: str = X264
    crf: int = 18

    @classmethod
    def chosen(cls, wanted: str, device: str, size: tuple[int, int]) -> H264:
        """The encoder for a video.

        Parameters
        ----------
        wanted : 'cpu'; 'nvenc'; 'auto', which is NVENC where the networks run on CUDA and it can be used
        device : of the networks, as 'cuda:0'
        size : width and height, pixels

        Raises
        ------
        MediaError if NVENC is asked for and can not be used, with the reason.
        """
        if wanted == "cpu" or (wanted == "auto" and not device.startswith("cuda")):
            return cls()
        fault = unusable(*size)
        if fault is None:
            return cls(NVENC)
        if wanted == "auto":
            return cls()
        raise MediaError(f"encoder 'nvenc': {fault}. Use --encoder cpu.")

    def options(self, rate: Fraction, width: int) -> dict[str, str]:
        """What the encoder is told, at `rate` pictures per second of `width` pixels."""
        keys = str(max(1, round(KEY_SECONDS * rate)))
        if self.encoder == NVENC:
            return {"preset": "p4", "tune": "hq", "rc": "vbr", "cq": str(self.crf), "b": "0", "g": keys}
        return {"preset": "veryfast", "crf": str(self.crf), "g": keys, **repeatable(width)}


def repeatable(width: int) -> dict[str, str]:
    """What x264 is told so that equal pictures of this width give equal bits.

    Its macroblock tree reads memory that nobody wrote where a row of macroblocks does not fill the eight of a vector.
    """
    return {} if -(-width // MACROBLOCK) % 8 == 0 else {"mbtree": "0"}


@cache
def unusable(width: int = 512, height: int = 512) -> str | None:
    """Why NVENC can not write videos of this size here, in a few words; None where a frame could be encoded."""
    silence()
    try:
        context: Any = av.CodecContext.create(NVENC, "w")
    except (av.FFmpegError, ValueError):
        return f"this build of PyAV has no {NVENC}"
    try:
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.options = Fraction(1, 25), H264(NVENC).options(Fraction(25), width)
        grey = np.full((height * 3 // 2, width), 128, np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
        frame.pts = 0
        packets = [*context.encode(frame), *context.encode(None)]
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        return f"no GPU here encodes {width}x{height} ({' '.join(reason.split())[:80]})"
    return None if packets else f"it encodes nothing of {width}x{height}"
