"""An ONNX file without the package onnx, which the base install lacks: protocol buffers are fields within fields."""

from __future__ import annotations

from collections.abc import Iterator

GRAPH, INITIALIZER = 7, 5
"""Fields: the graph of a model, and the arrays of a graph."""

DIMS, TYPE, NAME, RAW = 1, 2, 8, 9
"""Fields of an array."""


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and values of a message's fields: an int, or the bytes of what has a length.

    Raises
    ------
    IndexError, KeyError or ValueError where the bytes are no message.
    """
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


def numbers(value: int | memoryview) -> Iterator[int]:
    """The numbers of a repeated field: one alone, or many packed together."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def initializers(model: bytes) -> Iterator[memoryview]:
    """The arrays of a model, each a message of its own."""
    for field, graph in fields(memoryview(model)):
        for inner, array in fields(graph) if field == GRAPH and isinstance(graph, memoryview) else ():
            if inner == INITIALIZER and isinstance(array, memoryview):
                yield array


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number of seven bits a byte that begins at a place, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
