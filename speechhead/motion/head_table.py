"""Head motion as a table: CSV with a pose in every line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from speechhead.core.arrays import Array64
from speechhead.core.clocks import FPS
from speechhead.core.errors import ControlError
from speechhead.core.head_track import ANGLES, HeadTrack

TIME, BROW, BLINK, RELATIVE = "time", "brow", "blink", "relative"
"""Columns beside the angles."""

SECONDS = "seconds"
"""Another name of the time: that of the tables of `--export-motion`."""

MOST_BYTES = 64 << 20
"""Size of a table: a day of poses."""

MOST_SECONDS = 24 * 3600.0
"""Time of the last pose: each second has 25 in memory, however few lines there are."""


def read_head_table(path: Path) -> HeadTrack:
    """Read a CSV with the columns yaw, pitch and roll, and any of time or seconds, brow, blink, relative (0 or 1).

    Lines are video frames, 25 a second, where there is no time; else poses in between are interpolated.

    Raises
    ------
    ControlError naming the file, the line and the remedy.
    """
    columns = _columns(path)
    if missing := [name for name in ANGLES if name not in columns]:
        raise ControlError(f"{path}: has no column {missing[0]!r}. Begin with a line such as: yaw,pitch,roll")
    relative = bool(columns.pop(RELATIVE, np.zeros(1)).any())
    times = columns.pop(TIME, None)
    if times is not None:
        if (np.diff(times) <= 0).any():
            line = int(np.flatnonzero(np.diff(times) <= 0)[0]) + 3
            raise ControlError(f"{path}, line {line}: time does not rise. Sort the lines by time.")
        if not 0 <= times[-1] <= MOST_SECONDS:
            raise ControlError(f"{path}: time {times[-1]:g} is not usable. Give seconds from 0, a day at most.")
        frames = np.arange(int(np.floor(times[-1] * FPS + 1e-6)) + 1) / FPS
        columns = {name: np.interp(frames, times, values) for name, values in columns.items()}
    brow, blink = (columns[name].tolist() if name in columns else None for name in (BROW, BLINK))
    try:
        return HeadTrack(list(zip(*(columns[name].tolist() for name in ANGLES))), relative, brow, blink)
    except ControlError as error:
        raise ControlError(f"{path}: {error}") from None


def write_head_table(path: Path, track: HeadTrack) -> None:
    """Write what `read_head_table` reads."""
    columns = dict(zip(ANGLES, zip(*track.angles)))
    columns |= {
        name: tuple(values) for name, values in ((BROW, track.brow), (BLINK, track.blink)) if values is not None
    }
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([TIME, *columns, RELATIVE])
        for number, row in enumerate(zip(*columns.values())):
            table.writerow([f"{number / FPS:g}", *(f"{value:.4f}" for value in row), int(track.relative)])


def _columns(path: Path) -> dict[str, Array64]:
    """Known columns of a table of numbers, each float64 [lines]."""
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8-sig") if size <= MOST_BYTES else ""
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or "not readable").lower()
        raise ControlError(f"{path}: {reason}. Give a CSV or video file, or 'generated' or 'retained'.") from error
    except UnicodeDecodeError as error:
        raise ControlError(f"{path}: is no text. Save the poses as CSV in UTF-8.") from error
    if size > MOST_BYTES:
        raise ControlError(f"{path}: {size >> 20} MB are no head poses. Give a CSV of at most {MOST_BYTES >> 20} MB.")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    try:
        rows = list(csv.reader(lines, delimiter=";" if lines and ";" in lines[0] else ","))
    except csv.Error as error:
        raise ControlError(f"{path}: {error}. Give lines of numbers.") from error
    names = [name.strip().lower() for name in rows[0]] if rows else []
    names = [TIME if name == SECONDS and TIME not in names else name for name in names]
    if len(rows) < 2:
        raise ControlError(f"{path}: has no lines of poses. Begin with a line such as: yaw,pitch,roll")
    wanted = (*ANGLES, TIME, BROW, BLINK, RELATIVE)
    columns: dict[str, list[float]] = {name: [] for name in names if name in wanted}
    for number, row in enumerate(rows[1:], 2):
        for name, cell in zip(names, row):
            if name in columns:
                try:
                    columns[name].append(float(cell))
                except ValueError:
                    raise ControlError(f"{path}, line {number}: {name} {cell[:40]!r} is no number.") from None
    if uneven := next((name for name, values in columns.items() if len(values) != len(rows) - 1), ""):
        raise ControlError(f"{path}: some lines have no {uneven}. Give every line as many numbers as columns.")
    if bad := next((name for name, values in columns.items() if not np.isfinite(values).all()), ""):
        raise ControlError(f"{path}: {bad} has a value that is no finite number. Correct it.")
    return {name: np.array(values, np.float64) for name, values in columns.items()}
