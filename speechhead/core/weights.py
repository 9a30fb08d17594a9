"""Weights, shipped and imported: where they are, what they are, and whether they are intact."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .errors import SpeechheadError, WeightsError
from .stand_ins import refuse_stand_in, stand_in

_PACKAGED = Path(__file__).parents[1] / "_weights"  # in a wheel
_CHECKOUT = Path(__file__).parents[2] / "weights"  # in a source tree
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Weight:
    """One line of the manifest.

    file: name inside the weights folder; sha256: of the file; licence: SPDX or prose;
    description: what it computes; training_data: what it saw; card: the model card's file name;
    metrics: how good it is, where that is measured; code_version: the version of speechhead that made it.
    """

    file: str
    sha256: str
    licence: str
    description: str
    training_data: str
    card: str
    metrics: str = ""
    code_version: str = ""


_instead: Path | None = None  # of the shipped ones, see `using`


def folder() -> Path:
    """Folder of the shipped weights (inside the installed package, or the checkout's)."""
    return _instead or (_PACKAGED if _PACKAGED.is_dir() else _CHECKOUT)


@contextmanager
def using(other: Path | None) -> Iterator[None]:
    """Networks that are opened inside this context come from another folder of weights, to compare with them.

    One thread at a time; None changes nothing.

    Raises
    ------
    WeightsError if there is no manifest in it.
    """
    global _instead
    if other is not None and not (other / MANIFEST).is_file():
        raise WeightsError(f"{other}: no {MANIFEST} here. Give a folder of weights.")
    before = _instead
    _instead = other or before
    try:
        yield
    finally:
        _instead = before


def manifest() -> dict[str, Weight]:
    """The manifest by file name.

    Raises
    ------
    WeightsError if the manifest is absent or not readable.
    """
    return _manifest(folder() / MANIFEST)


@cache
def _manifest(path: Path) -> dict[str, Weight]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["weights"]
        return {entry["file"]: Weight(**entry) for entry in entries}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: manifest not readable ({error}). Reinstall speechhead.") from error


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def path(name: str) -> Path:
    """Path of a shipped weight file.

    Raises
    ------
    WeightsError if it is not there.
    """
    found = folder() / name
    if not found.is_file():
        raise WeightsError(f"{found}: weight file is missing. Reinstall speechhead, or run `speechhead weights list`.")
    refuse_stand_in(found, WeightsError)
    return found


@contextmanager
def arrays(file: str | Path) -> Iterator[Mapping[str, Any]]:
    """Arrays of an .npz by name, each read when it is asked for.

    Parameters
    ----------
    file : name of a shipped weight file, or path of one that is part of the package

    Raises
    ------
    WeightsError if it is missing, or damaged: also where what is inside the context finds an array missing or of
    another shape.
    """
    import numpy as np

    found = path(file) if isinstance(file, str) else file
    remedy = "Run `speechhead weights verify`" if isinstance(file, str) else "Reinstall speechhead"
    try:
        with found.open("rb") as packed, np.load(packed) as stored:
            yield stored
    except (SpeechheadError, MemoryError):
        raise
    except Exception as error:  # zip files and headers of arrays fail in many ways
        raise WeightsError(f"{found}: damaged. {remedy}.") from error


def verify() -> dict[str, str]:
    """State of every file in the manifest: 'ok', 'missing', 'damaged', or what stands in its place."""
    states = {}
    for name, weight in manifest().items():
        found = folder() / name
        states[name] = "missing" if not found.is_file() else "ok"
        if found.is_file() and sha256(found) != weight.sha256:
            states[name] = stand_in(found) or "damaged"
    return states


USER_FOLDER = "SPEECHHEAD_HOME"
"""Environment variable that names the folder of the user's own weights."""


def user_folder() -> Path:
    """Folder of the user's own weights: $SPEECHHEAD_HOME, or speechhead/weights among the user's data."""
    home = os.environ.get(USER_FOLDER)
    return Path(home).expanduser() if home else _data() / "weights"


def user_data(kind: str) -> Path:
    """Folder of what else a user has added ("voices", "avatars"): in $SPEECHHEAD_HOME, or beside the user's weights."""
    home = os.environ.get(USER_FOLDER)
    return (Path(home).expanduser() if home else _data()) / kind


def _data() -> Path:
    data = os.environ.get("XDG_DATA_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(data) if data else Path.home() / ".local" / "share") / "speechhead"


def read_metadata(path: str | Path) -> dict[str, str]:
    """Metadata of a safetensors file; no torch needed.

    Raises
    ------
    WeightsError if the file is missing, damaged or no safetensors.
    """
    from safetensors import safe_open

    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such weight file. Import one with `speechhead weights import`.")
    try:
        with safe_open(str(path), framework="numpy") as file:
            return dict(file.metadata() or {})
    except Exception as error:  # safetensors raises classes of its own
        refuse_stand_in(path, WeightsError)
        reason = " ".join(str(error).split())[:100]
        if os.strerror(errno.ENOMEM) in reason:
            raise WeightsError(f"{path}: there is not enough memory to read it. Free some, or allow more.") from error
        raise WeightsError(f"{path}: not an intact safetensors file ({reason}). Import the weights anew.") from error
