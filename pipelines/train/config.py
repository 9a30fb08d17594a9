"""How every trainer reads its config: one JSON file, into a frozen dataclass whose fields are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from speechhead.core.errors import SpeechheadError
from speechhead.core.typed import FieldError, from_json

Config = TypeVar("Config")


SIGNED = ("lead",)
"""Fields that may be below 0; no other number of a config may."""

COUNTS = (
    "batch", "label_batch", "steps", "accumulate", "threads", "size", "input_size", "hidden", "basis",
    "blocks", "copies", "log_every", "save_every", "sheet_every", "keep_every",
)  # fmt: skip
"""Fields of which there is one at least."""

SHARES = ("ema", "blend", "rounded", "milestones", "betas")
"""Fields, or lists of numbers, that end at 1."""


class ConfigError(SpeechheadError):
    """A training configuration is not readable or asks for what does not exist."""


def read_json(path: Path) -> dict[str, Any]:
    """The fields of a config; ConfigError if the file is absent or no JSON object."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a readable JSON file ({error}). See pipelines/configs.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: not a JSON object. See pipelines/configs.")
    return values


def from_values(kind: type[Config], values: Any, where: str) -> Config:
    """A frozen dataclass from JSON's dictionary.

    Raises
    ------
    ConfigError, beginning with `where`, for a field that is missing, unknown, of the wrong type or out of range.
    """
    try:
        config: Config = from_json(kind, values)
        _check_numbers(values, "")
    except FieldError as error:
        home = kind.__module__.replace(".", "/")
        raise ConfigError(f"{where}: {error}. See {kind.__name__} in {home}.py.") from error
    return config


def read(kind: type[Config], path: Path) -> Config:
    """A trainer's config from its JSON file; ConfigError as `from_values`."""
    return from_values(kind, read_json(path), str(path))


def _check_numbers(value: Any, at: str) -> None:
    """FieldError for a number of a config that is out of range, whatever record it is in."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_numbers(inner, f"{at}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            _check_numbers(inner, f"{at}[{number}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        field = at.rpartition(".")[2].partition("[")[0]
        least = 1 if field in COUNTS else 0
        if value < least and field not in SIGNED:
            raise FieldError(f"{at}: {value} is out of range, {least} is the least")
        if value > 1 and field in SHARES:
            raise FieldError(f"{at}: {value} is out of range, 1 is the most")
