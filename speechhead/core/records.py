"""Records of options that describe and check themselves: range, unit and help of a field stand where it is defined.

The command line, the HTTP bodies, the tables of the documentation and the messages of errors are made of them.
"""

from __future__ import annotations

import dataclasses
import math
import os
import types
from collections.abc import Hashable
from dataclasses import MISSING, dataclass
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import ControlError, SpeechheadError

R = TypeVar("R")

WORDS: dict[Any, str] = {bool: "True or False", str: "text", Path: "a path"}
"""Types of options that are no numbers, and what they are called."""


@dataclass(frozen=True)
class Option:
    """What a field of a record is to its user.

    help: what it is, without unit, range and default, which are added where it is shown
    low, high: smallest and largest number; positive: it is above 0; whole: no fractions; even: nor odd ones
    unit: of the number, as "degrees" or "per minute"
    choices: words that it may be; words: those that it may be besides a number
    note: what else there is to know. unset: what it is if it is None
    flag: at the command line, where that is not the field's name; metavar: its value there
    kind: its type at the command line, where that differs; command: whether it is an option there
    wire: its type in an HTTP body, where that differs; http: whether it is a field there
    secret: it may also be the content of a file, and is never shown
    error: raised for a value that is not usable
    """

    help: str
    low: float | None = None
    high: float | None = None
    positive: bool = False
    whole: bool = False
    even: bool = False
    unit: str = ""
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    note: str = ""
    unset: str = ""
    flag: str = ""
    metavar: str | None = None
    kind: Any = None
    command: bool = True
    wire: Any = None
    http: bool = True
    secret: bool = False
    error: type[SpeechheadError] = ControlError

    @property
    def range(self) -> str:
        """As "0..20", or nothing where there is no range with two ends."""
        return "" if self.low is None or self.high is None else f"{self.low:g}..{self.high:g}"

    @property
    def meaning(self) -> str:
        """One line for a reader: what it is, in which unit and range, and what else there is to know."""
        unit = self.unit and (f" {self.unit}" if self.unit.startswith("per ") else f" in {self.unit}")
        words = self.choices and f": {', '.join(self.choices[:-1])} or {self.choices[-1]}"
        parts = [f"{self.help}{unit}{words or ''}", "even" if self.even else "", self.range]
        return "; ".join(part for part in (", ".join(part for part in parts if part), self.note) if part)

    def check(self, name: str, value: Any, kinds: tuple[type, ...] = ()) -> Any:
        """The value of the field `name` as Python's own type, a numpy scalar or 512.0 for a whole number among them.

        kinds: what it may be where it is no number: bool, str, Path

        Raises
        ------
        `error`, naming the value and the remedy, unless it is usable.
        """
        name, value = name.replace("_", " "), _plain(value)
        if self.words and isinstance(value, str):
            if value in self.words:
                return value
            value = int(value) if value.isdecimal() else value
        shown = "" if self.secret else f" {shortened(value)}"
        if self.choices and not (isinstance(value, str) and value in self.choices):
            raise self.error(f"{name}{shown} is unknown. Choose {', '.join(self.choices)}.")
        if kinds and not _is_one_of(kinds, value):
            remedy = " or ".join(WORDS[kind] for kind in kinds)
            raise self.error(f"{name}{shown} is not usable. Give {remedy}.")
        if not self._holds(value):
            unit = self.unit and f" {self.unit}"
            raise self.error(f"{name}{shown} is not usable. Give {self._wanted}{unit}.")
        if bool in kinds:
            return bool(value)
        return int(value) if self.whole or self.even else value

    @property
    def _wanted(self) -> str:
        kind = "an even number" if self.even else "a whole number" if self.whole else ""
        if self.low is None:
            return f"{kind or 'a number'} above 0"
        if self.high is None:
            return f"{kind or 'a number'} from {self.low:g}" + "".join(f", or {word}" for word in self.words)
        return f"{kind and f'{kind} from '}{self.low:g} to {self.high:g}"

    def _holds(self, value: Any) -> bool:
        if self.low is None and not self.positive:
            return True
        if isinstance(value, bool) or not isinstance(value, Real):
            return False
        number: Any = value
        if isinstance(number, float) and not math.isfinite(number):
            return False
        inside = (self.low is None or number >= self.low) and (self.high is None or number <= self.high)
        whole = not (self.whole or self.even) or number % (2 if self.even else 1) == 0
        return bool(inside and whole and (number > 0 or not self.positive))


def option(default: Any = MISSING, *, factory: Any = MISSING, **about: Any) -> Any:
    """A field of a record of options; `about` are the fields of `Option`."""
    made = Option(**about)
    return dataclasses.field(default=default, default_factory=factory, repr=not made.secret, metadata={"option": made})


class Entry(NamedTuple):
    """A field of a record: its name, type, default and description."""

    name: str
    kind: Any
    default: Any
    option: Option


def entries(record: type) -> list[Entry]:
    """The fields of a record of options, in their order; fields that are no options are left out."""
    kinds = get_type_hints(record)
    found = []
    for field in dataclasses.fields(record):
        if "option" in field.metadata:
            default = field.default if field.default_factory is MISSING else field.default_factory()
            found.append(Entry(field.name, kinds[field.name], default, field.metadata["option"]))
    return found


def check(record: Any) -> None:
    """Check every option of a record against its type, range and choices; None passes where it is the default.

    Numbers and words of numpy, and whole numbers with a point, become Python's own.
    """
    kind: type = type(record)
    kinds = _kinds(kind)
    for field in dataclasses.fields(record):
        about, value = field.metadata.get("option"), getattr(record, field.name)
        if about is None or (value is None and field.default is None):
            continue
        usable = about.check(field.name, value, kinds.get(field.name, ()))
        if usable is not value:
            object.__setattr__(record, field.name, usable)


def check_field(record: type, name: str, value: Any) -> Any:
    """A value, checked as if it stood in the field `name` of a record."""
    about = next(field for field in dataclasses.fields(record) if field.name == name).metadata["option"]
    return about.check(name, value, _kinds(record).get(name, ()))


def record_of(kind: type[R], name: str, given: R | None) -> R:
    """What was given as the argument `name`, a record of a kind; one of its defaults if None.

    Raises
    ------
    ControlError if it is something else.
    """
    if given is None:
        return kind()
    if not isinstance(given, kind):
        wrong = type(given).__name__
        raise ControlError(f"{name}: {wrong} where {kind.__name__} belongs. Give {name}={kind.__name__}(...).")
    return given


def check_flags(record: Any, error: type[SpeechheadError] = ControlError) -> None:
    """Raise `error` unless every yes-or-no field of a frozen dataclass, which need be no option, is True or False."""
    kind: type = type(record)
    for name, kinds in _kinds(kind).items():
        if kinds == (bool,):
            usable = Option("", error=error).check(name, getattr(record, name), kinds)
            object.__setattr__(record, name, usable)


def shortened(value: Any) -> str:
    """A value in a message of one line."""
    return " ".join(f"{value!r:.60}".split())


@cache
def _kinds(record: Hashable) -> dict[str, tuple[type, ...]]:
    """Types of the fields that hold text, a path, or yes and no; numbers are checked by their range."""
    try:
        hints = get_type_hints(record)
    except NameError:  # of a type that only a type checker sees
        return {}
    found = {}
    for name, hint in hints.items():
        parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        kinds = tuple(part for part in parts if part is not type(None))
        if all(kind in WORDS for kind in kinds):
            found[name] = kinds
    return found


def _is_one_of(kinds: tuple[type, ...], value: Any) -> bool:
    if bool in kinds and (isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))):
        return True
    return (str in kinds and isinstance(value, str)) or (Path in kinds and isinstance(value, os.PathLike))


def _plain(value: Any) -> Any:
    """A scalar of numpy, or an array of no dimensions, as Python's own."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value
