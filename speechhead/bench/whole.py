"""All that is measured of a case, in this process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from speechhead.avatar.portrait import Avatar
from speechhead.core.clocks import FPS
from speechhead.core.errors import SpeechheadError
from speechhead.generators.open import GENERATORS, open_generator
from speechhead.generators.protocol import Generator
from speechhead.render.stream import Renderer
from speechhead.speech.model import Speech2Landmarks

from .case import LEAST, BenchCase, CaseResult, NetworkCost, SessionRate
from .cost import family_cost, shipped, timed
from .measure import followed, moves, said, stage_times, staged, together
from .subject import babble

MIB = 1024 * 1024


class StartClock:
    """The clock of a start: seconds from the birth of the process, part by part.

    Parameters
    ----------
    begun : when the process was started, seconds of the system's clock
    """

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.parts: dict[str, float] = {}
        self._last = begun
        self.lap("import")

    def lap(self, name: str) -> None:
        """End a part."""
        now = time.time()
        self.parts[name] = now - self._last
        self._last = now

    def leave_out(self) -> None:
        """Count what was done since the last part for nothing."""
        now = time.time()
        self.begun += now - self._last
        self._last = now

    def finished(self) -> dict[str, float]:
        """The parts, and all of them together until the first frame."""
        self.lap("draw")
        return {**self.parts, "first_frame": self._last - self.begun}


def portrait(size: int, start: StartClock) -> Avatar:
    """The default portrait with a face crop of `size` pixels, scaled up where it is smaller."""
    avatar = Avatar.default(size)
    start.lap("face")
    if avatar.size == size:
        return avatar
    factor = size / avatar.box[2]
    larger = cv2.resize(avatar.picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    start.leave_out()
    avatar = Avatar.from_image(larger, size)
    start.lap("face")
    return avatar


def measure(case: BenchCase, name: str, whose: str, start: StartClock, target: Path) -> CaseResult:
    """Everything of a case; `name` is what its generator is opened by, `target` a video that may be written."""
    speech = Speech2Landmarks.load()
    start.lap("load")
    avatar = portrait(case.size, start)
    how = case.precision, case.graph
    generator = open_generator(name, avatar.size, case.engine, case.device, 1, *how)
    start.lap("load generator")
    avatar.source(generator)
    start.lap("prepare")
    first = Renderer(avatar, None, generator, speech)
    for faces, poses in moves(first, babble(LEAST)):
        if len(faces):
            first.draw(faces[0], poses[0])
            break
    startup = start.finished()

    device = str(getattr(generator, "device", "cpu"))
    settle = _settle(device)
    staged(Renderer(avatar, None, generator, speech), babble(LEAST), target, settle)  # kernels are chosen
    warm = staged(Renderer(avatar, None, generator, speech), babble(LEAST), target, settle)
    drawn = case.sample(warm.wall / warm.frames)
    sound, runs, rates = babble(drawn), [], []
    for _ in range(case.runs):
        runs.append(staged(Renderer(avatar, None, generator, speech), sound, target, settle))
        rates.append(said(Renderer(avatar, None, generator, speech), sound, target))
    stages, accounted = stage_times(runs)
    memory, gpu_memory = _memory(), _gpu_memory(device)
    sessions = partial(_many, avatar, generator, speech)
    many = [sessions(count, max(LEAST, drawn / count), case.runs) for count in case.sessions]
    plain, notes = _plain(case, name, avatar, speech)
    networks, uncounted = _costs(generator)
    return CaseResult(
        case=case,
        weights=whose,
        device=device,
        running=str(getattr(generator, "running", "onnxruntime")),
        drawn=drawn,
        startup=startup,
        stages=stages,
        accounted=accounted,
        frames_per_second=median(rates),
        realtime=median(rates) / FPS,
        track=followed(runs[-1].pictures),
        sessions=tuple(many),
        networks=tuple(networks),
        memory=memory,
        gpu_memory=gpu_memory,
        plain=plain,
        notes=notes + uncounted,
    )


def _many(avatar: Avatar, generator: Generator, speech: Any, count: int, seconds: float, runs: int) -> SessionRate:
    """The median rate of some sessions, each of which speaks so many seconds."""
    rates = [together(avatar, generator, speech, babble(seconds), count) for _ in range(runs)]
    return sorted(rates, key=lambda rate: rate.frames_per_second)[len(rates) // 2]


def _plain(case: BenchCase, name: str, avatar: Avatar, speech: Any) -> tuple[float | None, tuple[str, ...]]:
    """Ms a frame of the plain torch graph, and why there is none."""
    try:
        generator = open_generator(name, avatar.size, "torch", case.device, 1, "fp32", "none")
        return _timed_alone(generator, avatar, speech), ()
    except (SpeechheadError, RuntimeError) as error:
        return None, (f"no plain torch graph: {' '.join(str(error).split())[:200]}",)


def _timed_alone(generator: Generator, avatar: Avatar, speech: Any) -> float:
    """Ms of a frame that is drawn alone."""
    renderer = Renderer(avatar, None, generator, speech)
    faces, poses = next((faces, poses) for faces, poses in moves(renderer, babble(1.0)) if len(faces))
    source, settle = avatar.source(generator), _settle(str(getattr(generator, "device", "cpu")))

    def draw() -> None:
        generator.render(source, faces[0], poses[0])
        if settle is not None:
            settle()

    return timed(draw)


def _costs(generator: Generator) -> tuple[list[NetworkCost], tuple[str, ...]]:
    """Networks that ship, and the family's own; and why those could not be counted."""
    if generator.family in GENERATORS:
        return shipped(), ()
    try:
        return [*shipped(), *family_cost(generator)], ()
    except RuntimeError as error:  # such as no memory for a second copy of what a frame needs
        return shipped(), (f"the networks of {generator.family} are not counted: {' '.join(str(error).split())[:200]}",)


def _settle(device: str) -> Callable[[], None] | None:
    """What waits for a device; None for the CPU, which has done what it was told."""
    if not device.startswith("cuda"):
        return None
    import torch

    return lambda: torch.cuda.synchronize(device)


def _memory() -> float:
    """Most MiB that this process held; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (MIB if sys.platform == "darwin" else 1024)


def _gpu_memory(device: str) -> float | None:
    """Most MiB that torch held on a GPU."""
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.max_memory_allocated(device) / MIB
