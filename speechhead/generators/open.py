"""A generator by its name."""

from __future__ import annotations

import logging

from speechhead.core.errors import DeviceError
from speechhead.core.kept import opened
from speechhead.core.options import PORTRAIT_SIZE, RenderOptions, check_device, check_engine
from speechhead.engines.need import need_torch, usable_cuda

from .checkpoints.imported import find_latents
from .protocol import Generator, SizedGenerator

log = logging.getLogger("speechhead")

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
    engine : onnx, torch or auto; compact with torch draws on the device, and is meant for a GPU: a CPU is quicker with
        onnx
    device : auto takes a GPU that torch can use; asked for and not there, it is an error
    threads : of each network on the CPU; with torch of the process's other networks, too. None takes all cores
    precision, graph : how a family runs on the device, see `engines.running.Running`; compact draws in float32, and is
        not compiled

    Raises
    ------
    WeightsError for an unknown family, or one without weights or without Landmarks2Latents here; DeviceError where it
    can not run on that engine or device.
    """
    check_engine(engine)
    if name not in GENERATORS:
        return _open_family(name, size, engine, (device, precision, graph), threads)
    return _open_compact(size, engine, device, threads, graph)


def check_generator(name: str, engine: str = "auto", device: str = "auto") -> None:
    """Say what is wrong with a generator's name, weights, engine or device before anything is opened.

    Raises
    ------
    WeightsError or DeviceError as `open_generator`, but for what only the content of files or of a device shows.
    """
    check_engine(engine)
    check_device(device)
    if name not in GENERATORS:
        find_latents(name)
        need_torch(f"generator '{name}'")
    if name in GENERATORS and engine == "onnx" and device.startswith("cuda"):
        raise DeviceError(f"device '{device}': generator '{name}' draws there with torch. Use --engine torch or auto.")
    if device.startswith("cuda") and engine != "onnx":
        need_torch(f"generator '{name}' with --device {device}")
        from speechhead.engines.torch import torch_device

        torch_device(device)


def chosen_generator(options: RenderOptions, size: int) -> Generator:
    """The generator that options name, or the ready-made one that they hold, for crops of `size` pixels.

    A ready-made one that has no other sizes stays as it is.
    """
    if isinstance(options.generator, str):
        asked = options.generator, size, options.engine, options.device
        how = options.precision, options.graph
        return opened(("generator", *asked, *how), lambda: open_generator(*asked, 1, *how))
    ready: Generator = options.generator
    return ready.sized(size) if isinstance(ready, SizedGenerator) and ready.size != size else ready


def _open_compact(size: int, engine: str, device: str, threads: int | None, graph: str) -> Generator:
    """The compact generator: with torch on a GPU, and on the CPU where torch is asked for; else OpenCV draws."""
    check_generator(GENERATORS[0], engine, device)
    if graph == "compile":
        log.warning("generator '%s': --graph compile is for families; it runs with --graph auto.", GENERATORS[0])
        graph = "auto"
    cpu = device == "cpu" or (device == "auto" and not usable_cuda())
    if engine == "onnx" or (engine == "auto" and cpu):
        from speechhead.generators.compact.generator import CompactGenerator

        return CompactGenerator.load(size=size, threads=threads)
    need_torch(f"generator 'compact' with --engine {engine} --device {device}")
    from speechhead.engines.running import Running
    from speechhead.generators.compact.device.generator import CompactOnDevice

    return CompactOnDevice(size, threads, Running.of(device, "fp32", "none" if cpu else graph))


def _open_family(name: str, size: int, engine: str, how: tuple[str, str, str], threads: int | None) -> Generator:
    """A family that speaks; `how` is its device, precision and graph."""
    check_generator(name, engine, how[0])  # what is missing is said before torch is loaded
    from speechhead.engines.running import Running

    from .driven import DrivenGenerator

    running = None if engine == "onnx" else Running.of(*how)
    made = DrivenGenerator.load(name, size, engine, running, how[0])
    if made.device == "cpu" and threads is not None:
        from speechhead.engines.torch import use_threads

        use_threads(threads)
    return made
