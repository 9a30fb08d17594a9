"""Records of options that describe and check themselves: range, unit and help of a field stand where it is defined.

The command line, the HTTP bodies, the tables of the documentation and the messages of errors are made of them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple, get_type_hints

from .errors import ControlError, SpeechheadError


@dataclass(frozen=True)
class Option:
    """What a field of a record is to its user.

    help: what it is, without unit, range and default, which are added where it is shown
    low, high: smallest and largest number; positive: it is above 0; whole: no fractions; even: nor odd ones
    unit: of the number, as "degrees" or "per minute"
    choices: words that it may be
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

    def check(self, name: str, value: Any) -> None:
        """Raise `error`, naming the value and the remedy, unless the value of the field `name` is usable."""
        name = name.replace("_", " ")
        if self.choices and value not in self.choices:
            raise self.error(f"{name} {value!r} is unknown. Choose {', '.join(self.choices)}.")
        if not self._holds(value):
            unit = self.unit and f" {self.unit}"
            raise self.error(f"{name} {value!r} is not usable. Give {self._wanted}{unit}.")

    @property
    def _wanted(self) -> str:
        kind = "an even number" if self.even else "a whole number" if self.whole else ""
        if self.low is None:
            return f"{kind or 'a number'} above 0"
        if self.high is None:
            return f"{kind or 'a number'} from {self.low:g}"
        return f"{kind and f'{kind} from '}{self.low:g} to {self.high:g}"

    def _holds(self, value: Any) -> bool:
        if self.low is None and not self.positive:
            return True
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole or self.even else Real):
            return False
        number = float(value)  # every comparison with NaN is false
        inside = (self.low is None or number >= self.low) and (self.high is None or number <= self.high)
        return inside and (number > 0 or not self.positive) and not (self.even and number % 2)


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
    """The fields of a record of options, in their order."""
    kinds = get_type_hints(record)
    found = []
    for field in dataclasses.fields(record):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        found.append(Entry(field.name, kinds[field.name], default, field.metadata["option"]))
    return found


def check(record: Any) -> None:
    """Check every field of a record against its range and choices; None passes where it is the default."""
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value is not None or field.default is not None:
            field.metadata["option"].check(field.name, value)


def check_field(record: type, name: str, value: Any) -> None:
    """Check a value as if it stood in the field `name` of a record."""
    next(field for field in dataclasses.fields(record) if field.name == name).metadata["option"].check(name, value)
