"""Markdown tables of numbers."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float | None) -> str:
    """A cell: three digits after the point, whole numbers as they are, nothing for a missing value."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first column left and the others right aligned."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
