"""Every command of the workshop; `python -m pipelines NAME --help` tells more of one.

Each is a module of its own too (`python -m pipelines.make.pack`); nothing is loaded before it is called.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import typer

ROOT = Path(__file__).parent
ROOMS = ("data", "judge", "make")
"""Rooms that a command's short name leaves out; what trains says so."""

WIDTH = 120
"""Columns of the list, in which every command has one line."""


def commands() -> dict[str, str]:
    """Module of every command by its short name: of each file of the workshop that can be run."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        if path != Path(__file__) and "\nif __name__ ==" in path.read_text(encoding="utf-8"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__main__" else parts
            short = parts[1:] if parts[0] in ROOMS else parts
            found["-".join(short).replace("_", "-")] = ".".join(("pipelines", *parts))
    return dict(sorted(found.items()))


def summary(module: str) -> str:
    """First line of a module's docstring, without importing it."""
    path = ROOT.joinpath(*module.split(".")[1:])
    file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def listed() -> typer.Typer:
    """The application that lists and runs the commands."""
    wide = {"terminal_width": WIDTH}
    app = typer.Typer(
        add_completion=False, help=__doc__, no_args_is_help=True, rich_markup_mode=None, context_settings=wide
    )
    passed = {"ignore_unknown_options": True, "allow_extra_args": True}
    for name, module in commands().items():
        register = app.command(name, short_help=summary(module), add_help_option=False, context_settings=passed)
        register(_runner(module))
    return app


def _runner(module: str) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        path = ROOT.joinpath(*module.split(".")[1:])
        home = import_module(f"{module}.__main__" if path.is_dir() else module)
        home.app(context.args, prog_name=f"python -m {module}")

    return run


if __name__ == "__main__":
    listed()()
