"""What is measured: the generator of a case, a portrait, and a sound that moves its lips."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import WeightsError
from speechhead.generators.open import GENERATORS


def babble(seconds: float) -> Array:
    """A voice that says vowels, two syllables a second: float32 [n] at 16 kHz, the same every time.

    Its two formants move, so that Speech2Landmarks opens the mouth as far as for speech, and teeth are drawn.
    """
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 120 + 15 * np.sin(2 * np.pi * 0.7 * at)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    first, second = 500 + 250 * np.sin(2 * np.pi * 1.9 * at), 1500 + 600 * np.sin(2 * np.pi * 1.3 * at)
    voice = np.zeros_like(at)
    for harmonic in range(1, 30):
        tone = harmonic * pitch
        gain = 1 / (1 + ((tone - first) / 90) ** 2) + 0.6 / (1 + ((tone - second) / 120) ** 2)
        voice += gain * np.sin(harmonic * phase)
    syllables = np.sqrt(np.clip(np.sin(2 * np.pi * 2.1 * at), 0, 1))
    return np.asarray(0.25 * voice * syllables / max(np.abs(voice).max(), 1e-9), np.float32)


def check_named(generator: str) -> None:
    """Say that a generator is unknown, or a file of weights not there, before anything is measured; WeightsError."""
    from speechhead.generators.checkpoints.imported import find_latents
    from speechhead.generators.families.registry import is_known

    if generator in GENERATORS or is_known(generator):
        return
    find_latents(generator)


@contextmanager
def named_weights(generator: str) -> Iterator[tuple[str, str]]:
    """The name to open a generator by, and whose weights those are: "own", or "random" for a family without any.

    Speed does not depend on the numbers: so a family's full size is measured on a machine that has only the code.

    Raises
    ------
    WeightsError for an unknown name; DeviceError for a family without torch.
    """
    from speechhead.generators.checkpoints.imported import find_latents

    check_named(generator)
    if generator in GENERATORS:
        yield generator, "own"
        return
    try:
        find_latents(generator)
    except WeightsError:
        with tempfile.TemporaryDirectory(prefix="speechhead-bench-") as folder:
            yield str(_random(generator, Path(folder))), "random"
        return
    yield generator, "own"


def _random(name: str, folder: Path) -> Path:
    """The full-size network of a family with fresh weights, and a Landmarks2Latents beside it."""
    from speechhead.generators.families import registry

    kind = registry.config_class(name)
    import torch

    from speechhead.generators.checkpoints.imported import latents_path
    from speechhead.generators.checkpoints.stored import save_family
    from speechhead.generators.families.latents import FamilyLatents, LatentsConfig

    torch.manual_seed(0)
    model = registry.build(registry.canonical(name), kind.full_size()).eval()
    with torch.inference_mode():
        motion = model.motion(torch.rand(1, 3, model.image_size, model.image_size))
        latent = model.to_latent(motion).shape[1]
    path = save_family(model, folder / f"{model.name}.safetensors")
    FamilyLatents(LatentsConfig(model.name, latent)).save(latents_path(path))
    return path
