"""Processes that the library starts: the same Python, our modules, and nothing out of the working folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def child_command(module: str, *homes: str) -> list[str]:
    """Command that runs a module of ours; arguments may follow.

    The child finds what this process finds, but nothing in the working folder: `python -m` looks there first, and would
    run a user's `json.py` in place of Python's own.

    Parameters
    ----------
    homes : folders to look in besides the library's; these may be the working folder, as in a checkout
    """
    ours = [str(Path(__file__).resolve().parents[2]), *homes]
    paths = [path for path in map(_absolute, sys.path) if path in ours or not _is_working_folder(path)]
    paths += [home for home in ours if home not in paths]
    start = f"import sys; sys.path[:] = {paths!r}; import runpy; runpy.run_module({module!r}, None, '__main__', True)"
    return [sys.executable, "-c", start]


def _absolute(path: str) -> str:
    return os.path.abspath(path)


def _is_working_folder(path: str) -> bool:
    try:
        return os.path.samefile(path, ".")
    except OSError:
        return False
