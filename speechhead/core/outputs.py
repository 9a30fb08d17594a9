"""Results never replace what they are made from, and come into their place whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .disk import reason
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
def replaced(path: Path, error: type[SpeechheadError] = MediaError) -> Iterator[Path]:
    """A new, empty file beside `path` to write to, which takes its place in one step when all went well.

    Nobody can tell its name before, and none that is there already is opened, be it a link. It is gone on any error.

    Raises
    ------
    `error`, in one line with `path` and the remedy, where the system refuses to write.
    """
    part = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(8)}.part")
    try:
        if not path.parent.is_dir():
            raise error(f"{path}: folder '{path.parent}' does not exist. Create it first.")
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # the mode of any new file, by the umask
        yield part
        os.replace(part, path)
    except OSError as fault:
        raise error(f"{path}: {reason(fault)}. Choose another output.") from fault
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
