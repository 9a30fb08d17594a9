"""Where results go: never onto a file that they are made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speechhead.core.errors import MediaError, SpeechheadError
from speechhead.media.writer import check_output


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
    keep_inputs(target, *inputs)
    return target


def keep_inputs(target: Path, *inputs: Any, error: type[SpeechheadError] = MediaError) -> None:
    """Refuse, as `error`, an existing target that is one of the inputs, whatever either is called: links, relative
    paths and, where the file system does not tell them apart, capital letters."""
    if not target.exists():
        return
    for given in inputs:
        if any(_same(target, path) for path in _files(given)):
            raise error(f"{target}: the output is the same file as the input '{given}'. Choose another output.")


def _files(given: Any) -> list[Path]:
    """Files that an input may stand for."""
    if not isinstance(given, str | Path):
        return []
    from speechhead.core.weights import user_folder

    from .shipped import shipped

    name = str(given)
    entry = shipped().get(name)
    named = [] if entry is None else [entry.path]
    if name and Path(name).name == name and "\0" not in name:
        named.append(user_folder() / f"{name}.safetensors")
    return [Path(given), *named]


def _same(target: Path, path: Path) -> bool:
    try:
        return target.samefile(path)
    except (OSError, ValueError):  # not there, too long for a name, or no name at all
        return False
