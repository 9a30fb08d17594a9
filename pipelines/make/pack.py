"""Store the weights of an ONNX file in half precision or 8 bits.

    python -m pipelines.make.pack SRC DST [--kind int8]

onnxruntime folds them back to float32 when it loads the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import typer
from onnx import helper, numpy_helper

from pipelines.command import command

KINDS = ("float16", "int8")
SMALLEST = 256
"""Constants of at most this many elements stay as they are: nothing to gain."""

_WEIGHT_OPERATORS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": -1}
"""Operators whose second input is a weight, and the axis of its output channels (Gemm: see transB)."""


def _int8_axes(graph: onnx.GraphProto) -> dict[str, int]:
    """Output-channel axis of every initializer that only feeds the weight input of a linear operator."""
    axes: dict[str, int] = {}
    other: set[str] = set()
    for node in graph.node:
        for position, name in enumerate(node.input):
            if position != 1 or node.op_type not in _WEIGHT_OPERATORS:
                other.add(name)
                continue
            axis = _WEIGHT_OPERATORS[node.op_type]
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            grouped = any(a.name == "group" and a.i > 1 for a in node.attribute)
            if node.op_type == "Gemm" and transposed:
                axis = 0
            if node.op_type == "ConvTranspose" and grouped:
                other.add(name)
            axes[name] = axis
    return {name: axis for name, axis in axes.items() if name not in other}


def pack(src: str | Path, dst: str | Path, kind: str = "float16") -> int:
    """Rewrite an ONNX file with compact constants.

    float16 keeps about three digits. int8 stores the weights of Conv, ConvTranspose, Gemm and MatMul with
    one scale per output channel (the rest as float16). Both are followed by a Cast (and a Mul) that
    onnxruntime evaluates once at load, so the network still computes in float32 at full speed.

    Parameters
    ----------
    src, dst : ONNX files; may be the same
    kind : 'float16' or 'int8'

    Returns
    -------
    Size of dst in bytes.

    Raises
    ------
    ValueError if the kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"kind '{kind}' is unknown. Use one of {', '.join(KINDS)}.")
    model = onnx.load(str(src))
    graph = model.graph
    axes = _int8_axes(graph) if kind == "int8" else {}
    kept, added = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= SMALLEST or np.abs(values).max() > 6e4:
            kept.append(tensor)
            continue
        name, stored = tensor.name, f"{tensor.name}_stored"
        if name in axes:
            axis = axes[name] % values.ndim
            others = tuple(i for i in range(values.ndim) if i != axis)
            scale = np.abs(values).max(axis=others, keepdims=True).astype(np.float32) / 127
            scale[scale == 0] = 1
            kept.append(numpy_helper.from_array(np.rint(values / scale).astype(np.int8), stored))
            kept.append(numpy_helper.from_array(scale, f"{name}_scale"))
            added.append(helper.make_node("Cast", [stored], [f"{name}_cast"], to=onnx.TensorProto.FLOAT))
            added.append(helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [name]))
        else:
            kept.append(numpy_helper.from_array(values.astype(np.float16), stored))
            added.append(helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = added + list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    # Old exporters list initializers among the inputs; a packed one is no longer an initializer.
    names = {t.name for t in kept} | {n.output[0] for n in added}
    inputs = [value for value in graph.input if value.name not in names]
    del graph.input[:]
    graph.input.extend(inputs)
    onnx.checker.check_model(model)
    onnx.save(model, str(dst))
    return Path(dst).stat().st_size


def main(
    src: Annotated[Path, typer.Argument(help="ONNX file with float32 weights.")],
    dst: Annotated[Path, typer.Argument(help="ONNX file to write.")],
    kind: Annotated[str, typer.Option(help=f"How weights are stored: {' or '.join(KINDS)}.")] = "float16",
) -> None:
    """Pack one file and print its size."""
    if kind not in KINDS:
        raise typer.BadParameter(f"--kind '{kind}' is unknown. Use one of {', '.join(KINDS)}.")
    print(f"{dst}: {pack(src, dst, kind)} bytes")


app = command(main)


if __name__ == "__main__":
    app()
