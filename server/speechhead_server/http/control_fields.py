"""The controls as JSON: their fields for the HTTP bodies, and the table of PROTOCOL.md.

    python -m speechhead_server.http.control_fields

prints the table.
"""

from __future__ import annotations

import types
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, Field, StrictBool, create_model

from speechhead.core.controls import Controls
from speechhead.core.records import Entry, entries

FIELDS = tuple(entry for entry in entries(Controls) if entry.option.http)
"""Controls that a client may set, in the order in which they are told; the seed is the session's own affair."""


def fields_of_controls(base: type[BaseModel]) -> type[BaseModel]:
    """A body with every control, each left out or null where it is not to change."""
    fields: dict[str, Any] = {
        entry.name: (
            strict(_json_kind(entry)) | None,
            Field(None, description=entry.option.meaning, json_schema_extra=_range(entry)),
        )
        for entry in FIELDS
    }
    return create_model("ControlFields", __base__=base, **fields)


def _no_flag(value: Any) -> Any:
    """ValueError for what JSON writes otherwise than as a number."""
    if isinstance(value, (bool, str)):
        raise ValueError("a number is needed")
    return value


NUMBERS = {bool: StrictBool, float: Annotated[float, BeforeValidator(_no_flag)],
           int: Annotated[int, BeforeValidator(_no_flag)]}  # fmt: skip
"""Types whose values are taken as JSON writes them: true is no 1, and "1" is none."""


def strict(kind: Any) -> Any:
    """A type with all numbers and truths within it taken as they are written."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return reduce(or_, map(strict, parts))
    if origin in (tuple, dict, list):
        return origin[tuple(map(strict, parts))]
    return NUMBERS.get(kind, kind)


def table() -> str:
    """The controls as rows of markdown: name, JSON, default and meaning."""
    rows = ["| control | JSON | default | meaning |", "|---|---|---|---|"]
    for entry in FIELDS:
        default = entry.option.unset or _json_value(entry.default)
        rows.append(f"| `{entry.name}` | {_json_name(_json_kind(entry))} | {default} | {entry.option.meaning} |")
    return "\n".join(rows)


def _range(entry: Entry) -> dict[str, Any]:
    """What the schema says of a number; it is checked where the control is made, with a line of its own."""
    ends = {"minimum": entry.option.low, "maximum": entry.option.high}
    return {name: end for name, end in ends.items() if end is not None}


def _json_kind(entry: Entry) -> Any:
    return entry.option.wire or entry.kind


def _json_name(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_json_name(part) for part in parts if part is not type(None))
    if origin is Literal:
        return " or ".join(f'`"{word}"`' for word in parts)
    if origin is tuple:
        return f"[{', '.join(_json_name(part) for part in parts)}]"
    if origin is dict:
        return f"{{name: {_json_name(parts[1])}}}"
    return {float: "number", str: "text", bool: "true or false"}[kind]


def _json_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


if __name__ == "__main__":
    print(table())
