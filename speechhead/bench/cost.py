"""What networks cost: parameters and operations, counted from the graph that runs, and the time of a call."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime as ort

from speechhead.core import weights
from speechhead.engines.onnx import load_session
from speechhead.engines.onnx_file import DIMS, fields, initializers, numbers

from .case import NetworkCost

SHIPPED = {
    "face_detection.onnx": "face detector",
    "face_mesh.onnx": "face mesh (tracker)",
    "whisper_encoder.onnx": "speech encoder",
    "speech2landmarks.onnx": "Speech2Landmarks",
    "landmarks2latents_compact.onnx": "Landmarks2Latents, compact",
    "compact_source.onnx": "compact, portrait",
    "compact_mouth.onnx": "compact, mouth",
    "compact_eyes.onnx": "compact, eyes",
    "person.onnx": "person and background",
}
"""Networks that ship, by what a table calls them."""

CALLS = 5
"""Calls of a network whose median is its time."""

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}


def shipped(names: Iterable[str] = tuple(SHIPPED)) -> list[NetworkCost]:
    """The shipped networks on the CPU, one thread each."""
    return [onnx_cost(weights.path(name), SHIPPED[name]) for name in names]


def onnx_cost(path: Path, name: str) -> NetworkCost:
    """Cost of an ONNX network; axes of any length are taken for 1.

    onnxruntime itself tells the shapes of every operator that it ran, so that no second reader of graphs is needed.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC  # folds weights, fuses no operators
    options.enable_profiling, options.log_severity_level = True, 3
    options.add_session_config_entry("session.disable_prepacking", "1")  # packed weights have no shape
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory(prefix="speechhead-bench-") as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        session.run(None, _zeros(session))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    ran = [event["args"] for event in events if event.get("name", "").endswith("_kernel_time")]
    plain = load_session(path, threads=1)
    feeds = _zeros(plain)
    ms = timed(lambda: plain.run(None, feeds))
    return NetworkCost(name, onnx_parameters(path.read_bytes()), sum(map(operations, ran)) / 1e9, ms)


def onnx_parameters(model: bytes) -> int:
    """Numbers in the weights of an ONNX file, each once."""
    found = 0
    for array in initializers(model):
        found += _count([side for number, value in fields(array) if number == DIMS for side in numbers(value)])
    return found


def timed(call: Any, calls: int = CALLS) -> float:
    """Median ms of a call, after one that warms up."""
    call()
    spent = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return 1000 * median(spent)


def operations(args: Mapping[str, Any]) -> int:
    """Multiplications and additions of an operator that onnxruntime's profile tells of; 0 of all that is not a product.

    Parameters
    ----------
    args : "op_name", "input_type_shape" and "output_type_shape" of the event
    """
    taken, given = _shapes(args.get("input_type_shape", ())), _shapes(args.get("output_type_shape", ()))
    kind = args.get("op_name", "").removeprefix("Fused")
    if kind == "Conv":
        return 2 * _count(given[0]) * _count(taken[1][1:])
    if kind == "ConvTranspose":
        return 2 * _count(taken[0]) * _count(taken[1][1:])
    if kind in ("MatMul", "Gemm"):
        return 2 * _count(given[0]) * _count(taken[0]) // max(1, _count(taken[0][:-1]))
    if kind in ("GRU", "LSTM", "RNN"):
        return 2 * _count(taken[0][:2]) * (_count(taken[1]) + _count(taken[2]))
    return 0


def _shapes(told: Iterable[Mapping[str, list[int]]]) -> list[list[int]]:
    """Shapes of a profile's [{"float": [1, 2]}, ...]."""
    return [next(iter(entry.values()), []) for entry in told]


def _count(shape: Iterable[int]) -> int:
    return int(np.prod(list(shape), dtype=np.int64))


def _zeros(session: Any) -> dict[str, Any]:
    """Inputs of the session's own shapes, all zero."""
    return {
        entry.name: np.zeros([side if isinstance(side, int) else 1 for side in entry.shape], TYPES[entry.type])
        for entry in session.get_inputs()
    }


def family_cost(generator: Any) -> list[NetworkCost]:
    """Cost of a family's steps, as torch counts it, on its device: portrait, keypoints of a picture, a frame."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = generator.model
    first = next(model.parameters())
    image = torch.rand(1, 3, model.image_size, model.image_size, device=first.device, dtype=first.dtype)
    parameters = sum(each.numel() for each in model.parameters())

    def settled(call: Any) -> Any:
        found = call()
        if first.device.type == "cuda":
            torch.cuda.synchronize()
        return found

    found = []
    with torch.inference_mode():
        appearance, motion = model.appearance(image), model.motion(image)
        steps = {
            "portrait": lambda: model.appearance(image),
            "keypoints": lambda: model.motion(image),
            "frame": lambda: model.render(appearance, motion, motion),
        }
        for step, call in steps.items():
            with FlopCounterMode(display=False) as counter:
                call()  # type: ignore[no-untyped-call]
            ms = timed(partial(settled, call), 3)
            own = parameters if step == "frame" else 0
            found.append(NetworkCost(f"{model.name}, {step}", own, counter.get_total_flops() / 1e9, ms))
    return found
