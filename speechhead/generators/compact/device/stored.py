"""Weights of a shipped ONNX file by their names in torch, without the package onnx: a file is fields within fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.errors import WeightsError

GRAPH, INITIALIZER = 7, 5
"""Fields: the graph of a model, and the arrays of a graph."""

DIMS, TYPE, NAME, RAW = 1, 2, 8, 9
"""Fields of an array."""

TYPES = {1: np.float32, 10: np.float16}


def stored(path: Path, prefix: str = "model.") -> dict[str, Array]:
    """Arrays whose names begin with `prefix`, by what follows, float32.

    Raises
    ------
    WeightsError where the file is not such a model.
    """
    found = {}
    try:
        for field, graph in _fields(memoryview(path.read_bytes())):
            for inner, array in _fields(graph) if field == GRAPH and isinstance(graph, memoryview) else ():
                if inner == INITIALIZER and isinstance(array, memoryview):
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
    for number, value in _fields(field):
        if isinstance(value, int):
            if number == DIMS:
                sides.append(value)
            elif number == TYPE:
                kind = value
        elif number == DIMS:
            sides += list(_numbers(value))
        elif number == NAME:
            name = bytes(value).decode()
        elif number == RAW:
            raw = value
    if kind not in TYPES:
        return "", np.zeros(0, np.float32)
    return name, np.frombuffer(raw, TYPES[kind]).astype(np.float32).reshape(sides)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and values of a message's fields (protocol buffers)."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}[kind]
        if at + size > len(data):
            raise ValueError("cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _numbers(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
