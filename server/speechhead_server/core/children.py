"""Processes that the server starts: the same Python, our modules, and nothing out of the working folder."""

from __future__ import annotations

from pathlib import Path

from speechhead.core import children


def child_command(module: str) -> list[str]:
    """Command that runs a module of the server, see `speechhead.core.children.child_command`."""
    return children.child_command(module, str(Path(__file__).resolve().parents[2]))
