"""What networks cost, counted by hand beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechhead.bench.cost import family_cost, onnx_cost, onnx_parameters, operations, shipped, timed
from speechhead.core import weights


def test_operations_of_operators_by_hand() -> None:
    def told(kind: str, taken: list[list[int]], given: list[list[int]]) -> int:
        shapes = {"input_type_shape": [{"float": one} for one in taken]}
        return operations({"op_name": kind, **shapes, "output_type_shape": [{"float": one} for one in given]})

    assert told("Conv", [[1, 3, 8, 8], [16, 3, 3, 3]], [[1, 16, 8, 8]]) == 2 * 16 * 64 * 27
    assert told("Conv", [[1, 16, 8, 8], [16, 1, 3, 3]], [[1, 16, 8, 8]]) == 2 * 16 * 64 * 9, "depthwise"
    assert told("ConvTranspose", [[1, 8, 4, 4], [8, 4, 2, 2]], [[1, 4, 8, 8]]) == 2 * 8 * 16 * 16
    assert told("MatMul", [[2, 5, 7], [7, 3]], [[2, 5, 3]]) == 2 * 2 * 5 * 3 * 7
    assert told("Gemm", [[1, 7], [7, 3], [3]], [[1, 3]]) == 2 * 7 * 3
    assert told("GRU", [[4, 1, 6], [1, 15, 6], [1, 15, 5]], [[4, 1, 1, 5]]) == 2 * 4 * (90 + 75)
    assert told("Relu", [[1, 3]], [[1, 3]]) == 0


def test_the_windows_cost_what_their_card_promises() -> None:
    mouth, eyes = shipped(["compact_mouth.onnx", "compact_eyes.onnx"])
    assert mouth.name == "compact, mouth" and 0.4 < mouth.gflops + eyes.gflops < 0.6 and eyes.ms > 0
    assert 1_290_000 < mouth.parameters + eyes.parameters < 1_320_000, "weights, and the scales of those in bytes"


def test_parameters_are_those_that_onnx_counts(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    for name in ("face_detection.onnx", "landmarks2latents_compact.onnx"):
        model = onnx.load(weights.path(name))
        counted = sum(int(np.prod(each.dims)) for each in model.graph.initializer)
        assert onnx_parameters(weights.path(name).read_bytes()) == counted > 1000


def test_a_whole_little_network(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weight = onnx.numpy_helper.from_array(np.ones((6, 4), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "little",
        [helper.make_tensor_value_info("x", kind, ["n", 6])],
        [helper.make_tensor_value_info("y", kind, ["n", 4])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path / "little.onnx"
    onnx.save(model, path)
    cost = onnx_cost(path, "little")
    assert (cost.parameters, cost.gflops) == (24, 2 * 24 / 1e9)


def test_a_family_is_counted_by_steps() -> None:
    pytest.importorskip("torch")
    from types import SimpleNamespace

    from support.fakes_torch import __name__ as _  # noqa: F401  (torch is there)
    from support.small_families import small

    costs = family_cost(SimpleNamespace(model=small("fomm")))
    assert [cost.name for cost in costs] == ["fomm, portrait", "fomm, keypoints", "fomm, frame"]
    assert costs[2].gflops > 0 and costs[1].gflops > 0 and costs[2].ms > 0
    assert costs[2].parameters == sum(each.numel() for each in small("fomm").parameters())


def test_a_time_is_a_median_after_one_that_warms_up() -> None:
    calls: list[int] = []
    assert timed(lambda: calls.append(1), 4) >= 0 and len(calls) == 5
