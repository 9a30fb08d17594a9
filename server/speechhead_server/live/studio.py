"""What all sessions share and none changes: networks, cores, and how many real-time streams the machine holds."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.square import on_stage
from speechhead.core.controls import Controls
from speechhead.core.errors import DeviceMemoryError
from speechhead.generators.protocol import Generator
from speechhead.render.cutout import before
from speechhead.render.stream import Renderer
from speechhead.speech.protocol import SpeechModel
from speechhead_server.core.config import SIZES, ServerSettings
from speechhead_server.stage.device import MOST
from speechhead_server.stage.drawing import Drawing, on_device
from speechhead_server.stage.mark import Mark
from speechhead_server.stage.portrait import fills_picture, to_i420

from .palette import CORES, GeneratorPalette, Offered

log = logging.getLogger("speechhead.server")

TRIAL, ROUNDS = 6, 3
"""Pictures per core that are drawn to measure a size, and how often; the quickest round counts."""

TRYING = 3.0
"""Seconds after which no larger calls of a device are tried, nor more pictures on cores: what is so slow holds no
further stream anyway."""

SLOW = 2.0
"""Load up to which a family is drawn at the least of SIZES, at the rate that cores reach, before its own smaller
size is taken: half of the pictures of a face of 256 px are better than all of a stamp."""

WORTH = 1.05
"""How many times quicker pictures must be in a call of twice as many, for it to be worth their common delay."""


class Studio:
    """Generators by name and size, the speech network, and threads that draw.

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
        self.drawing = Drawing(settings.workers, Mark(settings.watermark) if settings.watermark else None)
        # Opening sessions must not wait for pictures that are drawn, nor they for it; neither waits for uploads.
        self.errands = ThreadPoolExecutor(2, thread_name_prefix="errand")
        self.uploads = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self.palette = GeneratorPalette(settings, generator)
        if speech is None:
            from speechhead.speech.model import Speech2Landmarks

            speech = Speech2Landmarks.load(threads=1)
        self.speech = speech
        self.offered: dict[str, Offered] = {}

    @property
    def offers(self) -> list[Offered]:
        """What is offered of every generator, the default one first."""
        return list(self.offered.values())

    @property
    def size(self) -> int:
        """Side of the pictures of a session that asks for nothing."""
        return self.offer().size

    def offer(self, name: str | None = None) -> Offered:
        """What is offered of a generator, of the default one for None."""
        return self.offered[self.palette.check(name)]

    def renderer(self, avatar: Avatar, controls: Controls | None = None, name: str | None = None) -> Renderer:
        """A renderer for one session of a portrait that is prepared for the stage.

        Raises
        ------
        DeviceError where its device has no memory for it, or fails.
        """
        renderer = self._renderer(avatar, controls, self.palette.check(name))
        self.drawing.try_out(renderer)
        return renderer

    def _renderer(self, avatar: Avatar, controls: Controls | None, name: str) -> Renderer:
        return Renderer(avatar, controls, self.palette.generator(name, avatar.size), self.speech)

    def prepare(self, avatar: Avatar, size: int, name: str | None = None, background: str | None = None) -> Avatar:
        """A portrait made ready for the stage: cut, scaled, before a colour, and its appearance features extracted."""
        staged = on_stage(avatar, size)
        if background is not None:
            staged = before(staged, background)
        staged.source(self.palette.generator(self.palette.check(name), size))
        return staged

    def choose_sizes(self, avatar: Avatar) -> None:
        """Open every generator, measure it, and choose its size, unless one was given.

        Raises
        ------
        WeightsError or DeviceError for a generator that can not be opened here.
        """
        given = self.settings.size
        self.palette.check_all()
        for name in self.palette.names:
            generator = self.palette.generator(name, given or SIZES[0])
            device, native = on_device(generator), getattr(generator, "native", None)
            # Of a device 512 px and the networks' own size are tried, as the calls of each are measured by doubling.
            others = SIZES if device is None else SIZES[:1]
            tried = SIZES if native is None else tuple(sorted({*others, native}, reverse=True))
            where = CORES if device is None else device.device
            offered = self.offered[name] = Offered(name, where, device is not None, given or tried[-1], [])
            if given is None or self.settings.max_sessions is None:
                self._choose_size(avatar, offered, tried if given is None else (given,))
            own = [native] if given is None and native and native < offered.size else []
            offered.sizes = sorted({offered.size, *own, *(size for size in SIZES if size < offered.size)})

    def _choose_size(self, avatar: Avatar, offered: Offered, tried: tuple[int, ...]) -> None:
        """Take the largest size that is drawn in real time; a small one of a family only where that is far quicker."""
        name = offered.name
        for size in tried:
            try:
                speed = self._speed(avatar, size, offered)
            except DeviceMemoryError:
                if size == tried[-1]:
                    raise
                continue
            offered.size, offered.speed[size] = size, speed
            log.info("%s at size %d: %.0f pictures per second on %s.", name, size, speed, offered.device)
            load = max(offered.load(size, self.drawing.workers).values())
            if load <= 1 or (not offered.several and tried[-1] < size == SIZES[-1] and load <= SLOW):
                break
        if load > 1:
            needed = offered.needed(offered.size, self.drawing.workers)
            log.warning("%s: %.0f pictures per second at %d px are too few (%.0f are needed); frames will be left out.",
                        name, offered.speed[offered.size], offered.size, needed)  # fmt: skip
        for size in tried:
            if size != offered.size:
                self.palette.forget(name, size)

    @property
    def may_grow(self) -> bool:
        """Whether a machine that was busy at the start may offer more than it was measured for then."""
        if self.settings.size is not None:
            return False
        return any(offered.size < SIZES[0] and not offered.several for offered in self.offers)

    def measure_again(self, avatar: Avatar) -> bool:
        """Measure what is drawn on the cores once more, and offer it where it is more; whether it is.

        For a moment at which nothing is drawn, in a thread other than those that draw.
        """
        grown = False
        for offered in self.offers:
            if offered.several or offered.size >= SIZES[0]:
                continue
            before, speed = offered.size, dict(offered.speed)
            tried = tuple(size for size in SIZES if size > before)
            try:
                self._choose_size(avatar, offered, (*tried, before))
            finally:
                if offered.size == before:
                    offered.speed = speed  # what was measured on a machine that is busy now is worth less
            if offered.size > before:
                offered.sizes = sorted({*offered.sizes, *(size for size in SIZES if before < size <= offered.size)})
                grown = True
        return grown

    def _speed(self, avatar: Avatar, size: int, offered: Offered) -> float:
        staged = self.prepare(avatar, size, offered.name)
        return (self.measure_device if offered.several else self.measure)(staged, offered.name)

    def measure(self, staged: Avatar, name: str | None = None) -> float:
        """Pictures per second that all cores draw together."""
        renderer = self._renderer(staged, None, self.palette.check(name))
        renderer.paste = not fills_picture(staged)
        count = TRIAL * self.drawing.workers
        faces, poses = at_rest(renderer, count)
        for face, pose in zip(faces[:2], poses[:2]):
            begin = time.monotonic()
            renderer.draw(face, pose)  # the first ones also set up their network's memory
        took = time.monotonic() - begin
        rounds = ROUNDS if took * count / self.drawing.workers < TRYING / ROUNDS else 1
        count = count if took < TRYING / ROUNDS else self.drawing.workers
        speeds = []
        for _ in range(rounds):
            begin = time.monotonic()
            list(self.drawing.pool.map(lambda k: to_i420(renderer.draw(faces[k], poses[k])), range(count)))
            speeds.append(count / (time.monotonic() - begin))
        return max(speeds)

    def measure_device(self, staged: Avatar, name: str | None = None) -> float:
        """Pictures per second that a device draws in calls of the best length, which it is given from now on.

        Raises
        ------
        DeviceMemoryError if it has no memory for a single picture.
        """
        renderer = self._renderer(staged, None, self.palette.check(name))
        generator = on_device(renderer.generator)
        assert generator is not None
        pace = self.drawing.queue(generator.device).pace(generator)
        faces, poses = at_rest(renderer, MOST)
        begin, best, count = time.monotonic(), 0.0, 1
        while count <= MOST:
            try:
                seconds = min(self._call(renderer, faces[:count], poses[:count]) for _ in range(ROUNDS))
            except DeviceMemoryError:
                if count == 1:
                    raise
                break
            pace.took(count, seconds)
            if count / seconds < WORTH * best:
                break
            best, pace.limit = count / seconds, count
            if time.monotonic() - begin > TRYING:
                break
            count *= 2
        pace.most = pace.limit
        return best

    def _call(self, renderer: Renderer, faces: Any, poses: list[Any]) -> float:
        """Seconds of one call; the first of a length also sets up its memory."""
        generator: Any = renderer.generator
        begin = time.monotonic()
        generator.render_many([renderer.source] * len(faces), faces, poses)
        return time.monotonic() - begin

    def load(self, size: int, name: str | None = None, drawn: bool = True) -> dict[str, float]:
        """Part of each device that one stream of a size takes, drawn here or by its viewer."""
        return self.offer(name).load(size, self.drawing.workers, drawn)

    @property
    def capacity(self) -> int:
        """Streams of the default generator and its size that run at the same time."""
        return self.capacity_of(self.palette.default)

    def capacity_of(self, name: str, drawn: bool = True) -> int:
        """Streams of a generator at its size that run at the same time, where no other one runs.

        drawn : here, and not by their viewers
        """
        if self.settings.max_sessions is not None:
            return self.settings.max_sessions
        offered = self.offer(name)
        return offered.capacity(offered.size, self.drawing.workers, drawn)

    def close(self) -> None:
        """Stop all threads."""
        self.errands.shutdown(wait=False, cancel_futures=True)
        self.uploads.shutdown(wait=False, cancel_futures=True)
        self.drawing.close()


def at_rest(renderer: Renderer, count: int) -> tuple[Any, list[Any]]:
    """Landmarks and poses of so many frames in which nothing is said."""
    return renderer.motion.step(np.zeros((count, 70, 3), np.float32), np.zeros(0, np.float32))
