"""How every runnable module of the workshop meets the command line: one style of options, help and errors."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from inspect import Parameter, Signature, signature
from io import TextIOWrapper
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand

from pipelines import missing
from speechhead.core.errors import SpeechheadError

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for a command line that is not the command's; some of its versions do not name it."""


class _Command(TyperCommand):
    """A command that keeps the words it was called with, for `spelled`, and says what is wrong with them in a line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta["words"] = list(args)
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            raise _refused(f"{_said(error)} See --help.", error) from error


def command(main: Callable[..., None]) -> typer.Typer:
    """The command line of a module: options from `main`'s parameters, help from the module's docstring.

    What is wrong with the input (SpeechheadError, OSError) or the command line, or a package that is missing, is one
    line on stderr and exit code 2; SPEECHHEAD_DEBUG shows where it was raised.

    Parameters
    ----------
    main : what runs; a parameter that is a dataclass stands for its fields, each annotated as an option
    """
    kinds = get_type_hints(main)
    records = {name: kind for name, kind in kinds.items() if isinstance(kind, type) and is_dataclass(kind)}

    def guarded(**given: Any) -> None:
        for name, record in records.items():
            given[name] = record(**{field.name: given.pop(field.name) for field in _parameters(record)})
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # lines of a long run are read as they come, through a pipe too
        try:
            main(**given)
        except typer.BadParameter as error:
            raise _refused(error.message, error) from error
        except (SpeechheadError, OSError) as error:
            raise _refused(str(error), error) from error
        except ImportError as error:
            line = missing(error)
            if line is None:
                raise
            raise _refused(line, error) from error

    options: list[Parameter] = []
    for parameter in _parameters(main):
        options += _parameters(records[parameter.name]) if parameter.name in records else [parameter]
    guarded.__signature__ = Signature(options)  # type: ignore[attr-defined]  # what typer reads
    guarded.__annotations__ = {option.name: option.annotation for option in options}
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(cls=_Command, help=_help(sys.modules[main.__module__].__doc__ or ""))(guarded)
    return app


def _parameters(called: Callable[..., Any]) -> list[Parameter]:
    hints = get_type_hints(called, include_extras=True)
    given = signature(called).parameters.values()
    return [one.replace(annotation=hints[one.name], kind=Parameter.KEYWORD_ONLY) for one in given]


def _refused(line: str, error: Exception) -> Exception:
    """What ends the command, which has said why in one line."""
    if os.environ.get("SPEECHHEAD_DEBUG"):
        return error
    typer.echo(" ".join(line.split()), err=True)
    return typer.Exit(2)


def _said(error: Any) -> str:
    return f"{error.format_message().rstrip('.')}."


def _help(text: str) -> str:
    """A docstring whose command lines and indented lines stay lines of their own."""
    parts = text.strip().split("\n\n")
    return "\n\n".join(f"\b\n{part}" if part.startswith((" ", "python -m ")) else part for part in parts)


def spelled(module: str, context: typer.Context) -> str:
    """The command as it was typed, for pages that say what made them."""
    return shlex.join(["python", "-m", module, *context.meta["words"]])
