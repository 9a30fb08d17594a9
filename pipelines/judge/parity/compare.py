"""Every array of a parity fixture beside what the family computes from the same weights."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechhead.core.errors import SpeechheadError, WeightsError

from . import stages

TOLERANCE = 1e-3
"""Of the range of an array, stage by stage."""

NOISE_FACTOR = 10.0
"""Times the stated noise, end to end."""


def models() -> tuple[str, ...]:
    """Models whose fixtures can be compared: the modules of `stages`, called as the fixtures call them."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(stages.__path__)))


def compare(model: str, path: Path, fixture: Any) -> Iterator[tuple[dict[str, Any], bool]]:
    """The report's lines for one fixture, each with whether it passes."""
    module = importlib.import_module(f"{stages.__name__}.{model}")
    run = getattr(module, "full_size" if fixture.full else "stages", None)
    if run is None:
        raise WeightsError(f"{path}: {model} has no full-size stages. Give a small fixture.")
    from .fixtures import MissingArray

    io = fixture.arrays()
    noise = {**getattr(module, "NOISE", {}), **fixture.noise}
    seen = set()
    computed = run(fixture.config, fixture.weights(), io)
    while True:
        try:
            name, array = next(computed)
        except StopIteration:
            break
        except MissingArray as missing:  # an input that the stages read; they can not go on
            seen.add(missing.args[0])
            yield line(model, missing.args[0], None, None), False
            break
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            if isinstance(error, SpeechheadError):
                raise
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
            raise WeightsError(f"configuration or arrays are not those of {model} ({reason}). Copy it anew.") from error
        seen.add(name)
        array = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
        yield judge(model, name, array, io.get(name), noise.get(name, 0.0))
    given = ("*_u8", *getattr(module, "INPUTS", ()))
    for name, array in io.items():
        if name not in seen and not any(fnmatch(name, pattern) for pattern in given):
            yield line(model, name, None, array), False


def judge(
    model: str, name: str, array: NDArray[Any], recorded: NDArray[Any] | None, noise: float
) -> tuple[dict[str, Any], bool]:
    """A line of the report for a computed array, and whether it passes."""
    if recorded is None or recorded.shape != array.shape:
        return line(model, name, None, recorded), False
    if not array.size:
        return line(model, name, 0.0, recorded), True
    difference = float(np.abs(array.astype(np.float64) - recorded).max())
    span = float(np.ptp(recorded.astype(np.float64)) or np.abs(recorded).max())
    passes = difference <= max(TOLERANCE * span, NOISE_FACTOR * noise)  # False for NaN
    return line(model, name, difference, recorded), passes


def line(model: str, name: str, difference: float | None, recorded: NDArray[Any] | None) -> dict[str, Any]:
    """A line of the report; numbers that JSON does not know are null."""
    largest = float(np.abs(recorded.astype(np.float64)).max()) if recorded is not None and recorded.size else None
    return {
        "model": model,
        "array": name,
        "max_abs_diff": difference if difference is not None and np.isfinite(difference) else None,
        "max_abs_ref": largest if largest is not None and np.isfinite(largest) else None,
    }


def exact(device: str) -> str:
    """The device by torch's name, from now on computing in whole float32, as the recordings were.

    Raises
    ------
    DeviceError if it is not there.
    """
    import torch

    from speechhead.engines.torch import torch_device

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return str(torch_device(device))


def run(folder: Path, device: str = "cpu") -> int:
    """Check the fixtures in a folder, computed on a device; the exit code."""
    from .fixtures import find

    failed = []
    for fixture in find(folder, exact(device)):
        if fixture.model not in models():
            raise WeightsError(f"{fixture.path}: model '{fixture.model}' is unknown. Known: {', '.join(models())}.")
        try:
            for report, passes in compare(fixture.model, fixture.path, fixture):
                print(json.dumps(report), flush=True)
                if not passes:
                    failed.append(f"{fixture.path.name}/{report['array']}")
        except SpeechheadError as error:
            raise WeightsError(f"{fixture.path}: {error}") from error
    if failed:
        print(f"{len(failed)} arrays missing or different: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0
