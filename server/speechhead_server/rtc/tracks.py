"""The two tracks that a viewer gets: sound and pictures, each released when the clock says so."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from speechhead_server.stage.clock import FRAME, PACKET, RATE
from speechhead_server.stage.drawing import GRACE
from speechhead_server.stage.stage import Stage

from .encoders import SpeechOpus

TIME_BASE = Fraction(1, RATE)

POLL = 0.003
"""Seconds between two looks for a picture that is late."""

LOST_PACKETS = 5
"""Packets behind the clock (100 ms) after which sound that could not be sent is left out."""

HANGOVER, PAUSE = 15, 10
"""Packets of silence (300 ms) after which a sparing track sends few, and of how many it sends one (each 200 ms)."""

SOUND_LEAD = 2
"""Packets (20 ms) by which sound leaves before the picture it was spoken with.

Speech2Landmarks learned from recordings, in which the lips move 40 to 80 ms before the sound that they make; on a
screen, where pictures are shown later than sound is played, that is more than it was. Half of it is taken back."""

MOST_LEAD = 0.02
"""Seconds by which a picture's encoding may begin before its time, so that it leaves together with its sound."""


class Punctuality:
    """How much after their media time things leave, in seconds: smoothed, and by the second for the trend."""

    def __init__(self) -> None:
        self.mean = 0.0
        self.count = 0
        self._sum, self._n, self._from = 0.0, 0, time.monotonic()
        self.history: deque[float] = deque(maxlen=600)

    def note(self, late: float) -> None:
        """Something left `late` seconds after its time."""
        self.count += 1
        self.mean += max(0.02, 1 / self.count) * (late - self.mean)
        self._sum, self._n = self._sum + late, self._n + 1
        now = time.monotonic()
        if now - self._from >= 1:
            self.history.append(self._sum / self._n)
            self._sum, self._n, self._from = 0.0, 0, now


class Timed(MediaStreamTrack):
    """A track that follows a stage's clock."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage, self.clock = stage, stage.clock
        self.punctuality = Punctuality()
        self.sent: deque[float] = deque(maxlen=250)  # seconds at which the last ones left
        self.left: Callable[[int], None] | None = None  # told the media time of what has just left
        self._number = -1
        self._left_at: int | None = None  # media time of what is being encoded and sent

    def _left(self) -> None:
        """The sender asks for the next one, so the last one has just left."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._left_at is not None:
            self.punctuality.note(-self.clock.until(self._left_at))
            self.sent.append(self.clock.seconds)
            if self.left is not None:
                self.left(self._left_at)
            self._left_at = None

    @property
    def rate(self) -> float:
        """Sent per second, over the last few seconds."""
        sent = [at for at in list(self.sent) if at > self.clock.seconds - 5]
        return (len(sent) - 1) / (sent[-1] - sent[0]) if len(sent) > 2 else 0.0


class AudioTrack(Timed):
    """Sound in packets of 20 ms, 48 kHz mono: as frames, or encoded where there is a `coder`.

    sparing : whoever hears it knows by the packets' times what is missing, so that long silence leaves as few packets
    """

    kind = "audio"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.coder: SpeechOpus | None = None
        self.sparing = False
        self._silent = 0  # packets in a row

    async def recv(self) -> Any:
        """The next packet, when it is due."""
        self._left()
        while True:
            due = self.clock.samples // PACKET
            self._number = due + 1 if self._number < 0 or due - self._number > LOST_PACKETS else self._number + 1
            await self.clock.wait(self._number * PACKET)
            sound = self.stage.sound(self._number + SOUND_LEAD)
            self._silent = 0 if sound.any() else self._silent + 1
            paused = self.coder is not None and self.sparing and self._silent > HANGOVER
            if not paused or (self._silent - HANGOVER) % PAUSE == 1:
                break
            if self.readyState != "live":
                raise MediaStreamError
            self._pass_over()
        self._left_at = at = self._number * PACKET
        if self.coder is not None and paused:
            return self.coder.pause(at)
        samples = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
        if self.coder is not None:
            return self.coder.packet(samples, at)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, TIME_BASE, at
        return frame

    def _pass_over(self) -> None:
        """Leave out the silent packets that can only be silent, down to the next that is sent all the same."""
        certain = self.stage.silent_before * (FRAME // PACKET) - SOUND_LEAD - 1 - self._number
        passed = max(0, min(certain, PAUSE - (self._silent - HANGOVER - 1) % PAUSE - 1))
        self._number += passed
        self._silent += passed


class PictureTrack(Timed):
    """Pictures at 25 per second; one that is not ready in its time is left out, or takes the place of a later one."""

    kind = "video"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.late = 0
        self._seen = -1  # the frame whose picture left last
        self._lead = 0.0  # seconds that encoding and sending take
        self._begun = 0.0
        self._changed = asyncio.Event()
        self.watching = False
        self.watch(True)

    def watch(self, watching: bool) -> None:
        """Show pictures, or none until further notice: the stage draws what somebody looks at."""
        if watching != self.watching:
            self.watching = watching
            self.stage.pictures.watched += 1 if watching else -1
            if watching and self._number >= 0:
                self._number = self.clock.frame + self.stage.pictures.ahead
            self._changed.set()

    async def recv(self) -> av.VideoFrame:
        """The next picture that is ready, when it is due; none while nobody watches."""
        self._left()
        if self._begun:
            self._lead += 0.1 * (min(MOST_LEAD, time.monotonic() - self._begun) - self._lead)
        pictures = self.stage.pictures
        while True:
            while not self.watching and self.readyState == "live":
                self._changed.clear()
                await self._changed.wait()
            first = self._number < 0
            self._number = self.clock.frame if first else max(self._number + 1, self.clock.frame)
            await self.clock.wait(self._number * FRAME - self._lead * RATE)
            # A viewer who comes sees something at once.
            planar = pictures.last if first else pictures.get(self._number)
            while planar is None and self.clock.until((self._number + GRACE) * FRAME) > 0:
                await self.clock.wait(self.clock.samples + POLL * RATE)
                planar = pictures.get(self._number)
            if planar is not None:
                self._seen = self._number
            elif (belated := pictures.belated(self._number, self._seen)) is not None:
                self._seen, planar = belated
            if self.readyState != "live":
                raise MediaStreamError
            if planar is not None:
                break
            if self.watching:
                self.late += 1
                pictures.late += 1
        self._begun = time.monotonic()
        frame = av.VideoFrame.from_ndarray(planar, format="yuv420p")
        frame.time_base = TIME_BASE
        frame.pts = self._left_at = self._number * FRAME
        return frame

    def stop(self) -> None:
        """End; the stage draws no more if nobody else looks."""
        super().stop()
        self.watch(False)
        self._changed.set()


def skew(sound: AudioTrack, pictures: PictureTrack) -> tuple[float | None, float | None]:
    """How much later a picture leaves than its sound, in ms, and how that grows, in ms per minute."""
    if sound.punctuality.count < 50 or pictures.punctuality.count < 25:
        return None, None
    now = 1e3 * (pictures.punctuality.mean - sound.punctuality.mean)
    count = min(len(sound.punctuality.history), len(pictures.punctuality.history))
    if count < 20:
        return now, None
    late = np.array(list(pictures.punctuality.history)[-count:]) - np.array(list(sound.punctuality.history)[-count:])
    return now, float(np.polyfit(np.arange(count) / 60, late * 1e3, 1)[0])
