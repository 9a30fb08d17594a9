"""Torch networks of the published generator families: found, opened, and put on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from speechhead.engines.onnx import providers
from speechhead.engines.torch import torch_device
from speechhead.generators.families.family import Family
from speechhead.generators.families.registry import canonical

from .exported import use_exported
from .imported import find_generator
from .stored import open_family


def open_model(generator: str, weights: str | Path | None = None, engine: str = "auto", device: str = "auto") -> Family:
    """A family with weights, on a device.

    Parameters
    ----------
    generator : family, or name of imported weights
    weights : file; the imported one if None
    engine : 'onnx' has onnxruntime compute what was exported; otherwise torch does

    Raises
    ------
    WeightsError if weights are missing or do not fit; DeviceError for an engine or device that is not there.
    """
    if engine == "onnx":
        chosen = torch.device("cpu")
        providers(device)
    else:
        chosen = torch_device(device)
    if weights is None:
        path = find_generator(generator)
        model = open_family(path)
    else:
        path = Path(weights)
        model = open_family(path, canonical(generator))  # a given file may have any name, its family must be one
    if engine == "onnx":
        return use_exported(model, path, device)
    return model.to(chosen)
