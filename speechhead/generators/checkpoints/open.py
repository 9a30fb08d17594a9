"""Torch networks of the published generator families: found, opened, and put on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from speechhead.engines.onnx import providers
from speechhead.engines.running import Running
from speechhead.generators.families.family import Family
from speechhead.generators.families.registry import canonical

from .exported import use_exported
from .imported import find_generator
from .stored import open_family


def open_model(generator: str, weights: str | Path | None = None, engine: str = "auto", device: str = "auto") -> Family:
    """A family with weights, on a device, in float32; see `open_running`."""
    running = Running(torch.device("cpu") if engine == "onnx" else Running.of(device, "fp32", "none").device)
    return open_running(generator, weights, engine, running, device)[0]


def open_running(
    generator: str,
    weights: str | Path | None = None,
    engine: str = "auto",
    running: Running | None = None,
    device: str = "auto",
) -> tuple[Family, Running]:
    """A family with weights, on its device, and how it runs there.

    Parameters
    ----------
    generator : family, or name of imported weights
    weights : file; the imported one if None
    engine : 'onnx' has onnxruntime compute what was exported; otherwise torch does
    running : what suits the device if None
    device : of onnxruntime

    Raises
    ------
    WeightsError if weights are missing or do not fit; DeviceError for an engine or device that is not there.
    """
    if engine == "onnx":
        running = Running(torch.device("cpu"))
        providers(device)
    else:
        running = running or Running.of(device)
    if weights is None:
        path = find_generator(generator)
        model = open_family(path)
    else:
        path = Path(weights)
        model = open_family(path, canonical(generator))  # a given file may have any name, its family must be one
    if engine == "onnx":
        return use_exported(model, path, device), running
    running.place(model)
    return model, running
