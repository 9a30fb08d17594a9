"""An agent's sound on its way to the stage: PCM of any rate in, one utterance of lips and sound out."""

from __future__ import annotations

import bisect
import uuid
from typing import Any

import numpy as np

from speechhead.audio.io import Samples, StreamResampler
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import AudioError
from speechhead_server.stage.clock import FRAME, PACKET, RATE
from speechhead_server.stage.segment import LIVE_START, Fifo, Segment


def from_pcm(data: bytes | bytearray | memoryview, channels: int = 1) -> Samples:
    """Signed 16-bit PCM, interleaved, to float32 [n] in [-1, 1), the mean of its channels.

    Raises
    ------
    AudioError if the bytes are no whole samples.
    """
    size = memoryview(data).nbytes
    if channels < 1 or size % (2 * channels):
        raise AudioError(f"{size} bytes are no whole 16-bit samples of {channels} channel(s). Send s16le PCM.")
    samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    mono: Samples = samples if channels == 1 else samples.reshape(-1, channels).mean(axis=1)
    return mono


def to_pcm(samples: Samples) -> bytes:
    """float32 [n] in [-1, 1] to signed 16-bit PCM."""
    return bytes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())


class Utterance(Segment):
    """What an agent says between two ends of a segment, at whatever speed it comes.

    It begins when enough is there to bridge the lips' look-ahead, ends only where the agent says so, and after a gap
    in delivery it gathers again, so that a slow voice is heard in whole stretches.
    """

    def __init__(self) -> None:
        super().__init__(uuid.uuid4().hex[:12], "agent")
        self.sound_count = self.released = 0  # samples at 48 kHz: heard from the agent, and given to the listener
        self._out = Fifo()  # sound whose frame is fixed
        self._gathering = True
        self._rate = 0
        self._for_lips: StreamResampler | None = None
        self._for_ears: StreamResampler | None = None

    @property
    def ready(self) -> bool:
        """Whether it may begin, or go on."""
        return self.closed or self.waiting >= LIVE_START

    def hear(self, samples: Samples, rate: int) -> None:
        """Append float32 [n] at `rate` Hz; the rate may change."""
        if rate != self._rate:
            self._drain()
            self._rate = rate
            self._for_lips, self._for_ears = StreamResampler(rate, SAMPLE_RATE), StreamResampler(rate, RATE)
        assert self._for_lips is not None and self._for_ears is not None
        self._append(self._for_lips.push(samples), self._for_ears.push(samples))

    def end(self) -> None:
        """Nothing more will come."""
        self._drain()
        self.close()

    def _drain(self) -> None:
        if self._for_lips is not None and self._for_ears is not None:
            self._append(self._for_lips.flush(), self._for_ears.flush())

    def _append(self, speech: Samples, audio: Samples) -> None:
        self.sound_count += len(audio)
        self.push(speech, audio)

    def take(self, frame: int) -> tuple[Samples, Samples, list[tuple[int, dict[str, Any]]]] | None:
        """The block for a frame, or None while it gathers."""
        if self._gathering and not self.ready:
            self.starved += 1
            return None
        taken = super().take(frame)
        self._gathering = taken is None
        if taken is not None:
            with self._lock:
                self._out.push(taken[1])
        return taken

    def release(self, packet: int) -> Samples:
        """Its sound to the end of packet number `packet` that was not released yet: float32 [n] at 48 kHz, n >= 0.

        Nothing of it is lost where a frame was placed later than its sound was asked for.
        """
        frame, half = divmod(packet, FRAME // PACKET)
        blocks = bisect.bisect_left(self.placed, frame)
        due = blocks * FRAME
        if blocks < len(self.placed) and self.placed[blocks] == frame:
            due += (half + 1) * PACKET
        with self._lock:
            count = max(0, min(due, self.sound_count) - self.released)
            count = min(count, self._out.count)
            self.released += count
            return self._out.take(count)

    def cancel(self) -> None:
        """Forget what was not released yet."""
        super().cancel()
        with self._lock:
            self._out = Fifo()
