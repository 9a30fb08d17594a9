"""MediaPipe's own operators, rebuilt in ONNX, against their definition in NumPy."""

import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

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


def wheel_of(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"TFL3")
    return path


def refused(wheel, folder):
    """What the command says, which is one line."""
    result = CliRunner().invoke(convert.app, [str(wheel), str(folder)])
    assert result.exit_code == 2 and result.output.count("\n") == 1 and "Traceback" not in result.output, result.output
    assert not list(folder.glob("*"))
    return result.output


def test_what_is_no_wheel_of_mediapipe_is_one_line(tmp_path):
    (tmp_path / "text.whl").write_text("404 not found")
    other = wheel_of(tmp_path / "other.whl", ["numpy/__init__.py"])
    for wheel, said in (
        ("none.whl", "No such file"),
        ("text.whl", "not a zip file"),
        (other, "has no mediapipe/modules"),
    ):
        line = refused(tmp_path / wheel, tmp_path / "out")
        assert line.startswith(f"{tmp_path / wheel}: ") and said in line and "mediapipe==0.10.21" in line


def test_a_converter_that_is_missing_or_fails_is_one_line(tmp_path, monkeypatch):
    wheel = wheel_of(tmp_path / "a.whl", convert.SOURCES.values())
    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    assert "pip install tf2onnx tensorflow." in refused(wheel, tmp_path / "out")
    monkeypatch.setattr(convert, "find_spec", lambda name: name)
    with monkeypatch.context() as patch:
        patch.setattr(convert.sys, "executable", "/bin/false")
        assert "face_detection_short_range.tflite: tf2onnx can not convert it (exit code 1)" in refused(
            wheel, tmp_path / "out"
        )

    def nothing(network, raw):
        return helper.make_model(helper.make_graph([], "g", [], []))

    monkeypatch.setattr(convert, "SOURCES", {"person.onnx": convert.SOURCES["person.onnx"]})
    monkeypatch.setattr(convert, "to_onnx", nothing)
    assert "selfie_segmentation.tflite is not what is converted" in refused(wheel, tmp_path / "out")
