"""Processes that the server starts: the same Python, our modules, and nothing out of the working folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import speechhead.core


def child_command(module: str) -> list[str]:
    """Command that runs a module of the server; arguments may follow.

    The child finds what this process finds, but nothing in the working folder: `python -m` looks there first, and would
    run a user's `json.py` in place of Python's own.
    """
    paths = [path for path in sys.path if not _is_working_folder(path)]
    paths += [home for home in _homes() if home not in paths]
    start = f"import sys; sys.path[:] = {paths!r}; import runpy; runpy.run_module({module!r}, None, '__main__', True)"
    return [sys.executable, "-c", start]


def _is_working_folder(path: str) -> bool:
    try:
        return os.path.samefile(path or ".", ".")
    except OSError:
        return False


def _homes() -> list[str]:
    """Where the library and the server are, which is the working folder itself in a checkout that is not installed."""
    return [str(Path(file).resolve().parents[2]) for file in (str(speechhead.core.__file__), __file__)]
