"""Commands whose options are the fields of records: each stands once, where the record is defined."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from speechhead.core.records import Entry, entries

EMPTY: tuple[Any, ...] = (None, "", (), {})
"""Defaults that say nothing to a reader."""


def from_records(
    without: tuple[str, ...] = (), **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function: its parameters that are records become their fields as options.

    The function gets the records whole. `defaults` are the command's own, by field; fields `without` are no options.
    """

    def made(function: Callable[..., None]) -> Callable[..., None]:
        kinds = get_type_hints(function, include_extras=True)
        records: dict[str, list[str]] = {}
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(function).parameters.values():
            if is_dataclass(kinds[parameter.name]):
                options = [
                    as_parameter(entry, defaults.get(entry.name, entry.default))
                    for entry in entries(kinds[parameter.name])
                    if entry.option.command and entry.name not in without
                ]
                records[parameter.name] = [option.name for option in options]
                parameters += options
            else:
                parameters.append(parameter.replace(annotation=kinds[parameter.name]))

        def command(**given: Any) -> None:
            for name, fields in records.items():
                values = {field: given.pop(field) for field in fields}
                given[name] = kinds[name](**{field: value for field, value in values.items() if value is not None})
            function(**given)

        command.__name__, command.__doc__ = function.__name__, function.__doc__
        return with_parameters(command, parameters)

    return made


def with_parameters(command: Callable[..., None], parameters: list[inspect.Parameter]) -> Callable[..., None]:
    """The same function, which typer reads as one with these parameters."""
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def as_parameter(entry: Entry, default: Any) -> inspect.Parameter:
    """A field as a command's parameter; where it has no default of its own, the help says what holds then."""
    about = entry.option
    kind, default = about.kind or _plain(entry.kind), None if default in EMPTY else default
    help = about.meaning
    if default is None:
        stands = about.unset or (entry.default if entry.default not in EMPTY else "")
        help += f"; {stands} if not given" if stands else ""
        kind = kind | None
    flags = [about.flag] if about.flag else [f"--{entry.name.replace('_', '-')}"] if default is False else []
    # A range with two ends stands in the help; typer tells one that has only a lower end.
    least = about.low if about.high is None and about.metavar is None else None
    made = typer.Option(*flags, help=f"{help}.", metavar=about.metavar, min=least)
    return _keyword(entry.name, Annotated[kind, made], default)


def file_parameter(entry: Entry) -> inspect.Parameter:
    """The option that names a file with the content of a secret: --token-file."""
    help = f"File that holds it: {entry.option.help[0].lower()}{entry.option.help[1:]}."
    return _keyword(f"{entry.name}_file", Annotated[Path | None, typer.Option(help=help, metavar="FILE")], None)


def _keyword(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _plain(kind: Any) -> Any:
    """A field's type as typer reads it: without None, a tuple as a list."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return list[get_args(kind)[0]] if get_origin(kind) is tuple else kind  # type: ignore[misc]
