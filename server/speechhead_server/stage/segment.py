"""A stretch of sound on its way to the face: pushed by whoever makes it, taken in blocks of one video frame."""

from __future__ import annotations

import bisect
import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechhead.audio.io import Samples, StreamResampler
from speechhead.core.clocks import SAMPLE_RATE, SAMPLES_PER_FRAME

from .clock import FRAME, RATE

Pcm = NDArray[np.int16]
"""Full scale is 32767: what waits for long takes half the memory."""

LIVE_START = 7
"""Blocks that live sound gathers before it starts: the look-ahead of the lips (200 ms), and 80 ms of network jitter."""

LIVE_MOST = 2 * LIVE_START
"""Blocks of a microphone that wait at most; what is older is left out, so that a stall does not stay as a delay."""

SILENCE_ENDS = 12
"""Blocks without new sound after which live PCM that nobody closed has ended."""

MEMORY = 1000
"""Blocks of a microphone whose frames are remembered."""


class Fifo:
    """Samples in the order they came.

    count, nbytes: of what waits.
    """

    def __init__(self) -> None:
        self._parts: deque[Samples | Pcm] = deque()
        self.count = self.nbytes = 0

    def push(self, samples: Samples | Pcm) -> None:
        """Append float32 or int16 [n]."""
        if len(samples):
            self._parts.append(samples)
            self.count += len(samples)
            self.nbytes += samples.nbytes

    def take(self, count: int) -> Samples:
        """The first `count` samples, followed by silence if there are fewer."""
        out = np.zeros(count, np.float32)
        at = 0
        while at < count and self._parts:
            part = self._parts.popleft()
            used = min(len(part), count - at)
            scale = np.float32(1 / 32767 if part.dtype == np.int16 else 1)
            np.multiply(part[:used], scale, out=out[at : at + used], casting="unsafe")
            self.nbytes -= used * part.itemsize
            if used < len(part):
                self._parts.appendleft(part[used:])
            at += used
        self.count -= at
        return out


class Segment:
    """One utterance, an uploaded sound, a stretch of live PCM, or a microphone; safe to use from several threads.

    Parameters
    ----------
    name : the utterance's id
    kind : "text", "file", "pcm" or "microphone"
    emotion : for the time it is said, None keeps the session's
    """

    def __init__(self, name: str, kind: str = "text", emotion: dict[str, float] | None = None) -> None:
        self.name, self.kind = name, kind
        self.changes: dict[str, Any] = {} if emotion is None else {"emotion": emotion}  # of the controls, for its time
        self.closed = self.cancelled = self.failed = False
        self.cues: deque[tuple[int, dict[str, Any]]] = deque()
        self.pushed = 0  # samples at 16 kHz so far
        self.starved = 0  # blocks in a row for which there was nothing
        self.placed: list[int] = []  # frame numbers at which its blocks are heard
        self._taken = 0
        self._speech, self._audio = Fifo(), Fifo()
        self._resampler = StreamResampler(SAMPLE_RATE, RATE)
        self._lock = threading.Lock()

    @property
    def live(self) -> bool:
        """Whether it comes at the speed of speech and can end at any moment."""
        return self.kind in ("pcm", "microphone")

    @property
    def waiting(self) -> int:
        """Blocks that are there and not taken, for the lips and for the ear: a resampler holds back a little."""
        return min(self._speech.count // SAMPLES_PER_FRAME, self._audio.count // FRAME)

    @property
    def seconds_waiting(self) -> float:
        """Sound that is there and not taken."""
        return self._speech.count / SAMPLE_RATE

    @property
    def bytes_waiting(self) -> int:
        """Memory of that sound."""
        return self._speech.nbytes + self._audio.nbytes

    @property
    def ready(self) -> bool:
        """Whether it may begin."""
        return self.closed or self.waiting >= (LIVE_START if self.live else 1)

    @property
    def exhausted(self) -> bool:
        """Whether nothing more will come."""
        return self.closed and not self._speech.count

    def push(
        self,
        speech: Samples | Pcm,
        audio: Samples | Pcm | None = None,
        cues: list[tuple[float, dict[str, Any]]] | None = None,
    ) -> None:
        """Append sound.

        Parameters
        ----------
        speech : float32 or int16 [n] at 16 kHz, which moves the face
        audio : float32 or int16 [m] at 48 kHz, the same for the ear; made from `speech`, then float32, if None
        cues : (seconds from this sound's beginning, event to send then)
        """
        with self._lock:
            if self.closed or self.cancelled:
                return
            self.cues.extend((self.pushed + round(at * SAMPLE_RATE), event) for at, event in cues or ())
            self.pushed += len(speech)
            self._speech.push(speech)
            self._audio.push(self._resampler.push(speech) if audio is None else audio)  # type: ignore[arg-type]
            if self.kind == "microphone" and self.waiting > LIVE_MOST:
                surplus = self.waiting - LIVE_START
                self._speech.take(surplus * SAMPLES_PER_FRAME)
                self._audio.take(min(surplus * FRAME, self._audio.count))

    def close(self) -> None:
        """Nothing more will come."""
        with self._lock:
            if not self.closed:
                self._audio.push(self._resampler.flush())
                self.closed = True

    def cancel(self) -> None:
        """Forget what was not taken yet."""
        with self._lock:
            self.closed = self.cancelled = True
            self._speech, self._audio = Fifo(), Fifo()
            self.cues.clear()

    def take(self, frame: int) -> tuple[Samples, Samples, list[tuple[int, dict[str, Any]]]] | None:
        """The block to be heard with picture number `frame`, or None if it is not there.

        Returns
        -------
        float32 [640] at 16 kHz, float32 [1920] at 48 kHz, and the events of its time as (sample at 48 kHz, event).
        """
        with self._lock:
            if self.waiting < 1 and not (self.closed and self._speech.count):
                self.starved += 1
                return None
            self.starved = 0
            begin = self._taken * SAMPLES_PER_FRAME
            self._taken += 1
            self.placed.append(frame)
            if self.kind == "microphone" and len(self.placed) > MEMORY:  # it runs for hours, and has no position
                del self.placed[: MEMORY // 2]
            cues = []
            while self.cues and self.cues[0][0] < begin + SAMPLES_PER_FRAME:
                at, event = self.cues.popleft()
                cues.append((frame * FRAME + max(0, at - begin) * RATE // SAMPLE_RATE, event))
            return self._speech.take(SAMPLES_PER_FRAME), self._audio.take(FRAME), cues

    def position(self, frame: int) -> float:
        """Seconds of it that were heard by the end of picture number `frame`."""
        return bisect.bisect_right(self.placed, frame) * SAMPLES_PER_FRAME / SAMPLE_RATE
