"""Weights, shipped and imported: where they are, what they are, and whether they are intact."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
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
    return found


def verify() -> dict[str, str]:
    """State of every file in the manifest: 'ok', 'missing' or 'damaged'."""
    states = {}
    for name, weight in manifest().items():
        found = folder() / name
        states[name] = "missing" if not found.is_file() else "ok" if sha256(found) == weight.sha256 else "damaged"
    return states


USER_FOLDER = "SPEECHHEAD_HOME"
"""Environment variable that names the folder of the user's own weights."""

LATENTS = ".latents.safetensors"
"""Ending of a Landmarks2Latents network, which lies beside its generator's weights: NAME.latents.safetensors."""


@dataclass(frozen=True)
class Imported:
    """Weights of a generator family that the user imported. name: as `--generator` takes it; path: the file;
    family: of the network; metadata: of the file; speaks: whether its Landmarks2Latents lies beside it."""

    name: str
    path: Path
    family: str
    metadata: dict[str, str]
    speaks: bool


def user_folder() -> Path:
    """Folder of the user's own weights: $SPEECHHEAD_HOME, or speechhead/weights among the user's data."""
    home = os.environ.get(USER_FOLDER)
    if home:
        return Path(home).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(data) if data else Path.home() / ".local" / "share") / "speechhead" / "weights"


def imported() -> dict[str, Imported]:
    """Generators in the user's folder by name; files that are none of ours are passed over."""
    from .generators.registry import FORMAT, read_metadata

    found = {}
    for file in sorted(user_folder().glob("*.safetensors")):
        if file.name.endswith(LATENTS):
            continue
        try:
            metadata = read_metadata(file)
        except WeightsError:
            continue
        if metadata.get("format") == FORMAT:
            speaks = latents_path(file).is_file()
            found[file.stem] = Imported(file.stem, file, metadata.get("family", ""), metadata, speaks)
    return found


def latents_path(generator: Path) -> Path:
    """Where the Landmarks2Latents network of a generator's weight file lies."""
    return generator.with_name(generator.name.removesuffix(".safetensors") + LATENTS)


def find_generator(name: str) -> Path:
    """Weight file of a generator: a path, or in the user's folder by the name it was imported as, or by its family.

    Raises
    ------
    WeightsError if the name is unknown, or the family has no weights here, or several.
    """
    from .generators.registry import FAMILIES, canonical, is_form

    if name.endswith(".safetensors"):
        return Path(name)
    known = imported()
    if name in known:
        return known[name].path
    try:
        family = canonical(name)
    except WeightsError as error:
        choices = ", ".join(["compact", *FAMILIES, *(own for own in known if own not in FAMILIES)])
        raise WeightsError(f"generator '{name}' is unknown. Use one of {choices}.") from error
    if family in known:
        return known[family].path
    fitting = [item for item in known.values() if is_form(item.family, family)]
    if len(fitting) > 1:
        names = ", ".join(item.name for item in fitting)
        raise WeightsError(f"generator '{name}': several weights are here. Choose one with --generator: {names}.")
    if not fitting:
        raise WeightsError(
            f"generator '{family}' has no weights here. Run `speechhead weights pull {family}`, or "
            f"`speechhead weights import FILE --family {family}`."
        )
    return fitting[0].path
