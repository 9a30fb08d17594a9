"""What OpenAPI says beyond types: words, sizes and forms, so that what fits the schema is taken."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from PIL import ImageColor

from speechhead.core.controls import EMOTIONS, GAZE_LIMIT
from speechhead.core.head_track import MOST_DEGREES
from speechhead.core.options import SIZES

Schema = dict[str, Any]

_NAME = f"({'|'.join(EMOTIONS)})"
_MIX = rf"{_NAME}(:(0|1|0\.[0-9]{{1,6}}))?"
EMOTION: Schema = {
    "type": "string",
    "pattern": f"^({_MIX})?$",
    "description": "As happy:0.6; also happy:0.6,afraid:0.2.",
}
"""One emotion as text."""

MIX: Schema = {
    "type": "object",
    "properties": {name: {"type": "number", "minimum": 0, "maximum": 1} for name in EMOTIONS},
    "additionalProperties": False,
}
"""Several, as an object."""

COLOUR: Schema = {
    "type": "string",
    "pattern": f"^(#[0-9a-fA-F]{{3}}|#[0-9a-fA-F]{{6}}|{'|'.join(ImageColor.colormap)})$",
}
"""#rrggbb, or the name of one."""

FILE: Schema = {"type": "string", "format": "binary", "minLength": 1}

NULL: Schema = {"type": "null"}

EMPTY: Schema = {"const": ""}
"""A field of a form that is not given."""

ENDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""What pydantic leaves of a range where a number is checked before it is read, and what JSON Schema calls it."""


def _or_empty(field: Schema) -> Schema:
    """A field of a form that may be there without content."""
    if "pattern" in field:
        return {**field, "pattern": f"^({field['pattern']})?$"}
    if "enum" in field:
        return {**field, "enum": [*field["enum"], ""]}
    return {"anyOf": [field, EMPTY]}


def _within(most: float) -> Schema:
    return {"type": "number", "minimum": -most, "maximum": most}


def offline_form(forms: Collection[str], avatars: Collection[str]) -> Schema:
    """The form of an offline video."""
    fields: Schema = {
        "source": FILE,
        "audio": FILE,
        "text": {"type": "string", "minLength": 1, "pattern": r"\w"},
        "voice": {"type": "string"},
        "avatar": {"type": "string", "enum": [*avatars]},
        "emotion": EMOTION,
        "size": {"type": "string", "pattern": f"^({'|'.join(map(str, range(SIZES[0], SIZES[1] + 1, 2)))})$"},
        "background": COLOUR,
        "seed": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,8})$"},
        "form": {"type": "string", "enum": [*forms]},
        "crop": {"type": "string", "enum": ["yes", "no"]},
        "face": {"type": "string", "pattern": "^([1-9][0-9]?|largest|speaking)$"},
        "generator": {"type": "string"},
        "head": FILE,
        "head_brows": {"type": "string", "enum": ["yes", "no"]},
        "keyframes": FILE,
    }
    for name in fields.keys() - {"source", "audio", "head", "keyframes", "text", "voice"}:  # what is empty is not given
        fields[name] = _or_empty(fields[name])
    said = {"text": ("audio",), "audio": ("text", "voice")}  # and what is left out then
    kinds = [
        {
            "type": "object",
            "properties": {name: field for name, field in fields.items() if name not in (*without, other)},
            "required": [word],
            "additionalProperties": False,
        }
        for word, without in said.items()
        for other in ("source", "avatar")
    ]
    return {"anyOf": kinds}


def exact(made: Callable[[], Schema], offered: Callable[[], Mapping[str, Sequence[str | int]]]) -> Callable[[], Schema]:
    """What makes a schema, with how a token is sent and which values this server offers.

    Parameters
    ----------
    offered : values that may stand in the fields and parameters of a name
    """

    def schema() -> Schema:
        shown = copy.deepcopy(made())
        token = {"type": "http", "scheme": "bearer", "description": "The server's token, or a ticket."}
        shown.setdefault("components", {})["securitySchemes"] = {"token": token}
        known = {"emotion": [EMOTION, MIX], "background": [COLOUR]}
        known |= {name: [{"enum": [*values]}] for name, values in offered().items()}
        for name, holder, key in _asked(shown):
            if name in known:
                holder[key] = _narrowed(holder[key], known[name])
        _plain(shown)
        controls = shown["components"]["schemas"]["ControlsBody"]["properties"]
        _bounded(controls["head"], {"items": _within(MOST_DEGREES)})
        _bounded(controls["gaze"], {"prefixItems": [*map(_within, GAZE_LIMIT)]})
        return {**shown, "security": [{"token": []}, {}]}

    return schema


def _plain(part: Any) -> None:
    """Write what pydantic writes in words of its own, or newer ones than tools know, in those of all."""
    if isinstance(part, dict):
        places = part.get("prefixItems")
        if places and all(place == places[0] for place in places):
            part["items"] = part.pop("prefixItems")[0]
        for name in ENDS.keys() & part.keys():
            if isinstance(part[name], int | float):
                part[ENDS[name]] = part.pop(name)
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _plain(each)


def _bounded(field: Schema, items: Schema) -> None:
    """Say of an array how far its numbers go."""
    for kind in field["anyOf"]:
        if kind.get("type") == "array":
            del kind["items"]
            kind |= items


def _asked(shown: Schema) -> Iterator[tuple[str, Schema, str]]:
    """Name, holder and key of the schema of every field of a request."""
    bodies = [body for name, body in shown["components"].get("schemas", {}).items() if name.endswith("Body")]
    for path in shown["paths"].values():
        for said in path.values():
            content = said.get("requestBody", {}).get("content", {})
            bodies += [one for kind in content.values() for one in kind["schema"].get("anyOf", [kind["schema"]])]
            for parameter in said.get("parameters", []):
                if parameter["in"] == "query":
                    yield parameter["name"], parameter, "schema"
    for body in bodies:
        fields = body.get("properties", {})
        for name, field in list(fields.items()):
            if not {"enum", "pattern"} & {*field, *field.get("anyOf", [{}])[0]}:  # which say more already
                yield name, fields, name


def _narrowed(field: Schema, kinds: list[Schema]) -> Schema:
    """A field that is one of these, or null where that was possible."""
    about: Schema = {name: field[name] for name in ("title", "description", "default") if name in field}
    free = [one for one in field.get("anyOf", []) if one in (NULL, EMPTY)]
    return {**about, **(kinds[0] if len(kinds + free) == 1 else {"anyOf": kinds + free})}
