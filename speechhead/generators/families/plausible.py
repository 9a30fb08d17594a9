"""Numbers of a config that no network has are refused before anything is built from them: that would take for ever."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from speechhead.core.errors import WeightsError

LARGEST = 65_536
"""Numbers beyond this are no width, depth, count or factor of a published network; the largest there is 2048."""

LARGEST_PICTURE = 4096
"""Pixels of the side of a network's picture: the published ones have 256 and 512."""


def refuse_huge(config: Any) -> None:
    """Refuse a config, a dataclass, with a number that no network has.

    Raises
    ------
    WeightsError that names the first such field, its value, and the most that is taken.
    """
    for name, value in _numbers(config, ""):
        most = LARGEST_PICTURE if name.split(".")[-1] == "image_size" else LARGEST
        if not math.isfinite(value) or abs(value) > most:
            raise WeightsError(f"config: {name} is {value:.6g}, more than {most}. Use the model's published yaml.")


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """The numbers of a value and their names, those of records and rows within it included, and the rows' lengths."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _numbers(part, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield f"{name}'s length", len(value)
        for number, part in enumerate(value):
            yield from _numbers(part, f"{name}[{number}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, min(max(value, -1e300), 1e300) if isinstance(value, int) else value
