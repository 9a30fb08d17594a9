"""How a talking portrait is encoded: H.264 and Opus with settings for one live face, handed to aiortc's senders.

aiortc's own encoders serve any picture: x264's medium preset takes 22 ms of a core per 512 px frame where superfast
takes 4 for the same quality at this size, and every bandwidth report that moves by a tenth restarts the encoder with a
keyframe.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import RTCRtpSender
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from av.frame import Frame
from numpy.typing import NDArray

from speechhead.core.clocks import FPS
from speechhead_server.stage.clock import PACKET, RATE

from .disclosure import with_notice

BITS_PER_PIXEL = 0.18
"""Of the video's full rate: 1.2 Mbit/s for 512 px at 25 fps, which leaves teeth and lashes intact."""

LOWEST = 250_000
"""Bits per second below which a face is no longer worth sending."""

KEYFRAMES = 10 * FPS
"""Frames from one keyframe to the next at most; those who miss one ask for it (PLI), this is for players that don't."""

PATIENCE = 3.0
"""Seconds between two changes of the bit rate, as each costs a keyframe."""

SPEECH_BITRATE = 48_000

SETTLED = 5
"""Packets of silence that are alike, one after another, beyond which all that follow are."""


def video_bitrate(size: int) -> int:
    """Bits per second for a square picture of `size` pixels."""
    return max(LOWEST, int(size * size * FPS * BITS_PER_PIXEL))


class PortraitH264(H264Encoder):
    """x264 for one face: superfast, a long way between keyframes, a rate that follows the receiver without jitter."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._full = video_bitrate(size)
        self._rate = self._full
        self._changed = -PATIENCE
        self._codec: Any = None

    def _encode_frame(self, frame: av.VideoFrame, force_keyframe: bool) -> Iterator[bytes]:
        self._follow()
        codec = self._codec
        if codec is None or (frame.width, frame.height) != (codec.width, codec.height):
            self._codec = codec = self._open(frame)
        kinds = av.video.frame.PictureType
        frame.pict_type = kinds.I if force_keyframe else kinds.NONE
        data = b"".join(bytes(packet) for packet in codec.encode(frame))
        if data:
            yield from with_notice(self._split_bitstream(data))

    def _open(self, frame: av.VideoFrame) -> Any:
        codec: Any = av.CodecContext.create("libx264", "w")
        codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuv420p"
        codec.framerate, codec.time_base = Fraction(FPS, 1), frame.time_base
        codec.bit_rate = self._rate
        codec.profile = "Baseline"
        codec.gop_size = KEYFRAMES
        codec.thread_count = 1  # slices of a small picture cost more than they save, and sessions share the cores
        bits = str(self._rate)
        codec.options = {"preset": "superfast", "tune": "zerolatency", "maxrate": bits, "bufsize": bits}
        codec.options |= {"forced-idr": "1"}  # a keyframe that was asked for must be one that a decoder can start at
        if frame.width * frame.height <= 1280 * 720:
            codec.options |= {"level": "31"}  # as negotiated
        return codec

    def _follow(self) -> None:
        """Take over the receiver's estimate when it has moved by a quarter, and not too often."""
        wanted = min(self._full, max(LOWEST, self.target_bitrate)) if self._heard else self._full
        now = time.monotonic()
        if abs(wanted - self._rate) > 0.25 * self._rate and now - self._changed > PATIENCE:
            self._rate, self._changed, self._codec = wanted, now, None

    _heard = False

    @property
    def target_bitrate(self) -> int:
        """Bits per second that the receiver can take."""
        return self._target if self._heard else self._full

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._heard, self._target = True, bitrate


class SpeechOpus(Encoder):
    """Opus, mono, 20 ms, with the forward error correction that bridges a lost packet.

    Silence is encoded until its packets are all alike: from then on they are those of before, without being encoded.
    """

    def __init__(self) -> None:
        codec: Any = av.CodecContext.create("libopus", "w")
        codec.bit_rate, codec.format, codec.layout = SPEECH_BITRATE, "s16", "mono"
        codec.sample_rate, codec.time_base = RATE, Fraction(1, RATE)
        codec.options = {"application": "voip", "frame_duration": "20", "fec": "1", "packet_loss": "10"}
        self._codec = codec
        self._last, self._alike = b"", 0  # the last packet, and how many of silence were like it

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """One packet per frame of 960 samples, stamped with the frame's own time, gaps included."""
        assert isinstance(frame, av.AudioFrame) and frame.samples == PACKET and frame.pts is not None
        at, frame.pts = frame.pts, None
        return [bytes(packet) for packet in self._codec.encode(frame)], at

    def packet(self, samples: NDArray[np.int16], at: int) -> Any:
        """The packet of int16 [960], stamped with media time `at`; it may be encoded in whatever thread asks."""
        silent = not samples.any()
        if not silent or self._alike < SETTLED:
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, at
            (coded, *_), _ = self.encode(frame)
            self._alike = self._alike + 1 if silent and coded == self._last else 0
            self._last = coded
        packet = av.Packet(self._last)
        packet.pts = at
        return packet

    def pause(self, at: int) -> Any:
        """A packet that holds nothing (RFC 6716, 3.2.1): until the next one there is silence (RFC 7587, 3.1.3)."""
        packet = av.Packet(self._last[:1])
        packet.pts = at
        return packet

    def pack(self, packet: Any) -> tuple[list[bytes], int]:
        """A packet that is encoded already."""
        return [bytes(packet)], packet.pts


def equip(sender: RTCRtpSender, codec: str, size: int) -> Encoder | None:
    """Give a sender that has not started the encoder for its codec ("H264", "VP8", "opus"), and return it.

    aiortc makes its own where none is set, so on a version that names the place differently all works, only slower.
    """
    encoder: Encoder | None = None
    if codec.upper() == "H264":
        encoder = PortraitH264(size)
    elif codec.upper() == "VP8":
        encoder = Vp8Encoder()
        encoder.target_bitrate = video_bitrate(size)
    elif codec.lower() == "opus":
        encoder = SpeechOpus()
    if encoder is not None:
        sender._RTCRtpSender__encoder = encoder  # type: ignore[attr-defined]
    return encoder
