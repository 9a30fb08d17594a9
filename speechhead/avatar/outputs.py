"""Where videos go: never onto a file that they are made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speechhead.core.outputs import keep_inputs
from speechhead.media.writer import check_output

from .named import named_portraits


def check_target(output: str | Path, *inputs: Any) -> Path:
    """The path of a video that can be written there and is none of its inputs, before any of them is decoded.

    Parameters
    ----------
    inputs : paths, names of shipped portraits and of imported weights; what is none of these (arrays, avatars,
        generators, texts, None) is passed over

    Raises
    ------
    MediaError as `check_output`, and where the output and an input are one file.
    """
    target = check_output(output)
    keep_inputs(target, *inputs, named={name: entry.path for name, entry in named_portraits().items()})
    return target
