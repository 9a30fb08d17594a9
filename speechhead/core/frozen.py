"""Dictionaries that a frozen record holds: copied from the caller's, and never changed."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Frozen(dict[K, V]):
    """A read-only dictionary; it compares, copies, pickles and turns to JSON as any other.

    `dict(frozen)`, `frozen | more` and `frozen.copy()` are dictionaries to write to.
    """

    def _refuse(self, *given: Any, **named: Any) -> NoReturn:
        raise TypeError("this dictionary belongs to a frozen record. Make another record: dataclasses.replace.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)
