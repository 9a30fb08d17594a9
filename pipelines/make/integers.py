"""The speech encoder with products of whole numbers, and only of what is taken of it.

    python -m pipelines.make.integers SRC DST

The products of the transformer's layers are of bytes (docs/decisions/0038-each-sample-heard-for-less.md); the last
layer answers only for the positions of the block and what lies ahead of it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import onnxruntime
import typer
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from pipelines.command import command
from speechhead.speech.encoders import WindowConfig

from .pack import pack

QUERIES, SCORES = "/layers.2/Squeeze_output_0", "/layers.2/MatMul"
STATES, SUM = "/layers.1/Add_2_output_0", "/layers.2/Add"
JOINED = "/layers.2/Constant_7_output_0"
"""Names that the exporter gives in the last layer: its queries and who takes them, its input, and a shape."""


def heard_only(model: onnx.ModelProto, window: WindowConfig) -> None:
    """Let the last layer answer for the positions of the block and after it alone, in place; others stay its keys."""
    graph, first, count = model.graph, window.first_position, 2 * (window.block + window.ahead)
    nodes = []
    for node in graph.node:
        for name, taken, axis in ((SCORES, QUERIES, 2), (SUM, STATES, 1)):
            if node.name == name:
                parts = [f"{name}/{part}" for part in ("first", "last", "axis")]
                for part, value in zip(parts, (first, first + count, axis)):
                    graph.initializer.append(numpy_helper.from_array(np.array([value], np.int64), part))
                nodes.append(helper.make_node("Slice", [taken, *parts], [f"{name}/heard"]))
                node.input[0] = f"{name}/heard"
        if node.output[0] == JOINED:
            node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.array([1, count, -1], np.int64)))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = count
    del graph.value_info[:]


def integers(src: Path, dst: Path, window: WindowConfig | None = None) -> None:
    """Rewrite `speech.export`'s encoder (packed or not) as `dst`: its answer is [1, 2 (block + ahead), width]."""
    model = onnx.load(str(src))
    heard_only(model, window or WindowConfig())
    with tempfile.TemporaryDirectory() as folder:
        short, plain = Path(folder, "short.onnx"), Path(folder, "plain.onnx")
        onnx.save(model, str(short))
        options = onnxruntime.SessionOptions()  # folds packed weights back to float32
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(plain)
        onnxruntime.InferenceSession(str(short), options, providers=["CPUExecutionProvider"])
        quantize_dynamic(plain, dst, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
    pack(dst, dst, "int8")


def main(
    src: Annotated[Path, typer.Argument(help="Encoder of pipelines.train.speech.export.")],
    dst: Annotated[Path, typer.Argument(help="ONNX file to write.")],
) -> None:
    """Make the encoder cheaper."""
    integers(src, dst)
    print(dst)


app = command(main)


if __name__ == "__main__":
    app()
