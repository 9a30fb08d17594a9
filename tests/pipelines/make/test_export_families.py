"""Exported families give torch's pictures on onnxruntime, and drive portraits there."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from support.paths import ROOT

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
from support.fakes_torch import Tiny, TinyConfig  # noqa: E402
from support.small_families import PUBLISHED, small  # noqa: E402

from pipelines.make.export_families import export, needed  # noqa: E402
from speechhead.core import weights  # noqa: E402
from speechhead.core.errors import WeightsError  # noqa: E402
from speechhead.generators.checkpoints import stored  # noqa: E402
from speechhead.generators.checkpoints.exported import use_exported  # noqa: E402


def followed(model, image):
    """Pictures of the first image that does what the others do."""
    with torch.no_grad():
        portrait, driver = model.motion(image[:1]), model.motion(image)
        return model.render(model.appearance(image[:1]), portrait, model.transfer(portrait, driver))


def compared(model, path):
    """Largest difference between torch and onnxruntime, in parts of the range, of other batches than the exported."""
    image = torch.rand(5, 3, model.image_size, model.image_size, generator=torch.Generator().manual_seed(1))
    expected = [followed(model, image), followed(model, image[1:2])]
    use_exported(model, path, threads=1)
    given = [followed(model, image), followed(model, image[1:2])]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(given, expected)), expected[0]


@pytest.mark.slow
def test_a_tiny_family_runs_on_onnxruntime(tmp_path):
    torch.manual_seed(0)
    model = Tiny(TinyConfig()).eval()
    path = stored.save_family(model, tmp_path / "a.safetensors")
    description = export(model, tmp_path / "a")
    assert set(description["graphs"]) == {"appearance", "motion", "render"}
    assert description["graphs"]["render"]["inputs"] == ["appearance.image", "source.value", "driving.value"]
    difference, pictures = compared(model, path)
    assert difference < 1e-4 and pictures.std() > 0.01


def test_what_was_not_exported_is_said(tmp_path):
    model = Tiny(TinyConfig())
    path = stored.save_family(model, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"a.onnx.json is missing .*export_families"):
        use_exported(model, path)
    entry = {"file": "a.motion.onnx", "inputs": ["image"], "outputs": ["motion.value"]}
    graphs = dict.fromkeys(("appearance", "motion", "render"), entry)
    described = {"family": "dagan", "image_size": 64, "graphs": graphs}
    for text, words in (
        ("{", "not readable"),
        ("{}", "not readable"),
        (json.dumps(described), "other weights"),
        (json.dumps({**described, "family": "fomm"}), "a.motion.onnx: weight file is missing"),
    ):
        (tmp_path / "a.onnx.json").write_text(text)
        with pytest.raises(WeightsError, match=words):
            use_exported(model, path)
    (tmp_path / "a.motion.onnx").write_bytes((weights.folder() / "person.onnx").read_bytes())
    with pytest.raises(WeightsError, match=r"a.motion.onnx: damaged, or another network's file"):
        use_exported(model, path)


def test_only_what_is_read_goes_in():
    model = small("liveportrait")
    image = torch.rand(1, 3, model.image_size, model.image_size)
    with torch.no_grad():
        motion = model.motion(image)
        names = needed(model, model.appearance(image), motion, motion)
    assert names == ["appearance.volume", "source.value", "driving.value"]


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_family_runs_on_onnxruntime(name, tmp_path):
    # Weights as training begins: lively random ones amplify rounding.
    model = small(name, lively=False)
    path = stored.save_family(model, tmp_path / "a.safetensors")
    export(model, tmp_path / "a")
    difference, _ = compared(model, path)
    assert difference < 1e-2  # from end to end; step by step the exporter has checked


def test_the_command_says_what_is_wrong(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.make.export_families", str(tmp_path / "a.safetensors")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "no such weight file" in done.stderr
    assert not np.any([*tmp_path.iterdir()])
