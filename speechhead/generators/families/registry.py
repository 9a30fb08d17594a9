"""The generator families by name: found beside this file and in installed packages, imported when they are used."""

from __future__ import annotations

import dataclasses
import importlib
import logging
import pkgutil
import typing
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechhead.core.errors import WeightsError
from speechhead.engines.need import need_torch

if TYPE_CHECKING:
    from .family import Family
    from .spec import FamilySpec

log = logging.getLogger("speechhead")

GROUP = "speechhead.families"
"""Entry-point group of families in other packages: `NAME = "module:SPEC"`, a `FamilySpec`."""

ENDING = "_spec"
"""Modules of this folder that end so hold the SPEC of the family that their name begins with."""


@cache
def entries() -> dict[str, EntryPoint]:
    """Where the spec of each family is, by the family's name; those of this folder first."""
    modules = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    here = sorted(module.removesuffix(ENDING) for module in modules if module.endswith(ENDING))
    names = [(module.replace("_", "-"), f"{__package__}.{module}{ENDING}:SPEC") for module in here]
    found = {name: EntryPoint(name, value, GROUP) for name, value in names}
    return {**found, **{entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in found}}


def names() -> tuple[str, ...]:
    """The families that there are; nothing is imported for it."""
    return tuple(entries())


def canonical(name: str) -> str:
    """A family's name as it is written here: `face_vid2vid` and `Face-Vid2Vid` are `face-vid2vid`.

    Raises
    ------
    WeightsError for a name that is none.
    """
    known = name.strip().lower().replace("_", "-")
    if known not in entries():
        raise WeightsError(f"family '{name}' is unknown. Use one of {', '.join(names())}.")
    return known


def spec(name: str) -> FamilySpec:
    """What is known of a family.

    Raises
    ------
    WeightsError for an unknown name, or one whose package can not be imported.
    """
    entry = entries()[canonical(name)]
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise WeightsError(
            f"family '{entry.name}': {entry.value} can not be imported ({reason}). Install what it needs, or remove it."
        ) from error


def specs() -> list[FamilySpec]:
    """All families; one whose package is broken is left out, with a warning."""
    found = []
    for name in names():
        try:
            found.append(spec(name))
        except WeightsError as error:
            log.warning("%s", error)
    return found


def is_form(found: str, wanted: str) -> bool:
    """Whether weights of family `found` serve where `wanted` is asked for: face-vid2vid has two published forms."""
    return found == wanted or (found in entries() and spec(found).form_of == wanted)


def family(name: str) -> type[Family]:
    """The class of a family.

    Raises
    ------
    WeightsError for an unknown name; DeviceError without torch.
    """
    known = canonical(name)
    need_torch(f"generator '{known}'")
    module, _, attribute = spec(known).model.partition(":")
    return getattr(importlib.import_module(module), attribute)


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
    """A family with fresh weights, from its config."""
    made: Any = family(name)
    return made(config)
