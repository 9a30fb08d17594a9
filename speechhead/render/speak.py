"""From sound and a portrait to a finished video: the stages joined, each in its own time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLE_RATE
from speechhead.core.controls import Controls
from speechhead.core.options import PORTRAIT_SIZE, Progress, RenderOptions
from speechhead.core.threads import background
from speechhead.generators.open import chosen_generator
from speechhead.media.image import Picture
from speechhead.media.writer import VideoWriter

from .stream import Renderer
from .track import CHUNK, Track


def speak(
    avatar: Avatar,
    track: Track,
    target: Path,
    options: RenderOptions,
    controls: Controls,
    progress: Progress | None = None,
) -> Path:
    """Write the video of a portrait that speaks a track; see `speechhead.api.say`."""
    fps, crop = options.fps or FPS, (options.size or PORTRAIT_SIZE) if options.crop else None
    generator = chosen_generator(options, avatar.size)
    renderer = Renderer(avatar, controls, generator, options.speech2landmarks, paste=crop is None, fps=fps)
    height, width = (crop, crop) if crop else avatar.picture.shape[:2]
    total = None if track.samples is None else int(np.ceil(np.ceil(track.samples * FPS / SAMPLE_RATE) * fps / FPS))

    def moved() -> Iterator[tuple[Array | None, Iterator[Picture]]]:
        for passage in track.pieces:
            speech = passage.speech
            if passage.emotion is not None:
                renderer.feel(passage.emotion)
            for start in range(0, max(1, len(speech)), CHUNK):
                yield (None if start else passage.audio), renderer.push(speech[start : start + CHUNK])
        yield None, renderer.flush()

    with (
        VideoWriter(target, width, height, fps, track.rate, options.watermark, layout=track.layout) as writer,
        # The landmarks of a chunk are worked out while the pictures of the one before are drawn and encoded.
        background(moved(), depth=1) as chunks,
    ):
        for audio, frames in chunks:
            if audio is not None:
                writer.write_audio(audio)
            for frame in frames:
                writer.write(avatar.face(frame, crop) if crop else frame)
                if progress:
                    progress(writer.frames, total)
    return target
