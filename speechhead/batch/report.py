"""The end of a batch: summary.json, summary.csv, and report.html with a picture of each video."""

from __future__ import annotations

import base64
import csv
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2

from speechhead.core.errors import SpeechheadError
from speechhead.core.outputs import replaced
from speechhead.media.image import read_picture
from speechhead.media.reader import VideoReader
from speechhead.media.targets import is_frames

from .ledger import Record
from .manifest import Line

SIDE = 200
"""Longest side of a thumbnail, pixels."""

STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 1100px; margin: 24px auto; padding: 0 16px; }
h1 { font-size: 1.3rem; } .failed { color: light-dark(#b3261e, #ff9b92); }
ul { list-style: none; padding: 0; display: grid; gap: 14px; grid-template-columns: repeat(auto-fill,
  minmax(210px, 1fr)); }
li { border: 1px solid light-dark(#ddd, #444); border-radius: 10px; padding: 10px; overflow-wrap: anywhere; }
img { display: block; max-width: 100%; border-radius: 6px; margin-bottom: 6px; }
small { opacity: 0.75; display: block; }
"""


@dataclass(frozen=True)
class Outcome:
    """A line of the manifest at the end: done, skipped (done before), failed, or left where the batch was stopped."""

    line: Line
    status: str
    record: Record | None = None

    @property
    def error(self) -> str | None:
        """What went wrong, in one line."""
        return self.line.error or (self.record.error if self.record else None)

    @property
    def row(self) -> dict[str, object]:
        """For the summary."""
        record = self.record
        job = self.line.job
        return {
            "line": self.line.number,
            "output": self.line.output,
            "status": self.status,
            "error": self.error or "",
            "notes": " ".join(record.notes) if record else "",
            "frames": record.frames if record else 0,
            "seconds": record.seconds if record else 0.0,
            "attempts": record.attempts if record else 0,
            "source": (job.source or "") if job else "",
            "said": (job.text or job.audio or "") if job else "",
        }


def write_report(folder: Path, outcomes: Sequence[Outcome]) -> Path:
    """Write the three files into the folder of results; the path of the page."""
    rows = [outcome.row for outcome in outcomes]
    counts = {name: sum(row["status"] == name for row in rows) for name in ("done", "skipped", "failed", "left")}
    with replaced(folder / "summary.json") as part:
        part.write_text(json.dumps({"counts": counts, "jobs": rows}, indent=1, ensure_ascii=False), encoding="utf-8")
    with replaced(folder / "summary.csv") as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with replaced(folder / "report.html") as part:
        part.write_text(_page(folder, outcomes, counts), encoding="utf-8")
    return folder / "report.html"


def _page(folder: Path, outcomes: Sequence[Outcome], counts: dict[str, int]) -> str:
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    items = "\n".join(_item(folder, outcome) for outcome in outcomes)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>speechhead batch</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body><h1>{len(outcomes)} jobs: {said}</h1>\n"
        f"<ul>\n{items}\n</ul></body></html>\n"
    )


def _item(folder: Path, outcome: Outcome) -> str:
    row = {name: html.escape(str(value)) for name, value in outcome.row.items()}
    if outcome.error or outcome.record is None:
        what = f'<strong class="failed">{row["status"]}</strong> <small>{row["error"]}</small>'
        return f"<li>{row['output']} <small>line {row['line']}</small>{what}</li>"
    shown = thumbnail(folder / outcome.line.output)
    picture = f'<img alt="" src="data:image/jpeg;base64,{shown}">' if shown else ""
    name = outcome.line.output
    link = html.escape(str(Path(name).parent) if is_frames(Path(name)) else name)
    about = f"{row['frames']} frames, {row['seconds']} s of work, {row['status']}"
    notes = f"<small>{row['notes']}</small>" if row["notes"] else ""
    return f'<li>{picture}<a href="{link}">{link}</a> <small>line {row["line"]}: {about}</small>{notes}</li>'


def thumbnail(path: Path, side: int = SIDE) -> str:
    """A picture of a video, from its middle where that can be found, as JPEG in base64; empty where there is none."""
    try:
        if is_frames(path):
            frames = sorted(path.parent.glob("*.png"))
            picture = read_picture(frames[len(frames) // 2])[0]
        else:
            reader = VideoReader(path)
            picture = next(reader.frames(0, 1))
            middle = int(length_of(path) * reader.fps / 2)
            picture = next(reader.frames(middle, middle + 1), picture)
    except (SpeechheadError, StopIteration, IndexError, OSError):
        return ""
    factor = min(1.0, side / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return base64.b64encode(data.tobytes()).decode()


def length_of(path: Path) -> float:
    """Seconds that a video's head states, 0 where it states none."""
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base
