"""Crops of a portrait one after the other, drawn in batches by a device that likes that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.stages import stage
from speechhead.core.threads import background, in_order
from speechhead.face.landmarks import Pose
from speechhead.generators.protocol import DeviceGenerator, Generator
from speechhead.media.image import Picture

T = TypeVar("T")

BATCH = 16
"""Frames that a GPU draws at once where nobody waits for the first of them."""


def batch_of(generator: Generator) -> int:
    """Frames to give a generator at once: one on a CPU, whose threads take a frame each."""
    on_device = isinstance(generator, DeviceGenerator) and generator.batched and generator.device != "cpu"
    return BATCH if on_device else 1


def in_batches(
    pool: ThreadPoolExecutor,
    generator: Generator,
    source: Any,
    motions: Iterable[tuple[Array, Pose]],
    finish: Callable[[Picture], T],
) -> Iterator[T]:
    """Frames of a portrait in order, drawn in batches; what is done with a crop overlaps the drawing of the next ones.

    Parameters
    ----------
    pool : threads that finish
    motions : landmarks and pose of each frame
    finish : of a crop, such as pasting it back
    """
    count = batch_of(generator)
    with background(_batches(generator, source, iter(motions), count), depth=2 * count) as crops:
        yield from in_order(pool, finish, ((crop,) for crop in crops))


def _batches(generator: Any, source: Any, motions: Iterator[tuple[Array, Pose]], count: int) -> Iterator[Picture]:
    while asked := list(islice(motions, count)):
        faces, poses = np.stack([face for face, _ in asked]), [pose for _, pose in asked]
        with stage("draw"):
            drawn = generator.render_many([source] * len(asked), faces, poses)
        yield from drawn
