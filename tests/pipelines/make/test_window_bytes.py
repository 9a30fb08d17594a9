"""A painter whose convolutions are of bytes paints the same, and its weights can be read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnx
import torch

from pipelines.make.window_bytes import Listener, bytes_of
from speechhead.core import weights
from speechhead.engines.onnx import load_session
from speechhead.generators.compact.device.stored import stored
from speechhead.generators.compact.windows import WINDOWS, painter_file


class Small(torch.nn.Module):
    """Three layers by the names that painters have."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = torch.nn.Conv2d(3, 8, 3, 1, 1), torch.nn.Conv2d(8, 4, 3, 1, 1)
        self.up0 = torch.nn.Sequential(torch.nn.LeakyReLU(0.2), torch.nn.Conv2d(8, 8, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.last(self.up0(self.first(x)))
        return found


class Painter(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = Small()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model(x)
        return found


def signed(path: Path) -> list[str]:
    """What a file holds with a sign of its layers: where two layers read such, onnxruntime multiplies floats."""
    graph = onnx.load(str(path)).graph
    held = {one.name: one for one in graph.initializer}
    layers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert layers
    return [node.input[0] for node in layers if held[node.input[2]].data_type != onnx.TensorProto.UINT8]


def test_layers_of_the_painters_multiply_bytes() -> None:
    assert not [name for window in WINDOWS for name in signed(weights.path(painter_file(window)))]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("inside", [False, True])
def test_a_painter_in_bytes_paints_the_same_and_is_read_back(tmp_path: Path, inside: bool) -> None:
    torch.manual_seed(1)
    painter, src, dst = Painter().eval(), tmp_path / "src.onnx", tmp_path / "dst.onnx"
    torch.onnx.export(
        painter, (torch.zeros(1, 3, 12, 12),), str(src), input_names=["x"], opset_version=17, dynamo=False
    )
    feeds = [{"x": np.random.default_rng(k).random((1, 3, 12, 12), np.float32)} for k in range(12)]
    listener = Listener(load_session(src), every=2)
    wanted = [listener.run(None, one)[0] for one in feeds]
    assert len(listener.heard) == 6
    bytes_of(src, dst, listener.heard, inside)
    assert not signed(dst)
    found = [load_session(dst).run(None, one)[0] for one in feeds]
    away, size = np.abs(np.subtract(found, wanted)), np.abs(wanted).mean()
    assert 0 < np.median(away) < 0.02 * size  # what is cut at the ends, in a mouth, is further off
    assert away.max() < (0.5 if inside else 0.1) * size
    own, kept = painter.model.state_dict(), stored(dst)
    assert kept.keys() == own.keys()
    for name, values in own.items():
        step = 0 if "up0" not in name else float(values.abs().max()) / 63
        assert np.abs(kept[name] - values.numpy()).max() <= step / 2 + 1e-3, name
