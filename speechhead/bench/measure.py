"""The measurements: a run in one thread, stage by stage; `say` as it is; several sessions; a driver's face."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.core.stages import STAGES, Stopwatch
from speechhead.core.threads import WORKERS
from speechhead.face.landmarks import Pose
from speechhead.face.tracker import FaceTracker
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.media.writer import VideoWriter
from speechhead.render.stream import Renderer
from speechhead.speech.protocol import SpeechModel

from .case import SessionRate, StageTime

BLOCK = 2 * SAMPLES_PER_FRAME
"""Samples that are pushed at once: the block of the speech network, 80 ms."""

FOLLOWED = 12
"""Pictures that a face is followed through."""


@dataclass(frozen=True)
class StagedRun:
    """A run in one thread: seconds of each stage in each step (a block of sound, or a frame), frames, wall seconds."""

    steps: Sequence[Mapping[str, float]]
    frames: int
    wall: float
    pictures: Sequence[Picture]


def moves(renderer: Renderer, sound: Array) -> Iterator[tuple[Array, list[Pose]]]:
    """Landmarks [k, 70, 3] and poses of each block of sound, and at the end of what waited for more."""
    stream, heard = renderer.open_stream(), 0
    for start in (*range(0, len(sound), BLOCK), None):
        motion = stream.flush() if start is None else stream.push(sound[start : start + BLOCK])
        end = min(heard + len(motion) * SAMPLES_PER_FRAME, len(sound))
        yield renderer.motion.step(motion, sound[heard:end])
        heard = end


def staged(renderer: Renderer, sound: Array, target: Path, settle: Callable[[], None] | None = None) -> StagedRun:
    """Speak, one thing after the other: no stage hides behind another, and together they are the run.

    The run begins when the file is open, and ends when its last frame is written, before it is closed.
    """
    watch, pictures = Stopwatch(settle), []
    height, width = renderer.avatar.picture.shape[:2]
    frames = 0
    with watch.running(), VideoWriter(target, width, height, sample_rate=None) as writer:
        start = time.perf_counter()
        for faces, poses in moves(renderer, sound):
            watch.cut()
            for face, pose in zip(faces, poses):
                picture = renderer.draw(face, pose)
                writer.write(picture)
                frames += 1
                watch.wait("mux", frames)  # the encoder has a thread of its own
                watch.cut()
                pictures.append(picture)
                del pictures[:-FOLLOWED]
        wall = time.perf_counter() - start
    return StagedRun(watch.steps, frames, wall, pictures)


def stage_times(runs: Sequence[StagedRun]) -> tuple[tuple[StageTime, ...], float]:
    """The stages of some runs in their order, "other" last, and the part of the time that they account for."""
    frames, wall = sum(run.frames for run in runs), sum(run.wall for run in runs)
    spent = {name: [step[name] for run in runs for step in run.steps if name in step] for name in STAGES}
    total = sum(map(sum, spent.values()))
    found = [_stage(name, values, frames, wall) for name, values in spent.items() if values]
    rest = max(wall - total, 0.0)
    each = 1000 * rest / frames
    return (*found, StageTime("other", 1.0, each, each, each, rest / wall)), min(total / wall, 1.0)


def _stage(name: str, values: Sequence[float], frames: int, wall: float) -> StageTime:
    late = float(np.percentile(values, 95))
    sums = sum(values)
    return StageTime(name, len(values) / frames, 1000 * median(values), 1000 * late, 1000 * sums / frames, sums / wall)


def said(renderer: Renderer, sound: Array, target: Path) -> float:
    """Frames per second of speech from sound to file, drawing and encoding beside each other, as `say` does it."""
    height, width = renderer.avatar.picture.shape[:2]
    start = time.perf_counter()
    with VideoWriter(target, width, height) as writer:
        writer.write_audio(sound)
        for pictures in (renderer.push(sound), renderer.flush()):
            for picture in pictures:
                writer.write(picture)
    return writer.frames / (time.perf_counter() - start)


def together(avatar: Avatar, generator: Generator, speech: SpeechModel, sound: Array, count: int) -> SessionRate:
    """Portraits that speak at the same time, each its own way."""
    renderers = [Renderer(avatar, Controls(seed=seed), generator, speech) for seed in range(count)]
    batched = bool(getattr(generator, "batched", False))
    start = time.perf_counter()
    if batched:
        frames = _in_batches(renderers, generator, sound)
    else:
        with ThreadPoolExecutor(min(count, WORKERS)) as pool:
            frames = sum(pool.map(lambda one: _alone(one, sound), renderers))
    return SessionRate(count, frames / (time.perf_counter() - start), batched)


def _alone(renderer: Renderer, sound: Array) -> int:
    """Draw a session's frames, one after the other; how many."""
    return sum(1 for faces, poses in moves(renderer, sound) for one in zip(faces, poses) if renderer.draw(*one).any())


def _in_batches(renderers: Sequence[Renderer], generator: Any, sound: Array) -> int:
    """Draw the same frame of all sessions in one call, then the next; how many."""
    sources = [renderer.avatar.source(generator) for renderer in renderers]
    frames = 0
    for blocks in zip(*(moves(renderer, sound) for renderer in renderers)):
        for number in range(len(blocks[0][0])):
            faces = np.stack([faces[number] for faces, _ in blocks])
            drawn = generator.render_many(sources, faces, [poses[number] for _, poses in blocks])
            frames += len([renderer.avatar.paste(picture) for renderer, picture in zip(renderers, drawn)])
    return frames


def followed(pictures: Sequence[Picture]) -> float:
    """Median ms to follow a face from one picture to the next, as a driver's is; the first one is looked for."""
    at = [time.perf_counter() for _ in FaceTracker(threads=1).track(pictures)]
    return 1000 * float(np.median(np.diff(at))) if len(at) > 1 else 0.0
