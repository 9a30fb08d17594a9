"""From sound and a portrait to a finished video: the stages joined, each in its own time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLE_RATE
from speechhead.core.controls import Controls
from speechhead.core.options import Progress, RenderOptions
from speechhead.core.results import ResultOptions
from speechhead.core.threads import background
from speechhead.media.formats import is_form, open_writer
from speechhead.media.h264 import H264
from speechhead.media.image import Picture

from .studio import StudioRenderer
from .track import CHUNK, Track


def speak(
    avatar: Avatar,
    track: Track,
    target: Path,
    options: RenderOptions,
    controls: Controls,
    progress: Progress | None = None,
    results: ResultOptions | None = None,
) -> Path:
    """Write the video of a portrait that speaks a track; see `speechhead.api.say`."""
    fps, results = options.fps or FPS, results or ResultOptions()
    renderer = StudioRenderer(avatar, controls, options, results, fps)
    total = None if track.samples is None else int(np.ceil(np.ceil(track.samples * FPS / SAMPLE_RATE) * fps / FPS))

    def moved() -> Iterator[tuple[Array | None, Iterator[Picture]]]:
        for passage in track.pieces:
            speech = passage.speech
            if passage.emotion is not None:
                renderer.feel(passage.emotion)
            for start in range(0, max(1, len(speech)), CHUNK):
                yield (None if start else passage.audio), renderer.push(speech[start : start + CHUNK])
        yield None, renderer.flush()

    coding = None
    if not is_form(target, results.alpha):
        coding = H264.chosen(options.encoder, getattr(renderer.generator, "device", "cpu"), renderer.size)
    form = options.watermark, results.alpha, track.layout, coding
    with (
        open_writer(target, renderer.size, fps, track.rate, *form) as writer,
        # The landmarks of a chunk are worked out while the pictures of the one before are drawn and encoded.
        background(moved(), depth=1) as chunks,
    ):
        for audio, frames in chunks:
            if audio is not None:
                writer.write_audio(audio)
            for frame in frames:
                writer.write(frame)
                if progress:
                    progress(writer.frames, total)
    if renderer.log is not None and results.export_motion is not None:
        renderer.log.write_motion(results.export_motion)
    if renderer.log is not None and results.blendshapes is not None:
        renderer.log.write_blendshapes(results.blendshapes)
    return target
