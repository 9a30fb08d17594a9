"""Lists of jobs: CSV with a head line, or JSON, an object a line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechhead.core.errors import BatchError, SpeechheadError

from .job import Job, inside, job_of

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")

MOST_BYTES = 64 << 20
"""Of a manifest: a line of it is one video, so that a larger file is none."""


@dataclass(frozen=True)
class Line:
    """A line of a manifest: its number in the file, from 1, the name of its output, and its job or what is wrong."""

    number: int
    output: str
    job: Job | None = None
    error: str | None = None


def read_manifest(path: str | Path, target: Path | None = None) -> list[Line]:
    """The lines of a manifest. A line that is wrong carries its error; the others stay as they are.

    Parameters
    ----------
    path : .csv or .tsv with a head line, or .jsonl
    target : folder of the results, none of which may be a job's input

    Raises
    ------
    BatchError if the file can not be read, is none of these, or has no line.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise BatchError(f"{path}: '{path.suffix}' is no manifest. Use {', '.join(SUFFIXES)}.")
    try:
        data = path.read_bytes()[: MOST_BYTES + 1]
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "not text in UTF-8"
        raise BatchError(f"{path}: {reason}. Check the path, and save it as UTF-8.") from error
    if len(data) > MOST_BYTES:
        raise BatchError(f"{path}: more than {MOST_BYTES >> 20} MB. Cut it into parts.")
    rows = list(_tables(text, path) if path.suffix.lower() in SUFFIXES[:2] else _objects(text))
    if not rows:
        raise BatchError(f"{path}: has no jobs. Write one a line, below the names of the columns in a CSV.")
    lines: list[Line] = []
    taken: dict[str, int] = {}
    for number, row in rows:
        lines.append(_line(number, row, path.parent, target, taken))
    return lines


def _line(number: int, row: Any, home: Path, target: Path | None, taken: dict[str, int]) -> Line:
    shown = f"line {number}"
    try:
        if isinstance(row, str):
            raise BatchError(row)
        shown = inside(str(row.get("output") or "").strip() or shown)
        job = job_of(row, number, home, target)
        shown = job.output
        for name in (job.output, *job.besides):
            if name.lower() in taken:
                raise BatchError(f"output '{name}' is that of line {taken[name.lower()]} already. Choose another.")
            taken[name.lower()] = number
        return Line(number, shown, job)
    except SpeechheadError as error:
        return Line(number, shown, None, " ".join(str(error).split()))


def _tables(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """Rows of a CSV with the number of the line on which each ends: a quoted text may have several."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    if delimiter == "," and ";" in text.partition("\n")[0] and "," not in text.partition("\n")[0]:
        delimiter = ";"  # as spreadsheets write it where a comma parts decimals
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if None in row:
                yield reader.line_num, "more values than columns. Put a text with commas between double quotes."
            elif any(row.values()):
                yield reader.line_num, row
    except csv.Error as error:
        raise BatchError(f"{path}: line {reader.line_num} is no CSV ({error}). Save it as CSV in UTF-8.") from error


def _objects(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            yield number, f"is no JSON ({str(error)[:60]}). Write one object a line."
            continue
        yield number, value if isinstance(value, dict) else "is no JSON object. Write one object a line."
