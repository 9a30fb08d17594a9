"""Options of a rendering."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, "int | None"], None]
"""Called with the frames done and, where it is known, their number."""
