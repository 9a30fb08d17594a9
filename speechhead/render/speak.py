"""From text or sound and a portrait to a finished video: the stages joined, each in its own time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLE_RATE
from speechhead.core.options import Progress
from speechhead.core.threads import background
from speechhead.media.image import Picture
from speechhead.media.writer import VideoWriter

from .stream import Renderer
from .track import CHUNK, SOUND_SUFFIXES, Track

T = TypeVar("T")

Portrait = str | Path | NDArray[Any] | Avatar | None
SOUND_SUFFIXES += [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"]
"""What ends like this is meant as a file, even where there is none."""

log = logging.getLogger("speechhead")


def _write(
    renderer: Renderer,
    track: Track,
    target: Path,
    fps: float,
    crop: int | None,
    watermark: str | None,
    progress: Progress | None,
) -> Path:
    """Render a track into a video; `crop` is the side of a face crop, None for the full portrait."""
    avatar = renderer.avatar
    height, width = (crop, crop) if crop else avatar.picture.shape[:2]
    total = None if track.samples is None else int(np.ceil(np.ceil(track.samples * FPS / SAMPLE_RATE) * fps / FPS))
    renderer.paste = crop is None
    with VideoWriter(target, width, height, fps, track.rate, watermark) as writer:

        def moved() -> Iterator[tuple[Array | None, Iterator[Picture]]]:
            for heard, shown in track.pieces:
                for start in range(0, max(1, len(heard)), CHUNK):
                    yield (None if start else shown), renderer.push(heard[start : start + CHUNK])
            yield None, renderer.flush()

        # The landmarks of a chunk are worked out while the pictures of the one before are drawn and encoded.
        with background(moved(), depth=1) as chunks:
            for shown, frames in chunks:
                if shown is not None:
                    writer.write_audio(shown)
                for frame in frames:
                    writer.write(avatar.face(frame, crop) if crop else frame)
                    if progress:
                        progress(writer.frames, total)
    return target
