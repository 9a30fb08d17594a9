"""The generators that a server offers: each in memory once, with what it can do on this machine."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from speechhead.core.clocks import FPS
from speechhead.generators.open import check_generator, open_generator
from speechhead.generators.protocol import Generator, SizedGenerator
from speechhead_server.core.config import SIZES, ServerSettings
from speechhead_server.core.problems import Refused

CORES = "cpu"
"""The device that all sessions need for their voices, their motion and their videos, whatever draws their pictures."""

TOGETHER = 1.35
"""Core seconds of a picture that is drawn beside voices, networks and encoders, which share caches and memory with it,
over those of one that is drawn alone, which is what is measured at start-up."""

DEVICE_SHARE = 0.8
"""The same of another device, which has nothing else to do."""

BESIDE = 0.025
"""Core seconds that everything but drawing takes of a picture of 512 x 512, in a stream that speaks without a pause:
about 15 ms of the server and 10 ms of the voice's process, with a device that takes nothing of a core."""

LEAST_BESIDE = 0.6
"""Part of it that does not shrink with the picture: voice and motion."""

UNDRAWN = 0.008
"""Core seconds that a stream which its viewer draws takes of the time of a picture, with 30 % of speech."""

PORTABLE = ("compact",)
"""Generators whose pictures a browser can draw as well."""


@dataclass
class Offered:
    """A generator that sessions may have.

    device : where its networks are; several : it draws several pictures in one call
    size : of sessions that ask for none; sizes : those that they may ask for
    speed : pictures per second of the whole device, by size, as far as that was measured
    """

    name: str
    device: str
    several: bool
    size: int
    sizes: list[int]
    speed: dict[int, float] = field(default_factory=dict)

    @property
    def portable(self) -> bool:
        """Whether viewers may draw its sessions."""
        return self.name in PORTABLE

    def load(self, size: int, cores: int, drawn: bool = True) -> dict[str, float]:
        """Part that one stream of a size takes of each device; nothing where that was not measured.

        drawn : here, and not by its viewer
        """
        if not self.speed:
            return {}
        if not drawn:
            return {CORES: FPS * UNDRAWN / cores}
        speed = self.speed.get(size)
        if speed is None:  # from the nearest size that was measured; networks cost the same at every size
            known = min(self.speed, key=lambda s: abs(s - size))
            speed = self.speed[known] * min(1.0 if self.several else 1.5, (known / size) ** 1.5)
        beside, of_speed = self._shares(size, cores)
        if self.device == CORES:
            return {CORES: beside + FPS / (of_speed * speed)}
        return {self.device: FPS / (of_speed * speed), CORES: beside}

    def needed(self, size: int, cores: int) -> float:
        """The speed that one stream needs."""
        beside, of_speed = self._shares(size, cores)
        return FPS / of_speed / (max(0.1, 1 - beside) if self.device == CORES else 1)

    def _shares(self, size: int, cores: int) -> tuple[float, float]:
        """Part of all cores that is needed beside drawing, and part of the measured speed that is planned with."""
        area = LEAST_BESIDE + (1 - LEAST_BESIDE) * (size / SIZES[0]) ** 2
        return FPS * BESIDE * area / cores, 1 / TOGETHER if self.device == CORES else DEVICE_SHARE

    def capacity(self, size: int, cores: int, drawn: bool = True) -> int:
        """Streams of a size that run at the same time, one at least."""
        return max(1, int(1 / max(self.load(size, cores, drawn).values(), default=1.0)))


class GeneratorPalette:
    """The networks of all generators that the operator named, the first of them for whoever names none.

    Parameters
    ----------
    make : a stand-in for all of them: from a size to a generator
    """

    def __init__(self, settings: ServerSettings, make: Any = None) -> None:
        self.names = settings.generators
        self._settings, self._make = settings, make
        self._open: dict[tuple[str, int], Generator] = {}
        self._lock = threading.Lock()

    @property
    def default(self) -> str:
        """What a session that names none gets."""
        return self.names[0]

    def check(self, name: str | None) -> str:
        """A generator that is offered; 422 for any other: no request opens files."""
        if name is not None and name not in self.names:
            raise Refused(422, f"generator {name[:60]!r} is not offered here. Use one of {', '.join(self.names)}.")
        return name or self.default

    def check_all(self) -> None:
        """Say what is wrong with any of them before the first one is opened; raises as `generator`."""
        for name in self.names if self._make is None else ():
            check_generator(name, self._settings.engine, self._settings.device)

    def generator(self, name: str, size: int) -> Generator:
        """A generator for pictures of a size; it keeps nothing of one session for another.

        Raises
        ------
        WeightsError or DeviceError where it can not be opened.
        """
        with self._lock:
            if (name, size) not in self._open:
                self._open[name, size] = self._sized(name, size)
            return self._open[name, size]

    def _sized(self, name: str, size: int) -> Generator:
        for (known, _), generator in self._open.items():
            if known == name and isinstance(generator, SizedGenerator):
                return generator.sized(size)
        if self._make is not None:
            made: Generator = self._make(size)
            return made
        given = self._settings
        return open_generator(name, size, given.engine, given.device, 1, given.precision, given.graph)

    def forget(self, name: str, size: int) -> None:
        """Let go of a size that no session will have."""
        with self._lock:
            self._open.pop((name, size), None)
