"""ONNX networks through onnxruntime."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from speechhead.core import weights
from speechhead.core.errors import DeviceError, WeightsError
from speechhead.core.options import DEVICES
from speechhead.core.stand_ins import refuse_stand_in
from speechhead.core.threads import cores


def providers(device: str = "auto") -> list[str]:
    """Execution providers for a device: 'cpu', 'cuda', or 'auto' (cuda where present).

    Raises
    ------
    DeviceError if cuda is asked for and this onnxruntime has none, or the name is unknown.
    """
    if device not in DEVICES:
        raise DeviceError(f"device '{device}' is unknown. Use one of {', '.join(DEVICES)}.")
    cuda = "CUDAExecutionProvider" in ort.get_available_providers()
    if device == "cuda" and not cuda:
        raise DeviceError(
            "device 'cuda': onnxruntime has no CUDA here. pip install 'speechhead[gpu]' or use --device cpu."
        )
    return (["CUDAExecutionProvider"] if cuda and device != "cpu" else []) + ["CPUExecutionProvider"]


def load_session(model: str | Path, device: str = "cpu", threads: int | None = None) -> ort.InferenceSession:
    """Open a shipped weight (by file name) or any ONNX file (by path).

    Parameters
    ----------
    model : name inside the weights folder, or a path
    device : 'auto', 'cpu' or 'cuda'
    threads : worker threads of one call; all cores (at most 4) if None

    Raises
    ------
    WeightsError if the file is missing or is not a model; DeviceError as in `providers`.
    """
    path = model if isinstance(model, Path) else weights.path(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or min(4, cores())
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle workers must not spin: rendering shares its cores with the video encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not path.is_file():
        raise WeightsError(f"{path}: weight file is missing. Run `speechhead weights list`.")
    try:
        return ort.InferenceSession(str(path), options, providers=providers(device))
    except DeviceError:
        raise
    except Exception as error:  # onnxruntime raises its own unrelated classes
        refuse_stand_in(path, WeightsError)
        reason = str(error).splitlines()[0][:120]
        raise WeightsError(f"{path}: not a readable ONNX model ({reason}). Run `speechhead weights verify`.") from error
