"""Results never replace what they are made from, and come into their place whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import MediaError, SpeechheadError
from .weights import user_folder


def keep_inputs(
    target: Path, *inputs: Any, named: Mapping[str, Path] | None = None, error: type[SpeechheadError] = MediaError
) -> None:
    """Refuse an existing target that is one of the inputs, whatever either is called.

    Links and relative paths count as what they lead to, and so do capital letters where the file system does not tell
    them apart.

    Parameters
    ----------
    inputs : paths and names of imported weights; what is neither (arrays, avatars, texts, None) is passed over
    named : files that further names stand for

    Raises
    ------
    `error` where the target and an input are one file.
    """
    if not target.exists():
        return
    for given in inputs:
        if any(_same(target, path) for path in _files(given, named or {})):
            raise error(f"{target}: the output is the same file as the input '{given}'. Choose another output.")


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place in one step when all went well."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _files(given: Any, named: Mapping[str, Path]) -> list[Path]:
    """Files that an input may stand for."""
    if not isinstance(given, str | Path):
        return []
    name = str(given)
    found = [Path(given)]
    if name in named:
        found.append(named[name])
    if name and Path(name).name == name and "\0" not in name:
        found.append(user_folder() / f"{name}.safetensors")
    return found


def _same(target: Path, path: Path) -> bool:
    try:
        return target.samefile(path)
    except (OSError, ValueError):  # not there, too long for a name, or no name at all
        return False
