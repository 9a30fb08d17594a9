"""Weights of a shipped ONNX file by their names in torch, without the package onnx."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.errors import WeightsError
from speechhead.engines.onnx_file import DIMS, NAME, RAW, TYPE, fields, initializers, numbers

TYPES = {1: np.float32, 10: np.float16}


def stored(path: Path, prefix: str = "model.") -> dict[str, Array]:
    """Arrays whose names begin with `prefix`, by what follows, float32.

    Raises
    ------
    WeightsError where the file is not such a model.
    """
    found = {}
    try:
        for array in initializers(path.read_bytes()):
            name, values = _array(array)
            if name.startswith(prefix):
                found[name.removeprefix(prefix).removesuffix("_stored")] = values
    except (IndexError, KeyError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable ONNX model. Run `speechhead weights verify`.") from error
    if not found:
        raise WeightsError(f"{path}: holds no weights. Run `speechhead weights verify`.")
    return found


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
