"""Stand-ins for the networks, so that what joins them is tested in milliseconds."""

from __future__ import annotations

import time

import cv2
import numpy as np

from speechhead.core.clocks import SAMPLES_PER_FRAME, frames_in
from speechhead.core.errors import DeviceMemoryError
from speechhead.face.landmarks import to_pixels

LOOKAHEAD = 3
"""Frames that the fake speech network waits, as the real one does."""


class FakeGenerator:
    """Draws the landmarks into the portrait's crop: any difference in motion is a difference in pixels."""

    family = "fake"

    def __init__(self, size: int = 128) -> None:
        self.size = size
        self.prepared = 0

    def prepare(self, crop, mesh):
        assert crop.shape == (self.size, self.size, 3) and mesh.shape == (478, 3)
        self.prepared += 1
        return crop

    def render(self, source, normalised, pose):
        frame = source.copy()
        points = np.round(to_pixels(normalised, pose)[:, :2] * 16).astype(np.int32)
        cv2.polylines(frame, [points[:68]], False, (255, 40, 40), 1, cv2.LINE_AA, 4)
        cv2.fillPoly(frame, [points[60:68]], (30, 0, 0), cv2.LINE_AA, 4)
        frame[:4], frame[-4:], frame[:, :4], frame[:, -4:] = source[:4], source[-4:], source[:, :4], source[:, -4:]
        return frame


class FakeDevice(FakeGenerator):
    """A device of known cost: a call takes `call` seconds and `each` for every picture, and nothing of a core.

    calls: numbers of pictures; room: pictures that its memory holds, at once or, as `portraits`, prepared
    """

    device, batched, native = "fake:0", True, 128

    def __init__(self, size: int = 128, call: float = 0.005, each: float = 0.0005) -> None:
        super().__init__(size)
        self.call, self.each = call, each
        self.room = self.portraits = 10**6
        self.calls: list[int] = []
        self.bad: list[object] = []

    def prepare(self, crop, mesh):
        if self.prepared >= self.portraits:
            raise DeviceMemoryError("device 'fake:0' has no memory left. Open fewer sessions.")
        return super().prepare(crop, mesh).copy()

    def render(self, source, normalised, pose):
        return self.render_many([source], normalised[None], [pose])[0]

    def render_many(self, sources, normalised, poses):
        if len(sources) > self.room:
            raise DeviceMemoryError("device 'fake:0' has no memory left. Open fewer sessions.")
        if any(source is bad for source in sources for bad in self.bad):
            raise RuntimeError("this portrait can not be drawn")
        time.sleep(self.call + self.each * len(sources))
        self.calls.append(len(sources))
        return [FakeGenerator.render(self, *what) for what in zip(sources, normalised, poses)]

    def sized(self, size):
        return self if size == self.size else type(self)(size, self.call, self.each)


class FakeSpeech:
    """Opens the jaw with the loudness of each frame."""

    def stream(self, neutral=None, emotion=None):
        return FakeStream()


class FakeStream:
    def feel(self, emotion, after=0):
        self.felt = [*getattr(self, "felt", []), (dict(emotion), after + len(self.sound))]

    def __init__(self) -> None:
        self.sound = np.zeros(0, np.float32)
        self.given = 0

    def push(self, samples):
        self.sound = np.concatenate([self.sound, samples])
        return self._give(max(0, len(self.sound) // SAMPLES_PER_FRAME - LOOKAHEAD))

    def flush(self):
        motion = self._give(frames_in(len(self.sound)))
        self.__init__()
        return motion

    def _give(self, until):
        padded = np.pad(self.sound, (0, frames_in(len(self.sound)) * SAMPLES_PER_FRAME - len(self.sound)))
        blocks = padded.reshape(-1, SAMPLES_PER_FRAME)[self.given : until]
        self.given = max(self.given, until)
        motion = np.zeros((len(blocks), 70, 3), np.float32)
        motion[:, 55:60, 1] = motion[:, 64:68, 1] = np.abs(blocks).mean(1)[:, None]
        return motion


def speech_like(seconds: float, rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades four times a second."""
    count = round(seconds * rate)
    noise = np.random.default_rng(seed).standard_normal(count).astype(np.float32)
    return (0.2 * noise * np.abs(np.sin(np.arange(count) * (np.pi * 4 / rate)))).clip(-1, 1).astype(np.float32)


class Parrot:
    """A voice that says as many seconds of noise as there are words."""

    name = "parrot"
    spoken = 0

    def speak(self, text):
        from speechhead.tts import Speech

        for word in text.split():
            Parrot.spoken += 1
            yield Speech(speech_like(0.2), [], word)
