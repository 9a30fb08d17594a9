"""Frozen dataclasses from what JSON made of them: every field known, none missing, each of its type."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from .errors import SpeechheadError

PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
}
"""What a field without parts may be, and its name in messages."""


class FieldError(SpeechheadError):
    """A field that is missing, unknown or of the wrong type; the line names it, and who asked adds place and remedy."""


def from_json(kind: Any, data: Any, at: str = "") -> Any:
    """A value of a type from what `dataclasses.asdict` and JSON made of it.

    Parameters
    ----------
    kind : a dataclass, whose fields may be dataclasses, tuples, dictionaries, paths, numbers, texts, or one of them and
        None
    at : the field's name from the outermost record on, as "network.width"; nothing for that record itself

    Raises
    ------
    FieldError for a field that is missing, unknown or of the wrong type.
    """
    if dataclasses.is_dataclass(kind):
        return _record(kind, data, at)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if data is None and type(None) in inner:
            return None
        return from_json(next(option for option in inner if option is not type(None)), data, at)
    if origin is tuple:
        return _row(inner, data, at)
    if origin in (dict, Mapping):
        _expect(isinstance(data, dict), data, "an object", at)
        return {key: from_json(inner[1], value, _inside(at, key)) for key, value in data.items()}
    if kind is Path:
        _expect(isinstance(data, Path) or (isinstance(data, str) and data != ""), data, "a path", at)
        return Path(data)
    if kind in PLAIN:
        fitting, name = PLAIN[kind]
        _expect(type(data) in fitting, data, name, at)
        _expect(not isinstance(data, float) or math.isfinite(data), data, "a finite number", at)
    return data


def _record(kind: Any, data: Any, at: str) -> Any:
    _expect(isinstance(data, dict), data, "an object", at)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    if unknown := [_inside(at, str(key)) for key in data if key not in fields]:
        raise FieldError(f"{', '.join(unknown)}: no such field")
    empty = dataclasses.MISSING
    needed = [name for name, field in fields.items() if field.default is empty and field.default_factory is empty]
    if missing := [_inside(at, name) for name in needed if name not in data]:
        raise FieldError(f"{', '.join(missing)}: missing")
    hints = get_type_hints(kind)
    return kind(**{key: from_json(hints[key], value, _inside(at, key)) for key, value in data.items()})


def _row(inner: tuple[Any, ...], data: Any, at: str) -> tuple[Any, ...]:
    _expect(isinstance(data, list | tuple), data, "a list", at)
    kinds = [inner[0]] * len(data) if inner[-1:] == (Ellipsis,) else list(inner)
    _expect(len(kinds) == len(data), data, f"a list of {len(kinds)}", at)
    return tuple(from_json(one, item, f"{at}[{number}]") for number, (one, item) in enumerate(zip(kinds, data)))


def _expect(fits: bool, data: Any, name: str, at: str) -> None:
    if not fits:
        shown = " ".join(f"{data!r:.40}".split())
        raise FieldError(f"{f'{at}: ' if at else ''}{shown} is not {name}")


def _inside(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
