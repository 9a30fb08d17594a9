"""How every trainer reads its config: one JSON file, into a frozen dataclass whose fields are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from speechhead.core.errors import SpeechheadError
from speechhead.core.typed import FieldError, from_json

Config = TypeVar("Config")


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
    ConfigError, beginning with `where`, for a field that is missing, unknown or of the wrong type.
    """
    try:
        config: Config = from_json(kind, values)
    except FieldError as error:
        home = kind.__module__.replace(".", "/")
        raise ConfigError(f"{where}: {error}. See {kind.__name__} in {home}.py.") from error
    return config


def read(kind: type[Config], path: Path) -> Config:
    """A trainer's config from its JSON file; ConfigError as `from_values`."""
    return from_values(kind, read_json(path), str(path))
