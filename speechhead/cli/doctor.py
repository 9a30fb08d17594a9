"""What works on this machine: versions, engines, voices, weights, and how fast it renders."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from speechhead import __version__
from speechhead.core import weights
from speechhead.core.clocks import FPS, SAMPLE_RATE
from speechhead.core.errors import SpeechheadError
from speechhead.generators.checkpoints import imported

PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "av", "opencv-python-headless", "torch", "piper-tts")


def report() -> Iterator[tuple[str, str, bool]]:
    """Lines of the report as (name, state, whether all is well), each as soon as it is known."""
    yield "speechhead", f"{__version__} on Python {platform.python_version()}, {platform.platform(terse=True)}", True
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield "cores", f"{cores}", True
    yield "packages", ", ".join(_packages()), True

    import onnxruntime

    yield "engines", ", ".join(n.removesuffix("ExecutionProvider") for n in onnxruntime.get_available_providers()), True
    yield _encoder()

    from speechhead.tts import voices

    known = voices()
    able = [voice.name for voice in known if voice.available]
    yield "voices", ", ".join(able) or f"none. {known[0].remedy}.", bool(able)
    try:
        states = weights.verify()
        bad = [f"{name} {state}" for name, state in states.items() if state != "ok"]
        yield "weights", ", ".join(bad) or f"{len(states)} files intact in {weights.folder()}", not bad
    except SpeechheadError as error:
        yield "weights", str(error), False
    own = [f"{item.name}{'' if item.speaks else ' (animate only)'}" for item in imported.imported().values()]
    yield "generators", ", ".join(["compact", *own]), True
    try:
        rate = render_speed()
        yield "speed", f"{rate:.1f} frames per second of the default portrait ({FPS} is real time)", True
    except SpeechheadError as error:
        yield "speed", str(error), False


def render_speed(seconds: float = 2.0) -> float:
    """Frames per second at which the default portrait is rendered, without encoding."""
    from speechhead.avatar.portrait import Avatar
    from speechhead.render.stream import Renderer

    renderer = Renderer(Avatar.default())
    hum = 0.1 * np.sin(2 * np.pi * 150 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE).astype(np.float32)
    list(renderer.push(hum[: SAMPLE_RATE // 2]))  # the first frames load caches
    start, frames = time.perf_counter(), 0
    for _ in renderer.push(hum):
        frames += 1
    return frames / (time.perf_counter() - start)


def _packages() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue


def _encoder() -> tuple[str, str, bool]:
    import av

    try:
        av.codec.Codec("libx264", "w")
        return "video", "H.264 encoder libx264", True
    except (av.FFmpegError, ValueError):
        return "video", "no H.264 encoder in PyAV. pip install --force-reinstall av.", False
