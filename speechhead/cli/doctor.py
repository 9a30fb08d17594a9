"""What works on this machine: versions, engines, voices, weights, and how fast it renders."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from speechhead import __version__
from speechhead.core import weights
from speechhead.core.clocks import FPS, SAMPLE_RATE
from speechhead.core.errors import SpeechheadError
from speechhead.generators.checkpoints import imported

from .devices import devices
from .finding import Finding

PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "av", "opencv-python-headless", "torch", "piper-tts")


def report() -> Iterator[Finding]:
    """Lines of the report, each as soon as it is known."""
    told = f"{__version__} on Python {platform.python_version()}, {platform.platform(terse=True)}"
    yield Finding("speechhead", told, True, {"version": __version__, "python": platform.python_version()})
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("cores", f"{cores}", True, {"count": cores})
    packages = dict(_packages())
    yield Finding(
        "packages", ", ".join(f"{name} {number}" for name, number in packages.items()), True, {"versions": packages}
    )
    yield from devices()
    yield _encoder()

    from speechhead.tts import voices

    known = voices()
    able = [voice.name for voice in known if voice.available]
    yield Finding("voices", ", ".join(able) or f"none. {known[0].remedy}.", bool(able), {"names": able})
    yield _weights()
    own = [f"{item.name}{'' if item.speaks else ' (animate only)'}" for item in imported.imported().values()]
    yield Finding("generators", ", ".join(["compact", *own]), True, {"names": ["compact", *imported.imported()]})
    try:
        rate = render_speed()
        words = f"{rate:.1f} frames per second of the default portrait ({FPS} is real time)"
        yield Finding("speed", words, True, {"frames_per_second": round(rate, 1)})
    except SpeechheadError as error:
        yield Finding("speed", str(error), False)


def told_as_json(found: Sequence[Finding]) -> str:
    """The report as one JSON object: whether all is well, and each finding by its name."""
    return json.dumps({"ok": all(one.good for one in found), **{one.name: one.record for one in found}})


def _weights() -> Finding:
    try:
        states = weights.verify()
    except SpeechheadError as error:
        return Finding("weights", str(error), False)
    bad = [f"{name} {state}" for name, state in states.items() if state != "ok"]
    state = ", ".join(bad) or f"{len(states)} files intact in {weights.folder()}"
    return Finding("weights", state, not bad, {"files": states})


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


def _packages() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _encoder() -> Finding:
    import av

    try:
        av.codec.Codec("libx264", "w")
        return Finding("video", "H.264 encoder libx264", True, {"encoder": "libx264"})
    except (av.FFmpegError, ValueError):
        return Finding("video", "no H.264 encoder in PyAV. pip install --force-reinstall av.", False)
