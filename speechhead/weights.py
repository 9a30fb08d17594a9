"""Shipped weights: where they are, what they are, and whether they are intact."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import WeightsError

_PACKAGED = Path(__file__).parent / "_weights"  # in a wheel
_CHECKOUT = Path(__file__).parent.parent / "weights"  # in a source tree
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


def folder() -> Path:
    """Folder of the shipped weights (inside the installed package, or the checkout's)."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


@cache
def manifest() -> dict[str, Weight]:
    """The manifest by file name.

    Raises
    ------
    WeightsError if the manifest is absent or not readable.
    """
    path = folder() / MANIFEST
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
    return found


def verify() -> dict[str, str]:
    """State of every file in the manifest: 'ok', 'missing' or 'damaged'."""
    states = {}
    for name, weight in manifest().items():
        found = folder() / name
        states[name] = "missing" if not found.is_file() else "ok" if sha256(found) == weight.sha256 else "damaged"
    return states
