"""Networks of TensorFlow.js (graph models), run by numpy: small ones of others, for evaluation alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.errors import WeightsError

Node = Mapping[str, Any]


def _text(attribute: Mapping[str, Any]) -> str:
    return base64.b64decode(attribute["s"]).decode()


def _pair(node: Node, name: str) -> tuple[int, int]:
    """The middle two of four whole numbers: those of height and width."""
    values = node["attr"][name]["list"]["i"]
    return int(values[1]), int(values[2])


def _windows(values: Array, size: tuple[int, int], node: Node, filled: float) -> Array:
    """Windows [1, H, W, C, h, w] of a picture [1, H, W, C] under a node's strides and padding."""
    strides, padded = _pair(node, "strides"), [(0, 0), (0, 0), (0, 0), (0, 0)]
    if _text(node["attr"]["padding"]) == "SAME":
        for axis, (side, step) in enumerate(zip(size, strides)):
            length = values.shape[1 + axis]
            missing = max((-(-length // step) - 1) * step + side - length, 0)
            padded[1 + axis] = (missing // 2, missing - missing // 2)
    whole = np.pad(values, padded, constant_values=filled)
    return np.asarray(sliding_window_view(whole, size, axis=(1, 2))[:, :: strides[0], :: strides[1]], np.float32)


def _fused(node: Node, value: Array, extra: list[Array]) -> Array:
    """Bias and activation that a node does by the way."""
    for name in (base64.b64decode(one).decode() for one in node["attr"]["fused_ops"]["list"].get("s", [])):
        value = np.maximum(value, 0) if name == "Relu" else value + extra[0]
    return value


def _convolved(node: Node, given: list[Array]) -> Array:
    kernel = given[1]
    seen = _windows(given[0], (kernel.shape[0], kernel.shape[1]), node, 0.0)
    return np.asarray(np.tensordot(seen, kernel, axes=([3, 4, 5], [2, 0, 1])), np.float32)


def _by_channel(node: Node, given: list[Array]) -> Array:
    kernel = given[1]
    seen = _windows(given[0], (kernel.shape[0], kernel.shape[1]), node, 0.0)
    out = np.einsum("nhwcij,ijcm->nhwcm", seen, kernel)
    return np.asarray(out.reshape(*out.shape[:3], -1), np.float32)


def _softmax(values: Array) -> Array:
    power = np.exp(values - values.max(-1, keepdims=True))
    return np.asarray(power / power.sum(-1, keepdims=True), np.float32)


OPERATIONS: dict[str, Callable[[Node, list[Array]], Array]] = {
    "Conv2D": _convolved,
    "_FusedConv2D": lambda node, given: _fused(node, _convolved(node, given), given[2:]),
    "DepthwiseConv2dNative": _by_channel,
    "_FusedMatMul": lambda node, given: _fused(node, given[0] @ given[1], given[2:]),
    "MaxPool": lambda node, given: np.asarray(
        _windows(given[0], _pair(node, "ksize"), node, -np.inf).max((4, 5)), np.float32
    ),
    "Mean": lambda node, given: np.asarray(given[0].mean(tuple(given[1].astype(int).ravel())), np.float32),
    "Relu": lambda node, given: np.maximum(given[0], 0),
    "Softmax": lambda node, given: _softmax(given[0]),
    "Sigmoid": lambda node, given: np.asarray(1 / (1 + np.exp(-given[0])), np.float32),
    "Identity": lambda node, given: given[0],
    **dict.fromkeys(("Add", "AddV2"), lambda node, given: given[0] + given[1]),
    "Mul": lambda node, given: given[0] * given[1],
    "Minimum": lambda node, given: np.minimum(given[0], given[1]),
    "Maximum": lambda node, given: np.maximum(given[0], given[1]),
}
"""What is done for each kind of node."""


class GraphModel:
    """One network of a NAME.json and its NAME.bin.

    Raises
    ------
    WeightsError if a file is missing or damaged, or the network has a node of another kind.
    """

    def __init__(self, path: Path) -> None:
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            self._nodes: dict[str, Node] = {node["name"]: node for node in read["modelTopology"]["node"]}
            self._constants = _constants(read["weightsManifest"], path.parent)
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(f"{path}: no graph model of TensorFlow.js ({error}). Give its .json and .bin.") from None
        known = {*OPERATIONS, "Const", "Placeholder"}
        others = sorted({node["op"] for node in self._nodes.values()} - known)
        if others:
            raise WeightsError(f"{path}: nodes {', '.join(others)} are not known here. Take another network.")

    def __call__(self, picture: NDArray[Any], output: str) -> Array:
        """What the node `output` gives for one input [1, H, W, C]."""
        known: dict[str, Array] = {}

        def value(name: str) -> Array:
            if name not in known:
                node = self._nodes[name]
                if node["op"] == "Placeholder":
                    known[name] = np.asarray(picture, np.float32)
                elif node["op"] == "Const":
                    known[name] = self._constants[name]
                else:
                    given = [value(one.partition(":")[0]) for one in node["input"]]
                    known[name] = OPERATIONS[node["op"]](node, given)
            return known[name]

        return value(output)


def _constants(manifest: list[dict[str, Any]], folder: Path) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for group in manifest:
        store, at = b"".join((folder / name).read_bytes() for name in group["paths"]), 0
        for entry in group["weights"]:
            kind = np.dtype(entry.get("quantization", {}).get("dtype", entry["dtype"]))
            count = int(np.prod(entry["shape"], dtype=int))
            values = np.frombuffer(store, kind, count, at).reshape(entry["shape"])
            found[entry["name"]] = values.astype(np.float32)
            at += count * kind.itemsize
    return found
