"""The generator families by name: found beside this file and in installed packages, imported when they are used."""

from __future__ import annotations

import dataclasses
import importlib
import logging
import pkgutil
import typing
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechhead.core.errors import WeightsError
from speechhead.engines.need import need_torch

from .plausible import refuse_huge

if TYPE_CHECKING:
    from .family import Family
    from .spec import FamilySpec

log = logging.getLogger("speechhead")

GROUP = "speechhead.families"
"""Entry-point group of families in other packages: `NAME = "module:SPEC"`, a `FamilySpec`."""

ENDING = "_spec"
"""Modules of this folder that end so hold the SPEC of the family that their name begins with."""

BROKEN = (Exception, SystemExit)
"""What the module of somebody's package may raise while it is imported."""


def _plain(name: str) -> str:
    """A name in the one form that names are compared in: small letters, and dashes."""
    return name.strip().lower().replace("_", "-")


@cache
def _packaged() -> tuple[EntryPoint, ...]:
    """What the installed packages name, in the order of the path."""
    return tuple(entry_points(group=GROUP))


@cache
def entries() -> dict[str, EntryPoint]:
    """Where the spec of each family is, by the family's name: those of this folder, then the first package's."""
    modules = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    here = sorted(module.removesuffix(ENDING) for module in modules if module.endswith(ENDING))
    names = [(_plain(module), f"{__package__}.{module}{ENDING}:SPEC") for module in here]
    found = {name: EntryPoint(name, value, GROUP) for name, value in names}
    for entry in _packaged():
        found.setdefault(_plain(entry.name), entry)
    return found


def names() -> tuple[str, ...]:
    """The families that there are; nothing is imported for it."""
    return tuple(entries())


def is_known(name: str) -> bool:
    """Whether there is a family of that name."""
    return _plain(name) in entries()


def canonical(name: str) -> str:
    """A family's name as it is written here: `face_vid2vid` and `Face-Vid2Vid` are `face-vid2vid`.

    Raises
    ------
    WeightsError for a name that is none.
    """
    known = _plain(name)
    if known not in entries():
        raise WeightsError(f"family '{name}' is unknown. Use one of {', '.join(names())}.")
    return known


def spec(name: str) -> FamilySpec:
    """What is known of a family.

    Raises
    ------
    WeightsError for an unknown name, or one whose package can not be imported or gives no spec of that name.
    """
    known = canonical(name)
    entry = entries()[known]
    for other in _packaged():
        if _plain(other.name) == known and other.value != entry.value:
            _note(f"family '{other.name}' of package '{_package(other)}' left out: {entry.value} has that name.")
    try:
        loaded = entry.load()
    except BROKEN as error:
        raise _unusable(entry, entry.value, error) from error
    fault = _fault(loaded, known)
    if fault:
        raise WeightsError(
            f"family '{entry.name}': {entry.value} {fault}. Update package '{_package(entry)}', or remove it."
        )
    return loaded if loaded.name == known else replace(loaded, name=known)


def _fault(loaded: object, known: str) -> str:
    """What is wrong with the spec of a family, asked what every family is asked; empty if nothing."""
    from .spec import FamilySpec

    if not isinstance(loaded, FamilySpec):
        return f"is no FamilySpec but of type {type(loaded).__name__}"
    try:
        _ = loaded.submodules, loaded.option_names, loaded.knows({}), loaded.model.partition(":")
        return "" if _plain(loaded.name) == known else f"is the spec of '{loaded.name}'"
    except Exception as error:
        return f"has a field of the wrong kind ({_reason(error)})"


def _unusable(entry: EntryPoint, value: str, error: BaseException) -> WeightsError:
    """The error of a family whose module `value` fails."""
    return WeightsError(
        f"family '{entry.name}': {value} can not be imported ({_reason(error)}). "
        f"Install what package '{_package(entry)}' needs, or remove it."
    )


def _reason(error: BaseException) -> str:
    """An error in one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:100]


def _package(entry: EntryPoint) -> str:
    """Name of the package that brings an entry."""
    return entry.dist.name if entry.dist else entry.value.partition(".")[0].partition(":")[0]


@cache
def _note(line: str) -> None:
    """Warn once."""
    log.warning("%s", line)


def specs() -> list[FamilySpec]:
    """All families; one whose package is broken is left out, with one warning."""
    found = []
    for name in names():
        try:
            found.append(spec(name))
        except WeightsError as error:
            _note(str(error))
    return found


def is_form(found: str, wanted: str) -> bool:
    """Whether weights of family `found` serve where `wanted` is asked for: face-vid2vid has two published forms.

    Those of a family that is unknown, or whose package is broken, serve nowhere else.
    """
    known, asked = _plain(found), _plain(wanted)
    if known == asked or known not in entries():
        return known == asked
    try:
        return _plain(spec(known).form_of or "") == asked
    except WeightsError as error:
        _note(str(error))
        return False


def family(name: str) -> type[Family]:
    """The class of a family.

    Raises
    ------
    WeightsError for an unknown name, or one whose package is broken; DeviceError without torch.
    """
    known = canonical(name)
    need_torch(f"generator '{known}'")
    model = spec(known).model
    module, _, attribute = model.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except BROKEN as error:
        raise _unusable(entries()[known], model, error) from error


def config_class(name: str) -> Any:
    """The frozen dataclass that describes a family's network: the type of its constructor's `config`.

    Raises
    ------
    WeightsError as `family`, or where the constructor does not say the type.
    """
    made = family(name)
    try:
        kind = typing.get_type_hints(made.__init__).get("config")
    except NameError:  # an annotation that only type checkers can read
        kind = None
    if not dataclasses.is_dataclass(kind):
        raise WeightsError(
            f"family '{canonical(name)}': {made.__name__}.__init__ does not say which dataclass its config is. "
            "Annotate it: def __init__(self, config: MyConfig)."
        )
    return kind


def build(name: str, config: Any) -> Family:
    """A family with fresh weights, from its config.

    Raises
    ------
    WeightsError as `refuse_huge`.
    """
    refuse_huge(config)
    made: Any = family(name)
    return made(config)
