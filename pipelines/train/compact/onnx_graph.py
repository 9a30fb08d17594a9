"""An ONNX network walked node by node in torch, so that a shipped or packaged network can serve as a loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper
from onnx.numpy_helper import to_array
from torch import Tensor, nn
from torch.nn import functional as F


class OnnxGraph(nn.Module):
    """The part of an ONNX file that some outputs need, differentiable in its input; weights are frozen.

    Only the operators that feature and landmark networks consist of are known; casts (of stored half precision) are
    passed over, as all is computed in single precision. Weights are buffers that no checkpoint holds: they go to
    whatever device the module goes to.

    Parameters
    ----------
    path : the ONNX file
    outputs : names of the values wanted
    start : name of the value that is given; the graph's input if None
    """

    def __init__(self, path: str | Path, outputs: Sequence[str], start: str | None = None) -> None:
        super().__init__()
        graph = onnx.load(str(path)).graph
        self.start, self.outputs = start or graph.input[0].name, tuple(outputs)
        self.initializers: dict[str, str] = {}
        """Names of the file's weights to those of their buffers, which may hold no dots."""
        for number, item in enumerate(graph.initializer):
            value = torch.from_numpy(np.array(to_array(item)))
            self.initializers[item.name] = f"initializer_{number}"
            value = value.float() if value.is_floating_point() else value
            self.register_buffer(self.initializers[item.name], value, persistent=False)
        by_output = {name: node for node in graph.node for name in node.output}
        wanted, needed = list(outputs), set()
        while wanted:
            name = wanted.pop()
            if name != self.start and name in by_output and name not in needed:
                needed.add(name)
                wanted += by_output[name].input
        self.nodes = []
        for node in graph.node:
            if needed.intersection(node.output):
                options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
                self.nodes.append((node.op_type, list(node.input), node.output[0], options))

    def forward(self, value: Tensor) -> list[Tensor]:
        """The wanted values for the given one."""
        known = {name: self.get_buffer(buffer) for name, buffer in self.initializers.items()} | {self.start: value}
        for kind, inputs, output, options in self.nodes:
            known[output] = _apply(kind, [known[name] if name else None for name in inputs], options)
        return [known[name] for name in self.outputs]


def _padded(x: Tensor, options: dict[str, Any], value: float) -> tuple[Tensor, list[int]]:
    """The input with its padding, and what symmetric padding is left to the operator: [top, left]."""
    top, left, bottom, right = options.get("pads", [0, 0, 0, 0])
    if (top, left) == (bottom, right):
        return x, [top, left]
    return F.pad(x, (left, right, top, bottom), value=value), [0, 0]


def _apply(kind: str, inputs: list[Any], options: dict[str, Any]) -> Tensor:
    x = inputs[0]
    if kind == "Cast":
        return x
    if kind == "Conv":
        x, pads = _padded(x, options, 0.0)
        bias = inputs[2] if len(inputs) > 2 else None
        strides, dilations = options.get("strides", [1, 1]), options.get("dilations", [1, 1])
        return F.conv2d(x, inputs[1], bias, strides, pads, dilations, options.get("group", 1))
    if kind == "MaxPool":
        ceil = bool(options.get("ceil_mode", 0))
        x, pads = _padded(x, options, -torch.inf)
        return F.max_pool2d(x, options["kernel_shape"], options["strides"], pads, ceil_mode=ceil)
    if kind == "PRelu":
        return torch.where(x >= 0, x, x * inputs[1])
    if kind == "Relu":
        return F.relu(x)
    if kind == "Sigmoid":
        return torch.sigmoid(x)
    if kind == "Add":
        return x + inputs[1]
    if kind == "Sub":
        return x - inputs[1]
    if kind == "Mul":
        return x * inputs[1]
    if kind == "Div":
        return x / inputs[1]
    if kind == "MatMul":
        return x @ inputs[1]
    if kind == "Concat":
        return torch.cat(inputs, options["axis"])
    if kind == "Transpose":
        return x.permute(options["perm"])
    if kind == "Reshape":
        return x.reshape([int(s) if s else x.shape[k] for k, s in enumerate(inputs[1])])
    if kind == "Expand":
        return x.expand([int(s) for s in inputs[1]])
    if kind == "Unsqueeze":
        for axis in sorted(int(a) for a in inputs[1]):
            x = x.unsqueeze(axis)
        return x
    if kind == "Gather":
        axis, where = options.get("axis", 0), inputs[1]
        return x.select(axis, int(where)) if where.ndim == 0 else x.index_select(axis, where)
    if kind == "Slice":
        for k, axis in enumerate(inputs[3] if len(inputs) > 3 and inputs[3] is not None else range(len(inputs[1]))):
            start, end = int(inputs[1][k]), int(inputs[2][k])
            x = x.narrow(int(axis), start, min(end, x.shape[int(axis)]) - start)
        return x
    if kind == "Pad":
        pads = [int(p) for p in inputs[1]]
        half = len(pads) // 2
        return F.pad(x, [p for k in reversed(range(half)) for p in (pads[k], pads[half + k])])
    if kind in ("ReduceMax", "ReduceMin", "ReduceMean", "ReduceL2"):
        axes, keep = tuple(options["axes"]), bool(options.get("keepdims", 1))
        if kind == "ReduceMean":
            return x.mean(axes, keep)
        if kind == "ReduceL2":
            return x.pow(2).sum(axes, keep).sqrt()
        return x.amax(axes, keep) if kind == "ReduceMax" else x.amin(axes, keep)
    if kind == "GridSample":
        aligned = bool(options.get("align_corners", 0))
        mode, padding = (options.get(key, b"").decode() for key in ("mode", "padding_mode"))
        return F.grid_sample(x, inputs[1], mode or "bilinear", padding or "zeros", aligned)
    if kind == "ScatterND":
        return x.index_put((inputs[1][:, 0],), inputs[2])
    raise NotImplementedError(f"operator {kind} is not known here. Add it to pipelines/train/compact/onnx_graph.py.")
