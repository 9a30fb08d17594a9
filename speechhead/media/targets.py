"""Where a result may be written, and in which form: told by its name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from speechhead.core.disk import reason
from speechhead.core.errors import MediaError

from .writer import SUFFIXES, check_folder, check_output

WEB, GIF, APNG, MOV = ".webm", ".gif", ".apng", ".mov"
FRAMES = ".png"
"""Ending of a pattern such as frames/%05d.png, which is a folder of pictures."""

PATTERN = re.compile(r"[^%]*%(0[1-9])?d[^%]*\.png", re.IGNORECASE)

MOVING = (WEB, GIF, APNG)
"""Endings that `formats` writes, besides the containers of `VideoWriter`."""

CLEAR = (MOV, WEB, APNG, FRAMES)
"""Endings of forms that hold transparency."""


def is_frames(path: Path) -> bool:
    """Whether a name is a pattern of the names of frames."""
    return PATTERN.fullmatch(path.name) is not None


def check_name(path: Path, alpha: bool = False) -> None:
    """Check that a form of video goes by this name.

    Parameters
    ----------
    alpha : it is to hold transparency

    Raises
    ------
    MediaError naming the ending and those that there are.
    """
    suffix = path.suffix.lower()
    known = (*SUFFIXES, *MOVING)
    if not is_frames(path) and suffix not in known:
        known_as = f"{', '.join(known)}, or frames/%05d.png"
        raise MediaError(f"{path}: '{path.suffix}' is not a video format known here. Use {known_as}.")
    if alpha and suffix not in CLEAR:
        raise MediaError(f"{path}: '{suffix}' holds no transparency. Use {', '.join(CLEAR[:3])}, or frames/%05d.png.")


def check_place(path: str | Path, alpha: bool = False) -> Path:
    """Check that a result can be written at `path`, before any work is done.

    Raises
    ------
    MediaError for a name as in `check_name`, a missing or read-only folder, a target that is not a plain file, or a
    folder for frames that has something in it already.
    """
    path = Path(path)
    check_name(path, alpha)
    if path.suffix.lower() in SUFFIXES:
        return check_output(path)
    folder = path.parent if is_frames(path) else path
    try:
        if is_frames(path):
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise MediaError(f"{folder}: is there already, and is no empty folder. Choose another, or empty it.")
        elif path.exists() and not path.is_file():
            raise MediaError(f"{path}: not a plain file. Choose another output.")
    except OSError as error:
        raise MediaError(f"{path}: {reason(error)}. Choose another output.") from error
    check_folder(path, folder.parent)
    return path


def check_beside(path: Path, taken: Sequence[Path]) -> None:
    """Check that a file besides the video can be written, and that no other result goes there.

    Raises
    ------
    MediaError, in one line.
    """
    folder = path.parent
    if path in taken:
        raise MediaError(f"{path}: is another result already. Choose another output.")
    if path.exists() and not path.is_file():
        raise MediaError(f"{path}: not a plain file. Choose another output.")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        fault = "is not writable" if folder.is_dir() else "does not exist"
        raise MediaError(f"{path}: folder '{folder}' {fault}. Choose another output.")
