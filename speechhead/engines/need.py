"""Where torch is needed."""

from __future__ import annotations

import ctypes
import os
from importlib.util import find_spec

from speechhead.core.errors import DeviceError

DRIVER = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
"""What a driver for GPUs of NVIDIA brings."""


def need_torch(what: str) -> None:
    """DeviceError, with the remedy, where torch is not installed; `what` needs it."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        extra = "gpu" if "cuda" in what else "train"
        raise DeviceError(f"{what} needs torch, which is not installed. pip install 'speechhead[{extra}]'.") from error


def usable_cuda() -> bool:
    """Whether torch has a GPU here; told without loading torch where there is no driver, or no torch."""
    if find_spec("torch") is None:
        return False
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return False
    import torch

    return torch.cuda.is_available()
