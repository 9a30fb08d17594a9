"""A session computes where it was asked to, or says in one line why not: with stand-ins for onnxruntime's builds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from speechhead.core import weights
from speechhead.core.errors import DeviceError, WeightsError
from speechhead.engines import onnx
from speechhead.face.detector import FaceDetector
from speechhead.face.mesh import FaceMesh
from speechhead.generators.compact.dub import MouthDubber
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.latents import CompactLatents
from speechhead.generators.compact.matte import Matte
from speechhead.speech.encoders import WhisperWindowEncoder

WEIGHT = "landmarks2latents_compact.onnx"


class FakeRuntime:
    """An onnxruntime of one build: which providers it knows, which of them start, and whether it can read a file."""

    def __init__(self, known: list[str], starts: tuple[str, ...] = (), raises: str = "", readable: bool = True) -> None:
        self.known, self.starts, self.raises, self.readable = known, starts, raises, readable
        self.asked: list[Any] = []
        self.preloaded = 0

    def get_available_providers(self) -> list[str]:
        return self.known

    def preload_dlls(self) -> None:
        self.preloaded += 1
        print("Failed to load libcublasLt.so.13")

    class SessionOptions:
        def add_session_config_entry(self, key: str, value: str) -> None:
            assert key and value == "0"

    def InferenceSession(self, path: str, options: Any, providers: list[Any]) -> FakeSession:
        self.asked.append(providers)
        names = [entry if isinstance(entry, str) else entry[0] for entry in providers]
        if not self.readable:
            raise ValueError("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF")
        if self.raises and onnx.CUDA in names:
            raise RuntimeError(self.raises)
        return FakeSession([name for name in names if name == onnx.CPU or name in self.starts])


class FakeSession:
    def __init__(self, got: list[str]) -> None:
        self.got = got

    def get_providers(self) -> list[str]:
        return self.got


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch):
    """Put an onnxruntime in place of the real one; `gpu` is whether the package with CUDA is installed."""

    def use(runtime: FakeRuntime, gpu: bool) -> FakeRuntime:
        def version(name: str) -> str:
            if name == onnx.GPU_PACKAGE and not gpu:
                raise PackageNotFoundError(name)
            return "1.31.1"

        monkeypatch.setattr(onnx, "ort", runtime)
        monkeypatch.setattr(onnx, "version", version)
        onnx._find_libraries.cache_clear()
        onnx._note.cache_clear()
        return runtime

    yield use
    onnx._find_libraries.cache_clear()


BOTH = [onnx.CUDA, onnx.CPU]


def test_cuda_is_what_the_session_really_got(build, capsys) -> None:
    runtime = build(FakeRuntime(BOTH, starts=(onnx.CUDA,)), gpu=True)
    for device, wanted in (("cuda", onnx.CUDA), ("auto", onnx.CUDA), ("cuda:1", (onnx.CUDA, {"device_id": 1}))):
        assert onnx.runs_on(onnx.load_session(WEIGHT, device)) == "cuda"
        assert runtime.asked[-1] == [wanted, onnx.CPU]
    assert onnx.runs_on(onnx.load_session(WEIGHT)) == "cpu" and runtime.asked[-1] == [onnx.CPU]
    assert runtime.preloaded == 1 and capsys.readouterr().out == "", "libraries are looked for once, and quietly"


@pytest.mark.parametrize("raises", ["", "CUDA failure 35: CUDA driver version is insufficient"])
def test_a_silent_fall_back_to_the_cpu_is_an_error(build, raises) -> None:
    build(FakeRuntime(BOTH, raises=raises), gpu=True)
    with pytest.raises(DeviceError, match="computes on the CPU.*nvidia-smi.*--device cpu") as told:
        onnx.load_session(WEIGHT, "cuda")
    assert "\n" not in str(told.value) and (raises[:15] or "did not start") in str(told.value)


def test_auto_falls_back_and_says_so_once(build, caplog) -> None:
    build(FakeRuntime(BOTH), gpu=True)
    with caplog.at_level(logging.WARNING, "speechhead"):
        assert [onnx.runs_on(onnx.load_session(WEIGHT, "auto")) for _ in range(3)] == ["cpu"] * 3
    assert len(caplog.records) == 1 and "device 'auto'" in caplog.text and "nvidia-smi" in caplog.text


def test_a_base_build_laid_over_the_one_with_cuda_is_recognised(build) -> None:
    build(FakeRuntime([onnx.CPU]), gpu=True)
    assert onnx.overwritten()
    with pytest.raises(DeviceError, match="installed over onnxruntime-gpu") as told:
        onnx.load_session(WEIGHT, "cuda")
    assert onnx.MEND in str(told.value)
    assert onnx.runs_on(onnx.load_session(WEIGHT, "auto")) == "cpu"


def test_a_base_build_alone_names_both_ways(build) -> None:
    build(FakeRuntime([onnx.CPU]), gpu=False)
    assert not onnx.overwritten()
    with pytest.raises(DeviceError, match=r"speechhead\[gpu\].*onnxruntime-gpu.*--device cpu"):
        onnx.providers("cuda")
    with pytest.raises(DeviceError, match="unknown"):
        onnx.providers("tpu")


def test_a_file_that_is_no_model_is_the_files_fault_whatever_the_device(build, tmp_path: Path) -> None:
    build(FakeRuntime(BOTH, starts=(onnx.CUDA,), readable=False), gpu=True)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    for device in ("cpu", "auto", "cuda"):
        with pytest.raises(WeightsError, match="not a readable ONNX model"):
            onnx.load_session(broken, device)
        with pytest.raises(WeightsError, match="missing"):
            onnx.load_session(tmp_path / "absent.onnx", device)


def test_the_real_onnxruntime_runs_on_the_cpu() -> None:
    assert onnx.runs_on(onnx.load_session(WEIGHT)) == "cpu"


@pytest.mark.parametrize(
    ("put", "place", "network"),
    [
        ("compact_eyes", "compact_mouth", CompactGenerator),
        ("compact_mouth", "compact_source", MouthDubber),
        ("face_mesh", "face_detection", FaceDetector),
        ("face_detection", "face_mesh", FaceMesh),
        ("face_mesh", "person", Matte),
        ("person", "landmarks2latents_compact", CompactLatents),
        ("person", "whisper_encoder", WhisperWindowEncoder),
    ],
)
def test_a_network_in_the_place_of_another_is_named(
    monkeypatch: pytest.MonkeyPatch, put: str, place: str, network: Callable[[], object]
) -> None:
    shipped = weights.path
    monkeypatch.setattr(weights, "path", lambda name: shipped(f"{put}.onnx" if name == f"{place}.onnx" else name))
    with pytest.raises(WeightsError, match=rf"{put}\.onnx: damaged, or another network's file\. Run `speechhead w"):
        network()
