"""What `speechhead doctor` tells of GPUs: who could use one, and which device each network would use."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from speechhead.core.errors import SpeechheadError
from speechhead.media.h264 import NVENC, X264, unusable

from .finding import Finding

DRIVER = Path("/proc/driver/nvidia/version")
"""Where Linux tells of NVIDIA's driver: there is a GPU, whatever the packages can do."""

GIB = 1024**3

ON_THE_CPU = ("tracker", "speech encoder", "Speech2Landmarks")
"""Networks that run on the CPU everywhere: a picture or 80 ms of sound takes them a few milliseconds."""


def devices() -> Iterator[Finding]:
    """Torch, GPUs, onnxruntime, NVENC, torchaudio, and the device of each network."""
    torch = _torch()
    yield torch
    yield gpus()
    yield runtime()
    yield nvenc()
    yield sound()
    yield networks(torch.data)


def _torch() -> Finding:
    """Torch's version, CUDA and cuDNN; a build without CUDA beside a GPU is a fault."""
    if find_spec("torch") is None:
        return Finding("torch", "not installed: families, and GPUs, need it. pip install 'speechhead[gpu]'", True, {})
    try:
        import torch
    except (ImportError, OSError) as error:
        why = " ".join(str(error).split())[:100]
        return Finding("torch", f"can not be imported ({why}). pip install --force-reinstall torch.", False, {})
    cuda, usable = torch.version.cuda, torch.cuda.is_available()
    cudnn: Any = torch.backends.cudnn.version() if cuda else None  # type: ignore[no-untyped-call]
    data = {"version": torch.__version__, "cuda": cuda, "cudnn": cudnn, "usable": usable}
    data["triton"] = find_spec("triton") is not None
    state = f"{torch.__version__}, {f'CUDA {cuda}, cuDNN {cudnn}' if cuda else 'a build without CUDA'}"
    if usable or not DRIVER.exists():
        return Finding("torch", state, True, data)
    remedy = "Update the driver, or install a torch for its CUDA" if cuda else "Install a torch with CUDA"
    return Finding("torch", f"{state}, though this machine has a GPU. {remedy}.", False, data)


def gpus() -> Finding:
    """Names and memory of the GPUs that torch sees."""
    if find_spec("torch") is None:
        seen = "not looked for, without torch" if DRIVER.exists() else "none"
        return Finding("gpus", seen, True, {"devices": []})
    found: list[dict[str, Any]] = []
    try:
        import torch

        for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            told = torch.cuda.get_device_properties(number)
            free, _ = torch.cuda.mem_get_info(number)
            capability = f"{told.major}.{told.minor}"
            found.append({"name": told.name, "memory": told.total_memory, "free": free, "capability": capability})
    except (ImportError, OSError, RuntimeError) as error:
        why = " ".join(str(error).split())[:100]
        return Finding("gpus", f"can not be asked ({why}). Look at nvidia-smi.", False, {"devices": found})
    words = [f"{gpu['name']}, {gpu['memory'] / GIB:.0f} GiB ({gpu['free'] / GIB:.0f} free)" for gpu in found]
    return Finding("gpus", "; ".join(words) or "none", True, {"devices": found})


def runtime() -> Finding:
    """Builds of onnxruntime that are installed, and the providers of the one that runs."""
    import onnxruntime

    from speechhead.engines.onnx import GPU_PACKAGE, overwritten, remedy

    installed = {}
    for name in ("onnxruntime", GPU_PACKAGE):
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    known = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    broken = overwritten()
    data = {"installed": installed, "runs": onnxruntime.__version__, "providers": known, "overwritten": broken}
    state = f"{' and '.join(f'{name} {number}' for name, number in installed.items())}: {', '.join(known)}"
    return Finding("onnxruntime", f"{state}. {remedy()}" if broken else state, not broken, data)


def nvenc() -> Finding:
    """Whether the GPU can encode video through PyAV."""
    why = unusable()
    return Finding("nvenc", f"{X264} encodes: {why}" if why else f"{NVENC} encodes", True, {"usable": why is None})


def sound() -> Finding:
    """Whether torchaudio can be imported: a build for another torch is installed and can not."""
    if find_spec("torchaudio") is None:
        return Finding("torchaudio", "not installed, numpy computes features", True, {"usable": False})
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError, RuntimeError) as error:
        why = " ".join(str(error).split())[:100]
        state = f"can not be imported ({why}). pip install --upgrade torchaudio."
        return Finding("torchaudio", state, False, {"usable": False})
    return Finding("torchaudio", version("torchaudio"), True, {"usable": True})


def _family_place() -> str:
    """The device of a family, and how it would run there."""
    from speechhead.engines.running import Running

    try:
        return str(Running.of())
    except (SpeechheadError, RuntimeError) as error:
        return " ".join(str(error).split())[:100]


def networks(torch: dict[str, Any]) -> Finding:
    """The device that each network would use where none is asked for."""
    from speechhead.generators.checkpoints.imported import imported
    from speechhead.generators.open import GENERATORS, open_generator

    places = dict.fromkeys(ON_THE_CPU, "cpu")
    for name in GENERATORS:
        try:
            places[name] = str(getattr(open_generator(name, 64), "device", "cpu"))
        except SpeechheadError as error:
            places[name] = str(error)
    if own := imported():
        places |= dict.fromkeys(own, _family_place() if torch else "needs torch")
    groups: dict[str, list[str]] = {}
    for name, place in places.items():
        groups.setdefault(place, []).append(name)
    state = "; ".join(f"{place}: {', '.join(members)}" for place, members in groups.items())
    return Finding("networks", state, True, {"devices": places})
