"""Weights of ONNX files without the package onnx."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from speechhead.core import weights
from speechhead.core.errors import WeightsError
from speechhead.generators.compact.device.stored import stored


def test_arrays_are_those_that_onnx_reads() -> None:
    onnx = pytest.importorskip("onnx")
    from onnx.numpy_helper import to_array

    path = weights.path("compact_source.onnx")
    found = stored(path)
    theirs = {
        item.name.removeprefix("model.").removesuffix("_stored"): to_array(item).astype(np.float32)
        for item in onnx.load(str(path)).graph.initializer
        if item.name.startswith("model.")
    }
    assert found.keys() == theirs.keys()
    assert all(np.array_equal(found[name], theirs[name]) for name in found)


def test_arrays_in_bytes_are_what_the_network_multiplies_with() -> None:
    onnx = pytest.importorskip("onnx")
    from onnx.numpy_helper import to_array

    path = weights.path("compact_mouth.onnx")
    arrays = {item.name: to_array(item) for item in onnx.load(str(path)).graph.initializer}
    found, name = stored(path, "model.windows.mouth."), "down1.1"
    whole = arrays[f"model.windows.mouth.{name}.weight_quantized"]
    assert whole.dtype == np.int8
    scale = arrays[f"model.windows.mouth.{name}.weight_scale"][:, None, None, None]
    assert np.allclose(found[f"{name}.weight"], whole * scale, rtol=1e-6)
    assert found[f"{name}.bias"].shape == (len(whole),)


@pytest.mark.parametrize("text", [b"", b"not a model", b"\x3a\xff\x01" + b"\x00" * 3])
def test_what_is_no_model_is_said_to_be_none(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "some.onnx"
    file.write_bytes(text)
    with pytest.raises(WeightsError, match="weights verify"):
        stored(file)
