"""What the doctor says of GPUs, with stand-ins for torch and onnxruntime: installs that broke among them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from speechhead.cli import devices, doctor
from speechhead.cli.finding import Finding
from speechhead.cli.main import app
from speechhead.engines import onnx

GPU = SimpleNamespace(name="NVIDIA L4", total_memory=24 * devices.GIB, major=8, minor=9)


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch):
    """Put a torch in place: its CUDA, and whether it finds a GPU."""

    def use(cuda: str | None, usable: bool, driver: bool) -> Any:
        fake: Any = ModuleType("torch")
        fake.__version__ = "2.13.0"
        fake.version = SimpleNamespace(cuda=cuda)
        fake.backends = SimpleNamespace(cudnn=SimpleNamespace(version=lambda: 91_000))
        fake.cuda = SimpleNamespace(
            is_available=lambda: usable,
            device_count=lambda: 1,
            get_device_properties=lambda number: GPU,
            mem_get_info=lambda number: (20 * devices.GIB, 24 * devices.GIB),
        )
        monkeypatch.setitem(sys.modules, "torch", fake)
        monkeypatch.setattr(devices, "find_spec", lambda name: object() if name == "torch" else None)
        monkeypatch.setattr(devices, "DRIVER", Path(__file__) if driver else Path("absent"))
        return fake

    return use


def told(name: str) -> Finding:
    return next(finding for finding in devices.devices() if finding.name == name)


def test_a_gpu_is_named_with_its_memory(torch) -> None:
    torch("13.0", usable=True, driver=True)
    assert told("torch").state == "2.13.0, CUDA 13.0, cuDNN 91000" and told("torch").data["usable"]
    assert (
        told("gpus").state == "NVIDIA L4, 24 GiB (20 free)" and told("gpus").data["devices"][0]["capability"] == "8.9"
    )


@pytest.mark.parametrize(("cuda", "remedy"), [(None, "Install a torch with CUDA"), ("13.0", "Update the driver")])
def test_a_torch_that_does_not_see_the_gpu_is_a_fault(torch, cuda, remedy) -> None:
    torch(cuda, usable=False, driver=True)
    assert not told("torch").good and remedy in told("torch").state and told("gpus").state == "none"
    torch(cuda, usable=False, driver=False)
    assert told("torch").good, "without a GPU nothing is missing"


def test_broken_installs_name_the_command_that_mends_them(torch, monkeypatch: pytest.MonkeyPatch) -> None:
    torch(None, usable=False, driver=False)
    monkeypatch.setattr(onnx, "overwritten", lambda: True)
    monkeypatch.setattr(devices, "version", lambda name: "1.31.1")
    assert not told("onnxruntime").good and onnx.MEND in told("onnxruntime").state
    assert told("onnxruntime").data["installed"] == {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}

    def broken(name: str) -> Any:
        raise OSError("undefined symbol: _ZN2at")

    monkeypatch.setattr(devices, "find_spec", lambda name: object())
    monkeypatch.setattr(devices.importlib, "import_module", broken)
    assert not told("torchaudio").good and "pip install --upgrade torchaudio" in told("torchaudio").state
    monkeypatch.setitem(sys.modules, "torch", None)
    assert not told("torch").good and "pip install --force-reinstall torch" in told("torch").state
    assert not told("gpus").good


def test_without_torch_the_report_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    found = {finding.name: finding for finding in devices.devices()}
    assert all(finding.good for finding in found.values())
    assert "speechhead[gpu]" in found["torch"].state and found["networks"].data["devices"]["compact"] == "cpu"


def test_families_have_the_device_that_they_would_draw_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("speechhead.generators.checkpoints.imported.imported", lambda: {"mine": None})
    places = devices.networks({"version": "2"}).data["devices"]
    assert places["mine"] == "cpu, fp32, traced" or places["mine"].startswith("cuda")
    assert devices.networks({}).data["devices"]["mine"] == "needs torch"


def test_a_broken_install_ends_in_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "render_speed", lambda: 25.0)
    monkeypatch.setattr(onnx, "overwritten", lambda: True)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1 and onnx.MEND in done.output
