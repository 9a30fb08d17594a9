"""What became of every part of every video: rows, files and a table."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from speechhead.core.clocks import FPS

from .files import write_text

COLUMNS = ("video", "from", "seconds", "verdict", "value", "note", "sample", "sound", "lag", "r", "r_energy")
KEPT = "kept"


def row(
    video: str, verdict: str, start: int = 0, stop: int = 0, value: float | None = None, note: str = ""
) -> dict[str, Any]:
    """One line of the report: frames [start, stop) of a video, 'kept' or why not, and the number that decided."""
    about = {"video": video, "from": start / FPS, "seconds": (stop - start) / FPS, "verdict": verdict, "note": note}
    return about if value is None else about | {"value": round(value, 4)}


def write_report(folder: Path, rows: list[dict[str, Any]]) -> None:
    """`report.csv` and `report.json`."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / "report.csv", text.getvalue())
    write_text(folder / "report.json", json.dumps({"summary": summary(rows), "rows": rows}, indent=1) + "\n")


def summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Parts and seconds by verdict, what was kept first, then the largest loss."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"parts": 0, "seconds": 0.0})
    for one in rows:
        verdict = one["verdict"] if one["verdict"] != KEPT else f"kept, sound {one.get('sound', 'none')}"
        found[verdict]["parts"] += 1
        found[verdict]["seconds"] = round(found[verdict]["seconds"] + one["seconds"], 2)
    order = sorted(found, key=lambda name: (not name.startswith(KEPT), -found[name]["seconds"], name))
    return {name: dict(found[name]) for name in order}


def table(rows: list[dict[str, Any]]) -> str:
    """The summary as text."""
    lines = [f"{'verdict':24s}{'parts':>7s}{'seconds':>10s}"]
    lines += [f"{name:24s}{one['parts']:7.0f}{one['seconds']:10.1f}" for name, one in summary(rows).items()]
    return "\n".join(lines)
