"""Torch networks of the published generator families: found, opened, and put on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import DeviceError
from ..generators.family import Family
from ..generators.registry import canonical, open_family
from ..weights import find_generator
from .exported import use_exported
from .onnx import DEVICES, providers


def torch_device(device: str = "auto") -> torch.device:
    """The device for 'cpu', 'cuda' (also 'cuda:1'), or 'auto': cuda where there is one.

    Raises
    ------
    DeviceError if cuda is asked for and torch has none, or the name is unknown.
    """
    if device.split(":")[0] not in DEVICES:
        raise DeviceError(f"device '{device}' is unknown. Use one of {', '.join(DEVICES)}.")
    there = torch.cuda.is_available()
    if device.startswith("cuda"):
        if not there:
            raise DeviceError(
                f"device '{device}': torch finds no GPU here. pip install 'speechhead[gpu]' or --device cpu."
            )
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise DeviceError(
                f"device '{device}': not usable ({str(error).splitlines()[0][:80]}). Use cuda."
            ) from error
        return torch.device(device)
    return torch.device("cuda" if there and device == "auto" else "cpu")


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
