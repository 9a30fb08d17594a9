"""Results never replace what they are made from, and come into their place whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
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
def replaced(
    path: Path, error: type[SpeechheadError] = MediaError, remedy: str = "Choose another output"
) -> Iterator[Path]:
    """A new, empty file beside `path` to write to, which takes its place in one step when all went well.

    Nobody can tell its name before, and none that is there already is opened, be it a link. It is gone on any error.

    Raises
    ------
    `error`, in one line with `path` and the remedy, where the system refuses to write.
    """
    part = part_of(path)
    try:
        if not path.parent.is_dir():
            raise error(f"{path}: folder '{path.parent}' does not exist. Create it first.")
        create(part)
        yield part
        os.replace(part, path)
    except OSError as fault:
        raise error(f"{path}: {reason(fault)}. {remedy}.") from fault
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """A name beside a result under which it is made, which nobody can tell before."""
    return path.with_name(f".{path.stem[:40]}.{secrets.token_hex(8)}.part")


def create(part: Path) -> None:
    """Make a new, empty file with the mode of any new file; OSError where there is one already, be it a link."""
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


_UNFINISHED: list[Callable[[], None]] = []


def begin(undo: Callable[[], None]) -> None:
    """Note how to undo what is begun, until `end`."""
    _UNFINISHED.append(undo)


def end(undo: Callable[[], None]) -> None:
    """What was begun has come to an end, whichever."""
    with contextlib.suppress(ValueError):
        _UNFINISHED.remove(undo)


def undo_all() -> None:
    """Undo what is unfinished: an interrupt may come between the making of a file and whoever looks after it."""
    while _UNFINISHED:
        _UNFINISHED.pop()()


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
