"""Compare every array of parity fixtures with what the families compute from the same weights.

    python -m pipelines.judge.parity DIR

DIR is a fixture or a folder of them. One JSON line per recorded array: {"model", "array", "max_abs_diff",
"max_abs_ref"}; the difference is null where the array is missing on either side, has another shape, or is not finite.
Exit 1 if any array is missing or differs by more than 1e-3 of its range, or more than ten times the rounding noise that
the fixture states for it, whichever is larger; 2 if DIR is no fixture.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechhead.core.errors import SpeechheadError, WeightsError

TOLERANCE = 1e-3
"""Of the range of an array, stage by stage."""

NOISE_FACTOR = 10.0
"""Times the stated noise, end to end."""

STAGES = {
    "fomm": "fomm",
    "dagan": "dagan",
    "facevid2vid_osfv": "face_vid2vid",
    "facevid2vid_f2f": "face_vid2vid_f2f",
    "liveportrait": "liveportrait",
}
"""Module of this package with a model's stages, by the model's name in the fixture.

It has `stages(config, weights, io)`, and `full_size(config, weights, io)` of the same form where there are full-size
fixtures: generators of (name, computed array), computed from the recorded arrays of the stage before, cut as the
fixture's README says. `config` is config.json's content (rule.json's "config" in full size), `weights` the fixture's
`Weights`, `io` its `Arrays`. INPUTS: patterns of arrays that are given, not computed, beyond *_u8. NOISE: by array,
what the README states for arrays that are computed end to end.
"""


def compare(model: str, path: Path, fixture: Any) -> Iterator[tuple[dict[str, Any], bool]]:
    """The report's lines for one fixture, each with whether it passes."""
    module = importlib.import_module(f"{__package__}.{STAGES[model]}")
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
        array = np.asarray(array.detach() if hasattr(array, "detach") else array)
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


def run(folder: Path) -> int:
    """Check the fixtures in a folder; the exit code."""
    from .fixtures import find

    failed = []
    for fixture in find(folder):
        if fixture.model not in STAGES:
            raise WeightsError(f"{fixture.path}: model '{fixture.model}' is unknown. Known: {', '.join(STAGES)}.")
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.judge.parity", description=__doc__.split("\n")[0])
    parser.add_argument("folder", metavar="DIR", type=Path, help="a parity fixture, or a folder of them")
    options = parser.parse_args(arguments)
    try:
        importlib.import_module("torch")
    except ImportError:
        print("parity needs torch, which is not installed. pip install 'speechhead[train]'.", file=sys.stderr)
        return 2
    try:
        return run(options.folder)
    except SpeechheadError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
