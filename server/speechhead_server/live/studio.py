"""What all sessions share and none changes: networks, cores, and how many real-time streams the machine holds."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from speechhead.avatar.portrait import Avatar
from speechhead.core.clocks import FPS
from speechhead.core.controls import Controls
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.render.stream import Renderer
from speechhead.speech.protocol import SpeechModel
from speechhead_server.core.config import SIZES, ServerSettings
from speechhead_server.stage.drawing import Drawing
from speechhead_server.stage.portrait import fills_picture, on_stage, to_i420

log = logging.getLogger("speechhead.server")

SHARE = 0.55
"""Part of the drawing speed measured at start-up that is planned with: a stream that speaks also takes the time of a
voice, of Speech2Landmarks and of the encoders, together nearly as much as its pictures."""

TRIAL, ROUNDS = 6, 3
"""Pictures per core that are drawn to measure a size, and how often; the quickest round counts."""


class Studio:
    """Generators by size, the speech network, and threads that draw.

    Parameters
    ----------
    generator, speech : stand-ins for the shipped networks; generator is a function from a size
    """

    def __init__(
        self,
        settings: ServerSettings,
        generator: type[Generator] | None = None,
        speech: SpeechModel | None = None,
    ) -> None:
        self.settings = settings
        self.drawing = Drawing(settings.workers)
        # Opening sessions must not wait for pictures that are drawn, nor they for it; neither waits for uploads.
        self.errands = ThreadPoolExecutor(2, thread_name_prefix="errand")
        self.uploads = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._make = generator
        self._generators: dict[int, Generator] = {}
        self._lock = threading.Lock()
        if speech is None:
            from speechhead.speech.model import Speech2Landmarks

            speech = Speech2Landmarks.load(threads=1)
        self.speech = speech
        self.speed: dict[int, float] = {}  # pictures per second of the whole machine, by size
        self.size = settings.size or SIZES[-1]

    def generator(self, size: int) -> Generator:
        """The generator for pictures of a size; it keeps nothing of one session for another."""
        with self._lock:
            if size not in self._generators:
                made = self._make(size) if self._make is not None else open_generator(size=size)  # type: ignore[call-arg]
                self._generators[size] = made
            return self._generators[size]

    def renderer(self, avatar: Avatar, controls: Controls | None = None) -> Renderer:
        """A renderer for one session of a portrait that is prepared for the stage."""
        return Renderer(avatar, controls, self.generator(avatar.size), self.speech)

    def prepare(self, avatar: Avatar, size: int) -> Avatar:
        """A portrait made ready for the stage: cut, scaled, and its appearance features extracted."""
        staged = on_stage(avatar, size)
        staged.source(self.generator(size))
        return staged

    def choose_size(self, avatar: Avatar) -> int:
        """Measure and take the largest size that the machine draws in real time, unless one was given."""
        given = self.settings.size
        if given is not None and self.settings.max_sessions is not None:
            self.size = given
            return given
        for size in (given,) if given is not None else SIZES:
            assert size is not None
            self.speed[size] = self.measure(self.prepare(avatar, size))
            self.size = size
            log.info("size %d: %.0f pictures per second on this machine.", size, self.speed[size])
            if self.load(size) <= 1:
                break
            if given is None and size != SIZES[-1]:
                del self._generators[size]
        else:
            speed, needed = self.speed[self.size], FPS / SHARE
            log.warning("%.0f pictures per second at %d px are too few (%.0f are needed); frames will be left out.",
                        speed, self.size, needed)  # fmt: skip
        return self.size

    def measure(self, staged: Avatar) -> float:
        """Pictures per second that all cores draw together."""
        renderer = self.renderer(staged)
        renderer.paste = not fills_picture(staged)
        count = TRIAL * self.drawing.workers
        faces, poses = renderer.motion.step(np.zeros((count, 70, 3), np.float32), np.zeros(0, np.float32))
        for face, pose in zip(faces[:2], poses[:2]):
            renderer.draw(face, pose)  # the first ones also set up their network's memory
        speeds = []
        for _ in range(ROUNDS):
            begin = time.monotonic()
            list(self.drawing.pool.map(lambda k: to_i420(renderer.draw(faces[k], poses[k])), range(count)))
            speeds.append(count / (time.monotonic() - begin))
        return max(speeds)

    def load(self, size: int) -> float:
        """Part of the machine that one stream of a size takes."""
        if not self.speed:
            return 0.0
        speed = self.speed.get(size)
        if speed is None:  # from the nearest size that was measured; networks cost the same at every size
            known = min(self.speed, key=lambda s: abs(s - size))
            speed = self.speed[known] * min(1.5, (known / size) ** 1.5)
        return FPS / (speed * SHARE)

    @property
    def capacity(self) -> int:
        """Streams of the chosen size that run at the same time."""
        if self.settings.max_sessions is not None:
            return self.settings.max_sessions
        return max(1, int(1 / self.load(self.size)))

    def close(self) -> None:
        """Stop all threads."""
        self.errands.shutdown(wait=False, cancel_futures=True)
        self.uploads.shutdown(wait=False, cancel_futures=True)
        self.drawing.close()
