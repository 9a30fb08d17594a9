"""A generator by its name."""

from __future__ import annotations

from speechhead.core.errors import DeviceError
from speechhead.core.kept import opened
from speechhead.core.options import PORTRAIT_SIZE, RenderOptions, check_engine

from .protocol import Generator

GENERATORS = ("compact",)
"""Generators that ship with the library, the default one first; families speak with weights that a user imported."""


def open_generator(
    name: str = GENERATORS[0],
    size: int = PORTRAIT_SIZE,
    engine: str = "auto",
    device: str = "auto",
    threads: int | None = 1,
    precision: str = "auto",
    graph: str = "auto",
) -> Generator:
    """A generator by name, for square crops of `size` pixels.

    Parameters
    ----------
    name : compact, or a published family or the name of weights that were imported
    threads : of each of the compact generator's networks
    precision, graph : how a family runs on the device, see `engines.running.Running`

    Raises
    ------
    WeightsError for an unknown family, or one without weights or without Landmarks2Latents here; DeviceError where it
    can not run on that engine or device.
    """
    check_engine(engine)
    if name not in GENERATORS:
        return _open_family(name, size, engine, (device, precision, graph))
    if engine == "torch":
        raise DeviceError(f"engine 'torch': generator '{name}' runs on onnxruntime. Use --engine onnx or auto.")
    from speechhead.engines.onnx import providers
    from speechhead.generators.compact.generator import CompactGenerator

    providers(device)  # says so where there is no such device; the compact networks are small enough for any CPU
    return CompactGenerator.load(size=size, threads=threads)


def chosen_generator(options: RenderOptions, size: int) -> Generator:
    """The generator that options name, for crops of `size` pixels, or the ready-made one that they hold."""
    if isinstance(options.generator, str):
        asked = options.generator, size, options.engine, options.device
        how = options.precision, options.graph
        return opened(("generator", *asked, *how), lambda: open_generator(*asked, 1, *how))
    ready: Generator = options.generator
    return ready


def _open_family(name: str, size: int, engine: str, how: tuple[str, str, str]) -> Generator:
    """A family that speaks; `how` is its device, precision and graph."""
    from speechhead.engines.need import need_torch
    from speechhead.generators.checkpoints.imported import find_latents

    find_latents(name)  # what is missing is said before torch is loaded
    need_torch(f"generator '{name}'")
    from speechhead.engines.running import Running

    from .driven import DrivenGenerator

    running = None if engine == "onnx" else Running.of(*how)
    return DrivenGenerator.load(name, size, engine, running, how[0])
