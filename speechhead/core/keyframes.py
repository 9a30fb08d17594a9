"""Controls over time: what changes at which second, read from CSV, JSON, or a list."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ControlError
from .frozen import Frozen
from .records import shortened

AT = "at"
"""Column or field with the time in seconds."""

MOST_BYTES = 16 << 20
"""Size of a file: a keyframe a second for a week."""


@dataclass(frozen=True)
class Keyframe:
    """Controls that hold from `at` seconds on, by name; those that are not named stay as they were."""

    at: float
    changes: Mapping[str, Any]


def keyframes(given: Any, names: Iterable[str]) -> tuple[Keyframe, ...]:
    """Keyframes in the order of their times.

    Parameters
    ----------
    given : a file's path, or mappings with `at` and controls, or ready keyframes
    names : controls that may change

    Raises
    ------
    ControlError naming the file, the line or entry, and the remedy.
    """
    source = "keyframes"
    if isinstance(given, str | Path):
        source, given = str(given), _rows(Path(given))
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise ControlError(f"{source} {shortened(given)} is not usable. Give a list of {{at: seconds, emotion: ...}}.")
    allowed = tuple(names)
    made = [_keyframe(entry, f"{source}, entry {number}", allowed) for number, entry in enumerate(given, 1)]
    return tuple(sorted(made, key=lambda keyframe: keyframe.at))


def _rows(path: Path) -> Any:
    """What a file holds, as `rows_of` reads it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or "not readable").lower()
        raise ControlError(f"{path}: {reason}. Give a CSV or JSON file of keyframes.") from error
    if len(data) > MOST_BYTES:
        raise ControlError(f"{path}: {len(data) >> 20} MB are no keyframes. Give a CSV or JSON file of at most 16 MB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ControlError(f"{path}: is no text. Save the keyframes as CSV or JSON in UTF-8.") from error
    return rows_of(text, str(path), path.suffix.lower() == ".json")


def rows_of(text: str, source: str, only_json: bool = False) -> Any:
    """The entries of a JSON list, or the lines of a table whose cells are numbers and words.

    Parameters
    ----------
    source : what the text is called where it is wrong

    Raises
    ------
    ControlError naming the source, and the remedy.
    """
    if only_json or text.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except RecursionError as error:
            raise ControlError(f"{source}: is nested too deeply. Give a list of {{at: seconds, ...}}.") from error
        except ValueError as error:
            raise ControlError(
                f"{source}: is no JSON ({error}). Give a list of {{at: seconds, emotion: ...}}."
            ) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    table = csv.DictReader(lines, delimiter=";" if lines and ";" in lines[0] else ",", skipinitialspace=True)
    try:
        names = [name.strip().lower() for name in table.fieldnames or ()]
    except csv.Error:
        names = []
    if AT not in names:
        raise ControlError(f"{source}: has no column 'at'. Begin with a line such as: at,emotion")
    rows = []
    try:
        for row in table:
            if None in row:
                line = f"{source}, line {table.line_num}"
                raise ControlError(f"{line}: more cells than columns. Quote what holds a comma.")
            cells = {name.strip().lower(): (cell or "").strip() for name, cell in row.items()}
            rows.append({name: _plain(cell) for name, cell in cells.items() if cell})
    except csv.Error as error:
        raise ControlError(f"{source}, line {table.line_num + 1}: {error}. Shorten its cells.") from error
    return rows


def _plain(cell: str) -> Any:
    """A cell as a number or yes and no, where it is one."""
    if cell.lower() in ("true", "false"):
        return cell.lower() == "true"
    try:
        return float(cell)
    except ValueError:
        return cell


def _keyframe(entry: Any, where: str, allowed: tuple[str, ...]) -> Keyframe:
    if isinstance(entry, Keyframe):
        entry = {AT: entry.at, **entry.changes}
    if not isinstance(entry, Mapping) or AT not in entry:
        raise ControlError(f"{where}: {shortened(entry)} has no time. Give 'at' in seconds.")
    try:
        at = float(entry[AT])
    except (TypeError, ValueError, OverflowError):
        at = math.nan
    if not 0 <= at < math.inf:
        raise ControlError(f"{where}: at {shortened(entry[AT])} is not usable. Give seconds from 0.")
    changes = {str(name): value for name, value in entry.items() if name != AT}
    if unknown := sorted(changes.keys() - set(allowed)):
        raise ControlError(f"{where}: {unknown[0]!r} can not change over time. Choose from {', '.join(allowed)}.")
    return Keyframe(at, Frozen(changes))
