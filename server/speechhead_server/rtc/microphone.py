"""Live sound from outside: a viewer's microphone track, and raw PCM from a socket."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from speechhead.audio.io import Samples, StreamResampler
from speechhead.core.clocks import SAMPLE_RATE
from speechhead_server.core.problems import Refused
from speechhead_server.stage.clock import RATE
from speechhead_server.stage.segment import Segment
from speechhead_server.stage.stage import Stage


class Microphone:
    """A viewer's microphone drives the face; its sound goes back to all viewers in time with the lips.

    Parameters
    ----------
    hears : is given float32 [n] at 16 kHz, and returns whether it takes it: then it drives nothing
    """

    def __init__(self, track: MediaStreamTrack, stage: Stage, hears: Callable[[Samples], bool] | None = None) -> None:
        self._track, self._stage, self._hears = track, stage, hears
        self.segment = Segment(uuid.uuid4().hex, "microphone")
        self._task = asyncio.create_task(self._listen())
        stage.attach(self.segment)

    async def _listen(self) -> None:
        mono, down = _to_mono(), StreamResampler(RATE, SAMPLE_RATE)
        with contextlib.suppress(MediaStreamError, asyncio.CancelledError):
            while True:
                frame = await self._track.recv()
                assert isinstance(frame, av.AudioFrame)
                frame.pts = None  # lost packets leave gaps in time that the resampler would object to
                try:
                    parts = mono.resample(frame)
                except (ValueError, av.FFmpegError):  # of another codec than before: what is not taken would pile up
                    mono = _to_mono()
                    continue
                for part in parts:
                    audio = part.to_ndarray().reshape(-1).astype(np.float32, copy=False)
                    speech = down.push(audio)
                    if self._hears is None or not self._hears(speech):
                        self.segment.push(speech, audio)
        self._stage.attach(None)

    def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        self._stage.attach(None)
        self.segment.cancel()


def _to_mono() -> av.AudioResampler:
    return av.AudioResampler(format="flt", layout="mono", rate=RATE)


FORMATS = {"s16le": ("<i2", 32768.0), "f32le": ("<f4", 1.0)}
"""Of live PCM: numpy's type and its full scale."""

RATES = (8_000, 96_000)


class PcmReader:
    """Bytes in any portions to samples; what is no number becomes silence, what is too loud is clipped.

    Raises
    ------
    Refused for a format or rate that is not known.
    """

    def __init__(self, form: str = "s16le", rate: int = SAMPLE_RATE) -> None:
        if form not in FORMATS:
            raise Refused(422, f"PCM format {form[:20]!r} is unknown. Use {' or '.join(FORMATS)}.")
        if not RATES[0] <= rate <= RATES[1]:
            raise Refused(422, f"PCM rate {rate} Hz is not usable. Give {RATES[0]} to {RATES[1]}.")
        kind, self._scale = FORMATS[form]
        self._type = np.dtype(kind)
        self._rest = b""
        self._resampler = StreamResampler(rate) if rate != SAMPLE_RATE else None

    def push(self, data: bytes) -> Samples:
        """float32 samples at 16 kHz that are complete."""
        data = self._rest + data
        whole = len(data) // self._type.itemsize * self._type.itemsize
        self._rest = data[whole:]
        with np.errstate(invalid="ignore", over="ignore"):
            samples = np.frombuffer(data[:whole], self._type).astype(np.float32) / np.float32(self._scale)
            samples = np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -1, 1)
        return self._resampler.push(samples) if self._resampler else samples
