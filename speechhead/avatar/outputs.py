"""Where videos go: never onto a file that they are made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speechhead.core.outputs import keep_inputs
from speechhead.core.results import ResultOptions
from speechhead.media.targets import check_beside, check_place

from .named import named_portraits


def check_target(output: str | Path, *inputs: Any, results: ResultOptions | None = None) -> Path:
    """The path of a video that can be written there and is none of its inputs, before any of them is decoded.

    Parameters
    ----------
    inputs : paths, names of shipped portraits and of imported weights; what is none of these (arrays, avatars,
        generators, texts, None) is passed over
    results : what else is written, which is checked the same way

    Raises
    ------
    MediaError as `check_place`, and where the output and an input are one file, or two results are.
    """
    results = results or ResultOptions()
    target = check_place(output, results.alpha)
    named = {name: entry.path for name, entry in named_portraits().items()}
    taken = [target]
    for path in results.files:
        check_beside(path, taken)
        taken.append(path)
    for path in taken:
        keep_inputs(path, *inputs, results.background, named=named)
    return target
