"""Others' networks as judges: the reader of their graphs, the square that they see, and the command."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.judge import independent
from pipelines.judge.graph_model import GraphModel
from speechhead.core.controls import EMOTIONS
from speechhead.core.errors import WeightsError
from speechhead.face.landmarks import MESH_REFERENCE, Pose, apply_pose

Node = dict[str, Any]


def said(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def numbers(*values: int) -> Node:
    return {"list": {"i": [str(value) for value in values]}}


def sliding(name: str, op: str, given: list[str], step: int, **more: Node) -> Node:
    attributes = {"strides": numbers(1, step, step, 1), "padding": {"s": said("SAME")}, **more}
    return {"name": name, "op": op, "input": given, "attr": attributes}


def write(path: Path, nodes: list[Node], constants: dict[str, np.ndarray]) -> None:
    """A graph model with these nodes, its constants kept in half precision."""
    weights = [
        {"name": name, "shape": list(value.shape), "dtype": "float32", "quantization": {"dtype": "float16"}}
        for name, value in constants.items()
    ]
    whole = [{"name": name, "op": "Const", "attr": {}} for name in constants]
    manifest = [{"paths": [f"{path.stem}.bin"], "weights": weights}]
    path.write_text(json.dumps({"modelTopology": {"node": nodes + whole}, "weightsManifest": manifest}))
    path.with_suffix(".bin").write_bytes(b"".join(value.astype(np.float16).tobytes() for value in constants.values()))


def judge(folder: Path, channels: int, classes: int, output: str, seed: int) -> None:
    """A network that averages the picture's channels and mixes them."""
    mean = {"name": "mean", "op": "Mean", "input": ["input", "axes"], "attr": {}}
    fused = {"fused_ops": {"list": {"s": []}}}
    last = {"name": output, "op": "_FusedMatMul", "input": ["mean", "mixed"], "attr": fused}
    constants = {"axes": np.array([1, 2]), "mixed": np.random.default_rng(seed).normal(size=(channels, classes))}
    nodes = [{"name": "input", "op": "Placeholder", "attr": {}}, mean]
    if output == "Identity":
        nodes += [last | {"name": "mix"}, {"name": output, "op": "Softmax", "input": ["mix"], "attr": {}}]
    else:
        nodes.append(last)
    write(folder / ("emotion.json" if output == "Identity" else "faceres.json"), nodes, constants)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    judge(tmp_path, 1, 7, "Identity", 1)
    judge(tmp_path, 3, 1024, "global_pooling/Mean", 2)
    return tmp_path


def test_a_graph_is_run_as_its_nodes_say(tmp_path: Path) -> None:
    fused = {"fused_ops": {"list": {"s": [said("BiasAdd"), said("Relu")]}}}
    nodes = [
        {"name": "input", "op": "Placeholder", "attr": {}},
        sliding("conv", "_FusedConv2D", ["input", "kernel", "bias"], 2, **fused),
        sliding("deep", "DepthwiseConv2dNative", ["conv", "by_channel"], 1),
        sliding("pool", "MaxPool", ["deep:0"], 2, ksize=numbers(1, 3, 3, 1)),
    ]
    kernel, by_channel = np.zeros((3, 3, 1, 2)), np.zeros((3, 3, 2, 1))
    kernel[1, 1, 0] = (1.0, -1.0)
    by_channel[1, 1, :, 0] = (2.0, 3.0)
    write(tmp_path / "a.json", nodes, {"kernel": kernel, "bias": np.array([0.5, 0.25]), "by_channel": by_channel})
    picture = np.arange(36, dtype=np.float32).reshape(1, 6, 6, 1) - 20
    model = GraphModel(tmp_path / "a.json")
    odd = picture[0, 1::2, 1::2, 0]  # SAME with an even side pads at the end
    assert np.allclose(model(picture, "conv")[0, ..., 0], np.maximum(odd + 0.5, 0))
    assert np.allclose(model(picture, "deep")[0, ..., 1], 3 * np.maximum(0.25 - odd, 0))
    assert model(picture, "pool").shape == (1, 2, 2, 2)
    assert model(picture, "pool")[0, 0, 0, 1] == pytest.approx(3 * (0.25 - odd[0, 0]))


def test_what_is_no_graph_is_said_in_a_line(tmp_path: Path, models: Path) -> None:
    with pytest.raises(WeightsError, match="no graph model"):
        GraphModel(tmp_path / "none.json")
    (models / "emotion.bin").write_bytes(b"\0")
    with pytest.raises(WeightsError, match="no graph model"):
        independent.Judges(models)
    write(tmp_path / "odd.json", [{"name": "a", "op": "LSTM", "input": [], "attr": {}}], {})
    with pytest.raises(WeightsError, match="LSTM"):
        GraphModel(tmp_path / "odd.json")


def test_judges_see_the_face_upright() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    mesh = apply_pose(MESH_REFERENCE[None], [Pose.from_angles(0, 0, 30, (150, 100, 0), 50.0)])[0]
    for vertex in (33, 263):
        x, y = mesh[vertex, :2].round().astype(int)
        picture[y - 3 : y + 4, x - 3 : x + 4] = 255
    seen = independent.upright(picture, mesh, 1.2, 64)[..., 0]
    rows, columns = np.nonzero(seen > 128)
    assert seen.shape == (64, 64) and np.ptp(rows) < 6 and np.ptp(columns) > 20


def test_probabilities_and_descriptors_are_of_length_one(models: Path) -> None:
    judges, picture = independent.Judges(models), np.full((120, 120, 3), 90, np.uint8)
    mesh = apply_pose(MESH_REFERENCE[None], [Pose.from_angles(0, 0, 0, (60, 50, 0), 30.0)])[0]
    assert judges.emotion(picture, mesh).sum() == pytest.approx(1)
    person = judges.person(picture, mesh)
    assert person.shape == (1024,) and np.linalg.norm(person) == pytest.approx(1)


@pytest.mark.slow
def test_the_command_tells_every_emotion(models: Path) -> None:
    out = models / "out.json"
    words = [str(models), "grace_hopper", "mara", "--size", "96", "--json", str(out), "--sheet", str(models / "a.png")]
    done = CliRunner().invoke(independent.app, words)
    assert done.exit_code == 0 and "likeness of different people" in done.output
    rows = json.loads(out.read_text())
    assert [row["asked"] for row in rows] == [*EMOTIONS[1:]] * 2 and (models / "a.png").is_file()
    assert all(row["told"] in independent.CLASSES and 0.9 < row["likeness"] <= 1.001 for row in rows)
