"""Weights of a shipped ONNX file by their names in torch, without the package onnx."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.errors import WeightsError
from speechhead.engines.onnx_file import DIMS, NAME, RAW, TYPE, fields, initializers, numbers

TYPES: dict[int, type[np.generic]] = {1: np.float32, 3: np.int8, 6: np.int32, 10: np.float16}

WHOLE = "_quantized"
"""End of the name of whole numbers, whose scale is `NAME_scale` (weights) or `NAME_quantized_scale` (biases), one a
channel."""


def stored(path: Path, prefix: str = "model.") -> dict[str, Array]:
    """Arrays whose names begin with `prefix`, by what follows, float32; whole numbers times their scales.

    Raises
    ------
    WeightsError where the file is not such a model.
    """
    try:
        arrays = dict(_array(array) for array in initializers(path.read_bytes()))
        found = {
            name.removeprefix(prefix).removesuffix("_stored").removesuffix(WHOLE): _scaled(name, arrays)
            for name in arrays
            if name.startswith(prefix) and not name.endswith(("_scale", "_zero_point"))
        }
    except (IndexError, KeyError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable ONNX model. Run `speechhead weights verify`.") from error
    if not found:
        raise WeightsError(f"{path}: holds no weights. Run `speechhead weights verify`.")
    return found


def _scaled(name: str, arrays: dict[str, Array]) -> Array:
    values = arrays[name]
    if not name.endswith(WHOLE):
        return values
    scale = arrays.get(f"{name}_scale")
    if scale is None:
        scale = arrays[f"{name.removesuffix(WHOLE)}_scale"]
    return np.asarray(values * scale.reshape(-1, *[1] * (values.ndim - 1)), np.float32)


def _array(field: memoryview) -> tuple[str, Array]:
    name, kind, raw = "", 1, memoryview(b"")
    sides: list[int] = []
    for number, value in fields(field):
        if number == DIMS:
            sides += numbers(value)
        elif isinstance(value, int):
            kind = value if number == TYPE else kind
        elif number == NAME:
            name = bytes(value).decode()
        elif number == RAW:
            raw = value
    if kind not in TYPES:
        return "", np.zeros(0, np.float32)
    return name, np.frombuffer(raw, TYPES[kind]).astype(np.float32).reshape(sides)
