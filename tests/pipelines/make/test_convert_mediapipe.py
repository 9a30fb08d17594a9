"""MediaPipe's own operators, rebuilt in ONNX, against their definition in NumPy."""

import numpy as np
import pytest

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper  # noqa: E402

from pipelines.make import convert_mediapipe as convert  # noqa: E402

BOX = {
    "left_rotation_idx": 0,
    "right_rotation_idx": 1,
    "subset_idxs": [0, 1, 2, 3],
    "output_width": 16,
    "output_height": 16,
    "scale_x": 1.5,
    "scale_y": 1.5,
}


def run(build, output, **inputs):
    described = [helper.make_tensor_value_info(k, TensorProto.FLOAT, list(v.shape)) for k, v in inputs.items()]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    graph = helper.make_graph(build.nodes, "g", described, [result], build.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", convert.OPSET)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def test_box_to_matrix():
    angle = np.deg2rad(25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[-8, 0], [8, 0], [0, -3], [0, 3]])  # a box of 16 x 6 cells
    landmarks = np.zeros((1, 4, 3), np.float32)
    landmarks[0, :, :2] = corners @ turn.T + [24, 20]
    build = convert.Builder("t")
    convert._transform_matrix(build, "x", "m", BOX)
    matrix = run(build, "m", x=landmarks)[0]
    scale = np.diag([1.5 * 16 / 16, 1.5 * 6 / 16])
    np.testing.assert_allclose(matrix[:2, :2], turn @ scale, atol=1e-5)
    np.testing.assert_allclose(matrix[:2, :2] @ [8, 8] + matrix[:2, 3], [24, 20], atol=1e-4)  # centre on centre


def test_crop_of_features():
    y, x = np.mgrid[:48, :48].astype(np.float32)
    features = np.stack([x + 0.5, y + 0.5], axis=-1)[None]  # every cell holds its own centre
    matrix = np.eye(4, dtype=np.float32)[None]
    matrix[0, :2] = [[0.9, -0.4, 0, 18], [0.4, 0.9, 0, 10]]
    build = convert.Builder("t")
    convert._transform_tensor(build, "f", "m", "c", {"output_height": 16, "output_width": 16})
    cropped = run(build, "c", f=features, m=matrix)[0]
    cells = np.stack(np.meshgrid(np.arange(16) + 0.5, np.arange(16) + 0.5), axis=-1)
    np.testing.assert_allclose(cropped, cells @ matrix[0, :2, :2].T + matrix[0, :2, 3], atol=1e-3)


def test_landmarks_through_matrix():
    points = np.random.default_rng(0).normal(0, 1, (1, 5, 2)).astype(np.float32)
    matrix = np.random.default_rng(1).normal(0, 1, (1, 4, 4)).astype(np.float32)
    build = convert.Builder("t")
    convert._transform_landmarks(build, "p", "m", "q")
    moved = run(build, "q", p=points, m=matrix)
    np.testing.assert_allclose(moved, points @ matrix[0, :2, :2].T + matrix[0, :2, 3], atol=1e-5)
