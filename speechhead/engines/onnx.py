"""ONNX networks through onnxruntime, on the device that was asked for or not at all."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import onnxruntime as ort

from speechhead.core import weights
from speechhead.core.errors import DeviceError, WeightsError
from speechhead.core.options import check_device
from speechhead.core.stand_ins import refuse_stand_in
from speechhead.core.threads import cores

log = logging.getLogger("speechhead")

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

GPU_PACKAGE = "onnxruntime-gpu"
"""The build with CUDA. It and onnxruntime write the same folder: whichever was installed last is what runs."""

MEND = f"pip install --force-reinstall --no-deps {GPU_PACKAGE}"
"""Lays the build with CUDA over the base one, whose entry stays, so that no later install brings it back."""

CPU_WAY = "or use --device cpu"

Provider = str | tuple[str, dict[str, Any]]
"""What onnxruntime takes for an execution provider: its name, or the name and its options."""


def overwritten() -> bool:
    """Whether the build with CUDA is installed and the base one was laid over it, so that CUDA is gone."""
    try:
        version(GPU_PACKAGE)
    except PackageNotFoundError:
        return False
    return CUDA not in ort.get_available_providers()


def remedy() -> str:
    """What is to be done where onnxruntime gives no CUDA: one command, or what its build with CUDA needs to start."""
    if overwritten():
        return f"The base onnxruntime was installed over {GPU_PACKAGE}: {MEND}, {CPU_WAY}."
    if CUDA not in ort.get_available_providers():
        return f"Use --engine torch, which pip install 'speechhead[gpu]' brings, or {MEND}, {CPU_WAY}."
    return (
        f"Its build needs a driver (nvidia-smi) and the CUDA and cuDNN libraries it was made for: "
        f"pip install '{GPU_PACKAGE}[cuda,cudnn]', {CPU_WAY}."
    )


def providers(device: str = "auto") -> list[Provider]:
    """Execution providers to ask for on a device: 'cpu', 'cuda' (also 'cuda:1'), or 'auto': cuda where present.

    Raises
    ------
    DeviceError if cuda is asked for and this onnxruntime has none, or the name is unknown.
    """
    check_device(device)
    cuda = CUDA in ort.get_available_providers()
    if device.startswith("cuda") and not cuda:
        raise DeviceError(f"device '{device}': onnxruntime has no CUDA here. {remedy()}")
    if not cuda or device == "cpu":
        return [CPU]
    number = device.partition(":")[2]
    return [(CUDA, {"device_id": int(number)}) if number.isdecimal() else CUDA, CPU]


def load_session(
    model: str | Path, device: str = "cpu", threads: int | None = None, names: Collection[str] = ()
) -> ort.InferenceSession:
    """Open a shipped weight (by file name) or any ONNX file (by path).

    Parameters
    ----------
    model : name inside the weights folder, or a path
    device : 'auto', 'cpu' or 'cuda'
    threads : worker threads of one call; all cores (at most 4) if None
    names : of all inputs, and of outputs that it must have, by which it is told from another network; none: any

    Raises
    ------
    WeightsError if the file is missing, is not a model, or has other names; DeviceError as in `providers`, and where
    cuda was asked for and the session that onnxruntime gives computes on the CPU, which it does without a word.
    """
    path = model if isinstance(model, Path) else weights.path(model)
    if not path.is_file():
        raise WeightsError(f"{path}: weight file is missing. Run `speechhead weights list`.")
    asked = providers(device)
    if asked == [CPU]:
        return _checked(_opened(path, asked, threads), path, names)
    _find_libraries()
    try:
        session = _opened(path, asked, threads)
        reason = "" if CUDA in session.get_providers() else "its CUDA did not start"
    except WeightsError as error:
        session = _opened(path, [CPU], threads)  # raises again where it is the file that is wrong
        reason = " ".join(str(error.__cause__).split())[:120]
    if reason and device != "auto":
        raise DeviceError(f"device '{device}': onnxruntime computes on the CPU ({reason}). {remedy()}")
    if reason:
        _note(f"onnxruntime computes on the CPU ({reason}). {remedy()}")
    return _checked(session, path, names)


def runs_on(session: ort.InferenceSession) -> str:
    """Where a session computes: 'cuda' or 'cpu'."""
    return "cuda" if CUDA in session.get_providers() else "cpu"


def _checked(session: ort.InferenceSession, path: Path, names: Collection[str]) -> ort.InferenceSession:
    """The session, if it is of the network that it is taken for."""
    if not names:
        return session
    taken = {each.name for each in session.get_inputs()}
    given = {each.name for each in session.get_outputs()}
    if not (taken <= set(names) <= taken | given):
        raise WeightsError(f"{path}: damaged, or another network's file. Run `speechhead weights verify`.")
    return session


def _opened(path: Path, asked: list[Provider], threads: int | None) -> ort.InferenceSession:
    """A session on these providers, or on what onnxruntime makes of them."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or min(4, cores())
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle workers must not spin: rendering shares its cores with the video encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=asked)
    except Exception as error:  # onnxruntime raises its own unrelated classes
        refuse_stand_in(path, WeightsError)
        reason = str(error).splitlines()[0][:120]
        raise WeightsError(f"{path}: not a readable ONNX model ({reason}). Run `speechhead weights verify`.") from error


@cache
def _find_libraries() -> None:
    """Let onnxruntime use the CUDA libraries of installed packages, torch's among them; what it prints is dropped."""
    preload = getattr(ort, "preload_dlls", None)
    if preload is not None:
        with contextlib.redirect_stdout(None), contextlib.suppress(Exception):
            preload()


@cache
def _note(line: str) -> None:
    """Warn once."""
    log.warning("device 'auto': %s", line)
