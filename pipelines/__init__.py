"""What builds and judges the weights: data preparation, trainers, evaluation, export, conversion."""

from __future__ import annotations

import sys
from types import TracebackType

OURS = ("pipelines", "speechhead")
INSTALL = "Run pip install '.[train]' in the checkout, or pip install the package by its name."
"""What helps where a package is missing; pages name the others that a command needs."""


def missing(error: BaseException) -> str | None:
    """The line for a package that is not installed, or can not be imported; None for any other error, and for ours."""
    if not isinstance(error, ImportError):
        return None
    package = (error.name or "").partition(".")[0]
    if not package or package in OURS:
        return None
    if isinstance(error, ModuleNotFoundError):
        return f"the package {package} is missing. {INSTALL}"
    return f"the package {package} can not be imported ({' '.join(str(error).split())[:100]}). {INSTALL}"


def _in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    line = missing(error)
    if line is None:
        sys.__excepthook__(kind, error, trace)
        return
    print(line, file=sys.stderr, flush=True)
    raise SystemExit(2)


if sys.argv[:1] == ["-m"]:  # `python -m pipelines...` looks for its module: what that imports may not be there
    sys.excepthook = _in_one_line
