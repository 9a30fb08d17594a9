"""Compact ONNX files compute what the plain ones do."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from pipelines.make.pack import pack  # noqa: E402


@pytest.fixture
def model(tmp_path):
    """Conv, Gemm and MatMul with channels of very different size."""
    rng = np.random.default_rng(0)
    spread = 10.0 ** rng.uniform(-2, 1, (32, 1, 1, 1))
    constants = {
        "conv": rng.normal(0, 1, (32, 3, 3, 3)) * spread,
        "gemm": rng.normal(0, 0.1, (64, 32 * 4)) * 10.0 ** rng.uniform(-2, 1, (64, 1)),
        "matmul": rng.normal(0, 0.1, (64, 40)),
        "bias": rng.normal(0, 1, 64),
        "shape": np.array([1, -1]),
    }
    tensors = [
        numpy_helper.from_array(v.astype(np.int64 if k == "shape" else np.float32), k) for k, v in constants.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "conv"], ["a"]),
        helper.make_node("Reshape", ["a", "shape"], ["b"]),
        helper.make_node("Gemm", ["b", "gemm", "bias"], ["c"], transB=1),
        helper.make_node("MatMul", ["c", "matmul"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 40])
    path = tmp_path / "plain.onnx"
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def run(path):
    x = np.random.default_rng(1).normal(0, 1, (1, 3, 4, 4)).astype(np.float32)
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.mark.parametrize("kind, share, error", [("float16", 0.65, 1e-3), ("int8", 0.5, 2e-2)])
def test_pack(model, tmp_path, kind, share, error):
    packed = tmp_path / "packed.onnx"
    size = pack(model, packed, kind)
    assert size == packed.stat().st_size < share * model.stat().st_size
    truth = run(model)
    assert np.abs(run(packed) - truth).max() < error * np.abs(truth).max()


def test_unknown_kind(model, tmp_path):
    with pytest.raises(ValueError, match="'int4' is unknown"):
        pack(model, tmp_path / "x.onnx", "int4")
