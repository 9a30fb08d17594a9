"""The cheap speech encoder: its products are of whole numbers, and it answers for the block alone."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from pipelines.make.integers import integers
from pipelines.train.speech.export import to_onnx
from pipelines.train.speech.whisper import WhisperEncoder
from speechhead.core import weights


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_made_from_an_exported_encoder(tmp_path):
    torch.manual_seed(0)
    encoder = WhisperEncoder(3, width=48, positions=40)
    to_onnx(encoder, {"mel": torch.zeros(1, 80, 80)}, ["features"], tmp_path / "whole.onnx")
    integers(tmp_path / "whole.onnx", tmp_path / "cheap.onnx")
    mel = np.random.default_rng(0).standard_normal((1, 80, 80)).astype(np.float32)
    with torch.no_grad():
        wanted = encoder(torch.from_numpy(mel)).numpy()[:, 32:]
    session = onnxruntime.InferenceSession(str(tmp_path / "cheap.onnx"))
    given = session.run(None, {"mel": mel})[0]
    assert given.shape == wanted.shape == (1, 8, 48)
    assert np.corrcoef(given.ravel(), wanted.ravel())[0, 1] > 0.999


def test_the_shipped_one_is_such():
    graph = onnx.load(str(weights.path("whisper_encoder.onnx"))).graph
    assert sum(node.op_type == "MatMulInteger" for node in graph.node) == 12
    assert [dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim] == [1, 8, 384]
