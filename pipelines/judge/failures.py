"""Where we fail: the worst frame of every clip as a strip, and the worst clips by each measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from .clips import JudgedClip
from .picture import Frames
from .sheets import TITLE

Row = dict[str, Any]

WORST = 3
"""Clips, and portraits, that are shown for each measure."""

SIDE = 256
"""Pixels of a portrait's pictures."""

MEASURES = (
    ("self_reenactment", "l1", False, "L1 at self-reenactment"),
    ("self_reenactment", "mouth_akd", False, "mouth AKD at self-reenactment"),
    ("speech", "correlation", True, "correlation of lip opening, from speech"),
)
"""Task, metric of ours, whether more is better, title."""

STILLS = (("worst", "bright line between closed lips"), ("shut", "opening of shut lids"))
"""Measure of portraits, title."""


def strip(clip: JudgedClip, videos: Mapping[str, Frames]) -> tuple[int, Frames]:
    """The frame with the largest L1 of ours, and it beside the rest: source, truth, ours, warp, error (times three)."""
    errors = [np.abs(a.astype(np.int16) - b).mean() for a, b in zip(videos["ours"], clip.frames)]
    frame = int(np.argmax(errors))
    difference = np.abs(videos["ours"][frame].astype(np.int16) - clip.frames[frame]) * 3
    columns = {"source": clip.frames[0], "truth": clip.frames[frame], "ours": videos["ours"][frame]}
    columns |= {"warp": videos["warp"][frame], "error x 3": difference.clip(0, 255).astype(np.uint8)}
    about = {"source": f"{clip.entry.path.stem}, frame {frame}: source"}
    return frame, titled([(about.get(name, name), picture) for name, picture in columns.items()])


def titled(columns: Sequence[tuple[str, Frames]]) -> Frames:
    """Pictures [h, w, 3] of one size side by side, each with its title."""
    height, width = columns[0][1].shape[:2]
    page = Image.new("RGB", (width * len(columns), height + TITLE), "white")
    draw = ImageDraw.Draw(page)
    for column, (title, picture) in enumerate(columns):
        draw.text((column * width + 4, 3), title, fill="black")
        page.paste(Image.fromarray(np.ascontiguousarray(picture)), (column * width, TITLE))
    return np.asarray(page)


def write(path: Path, columns: Sequence[tuple[str, Frames]]) -> None:
    """Write such a strip as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(titled(columns)).save(path, optimize=True)


def save(path: Path, clip: JudgedClip, videos: Mapping[str, Frames]) -> int:
    """Write the strip as PNG; returns the number of the frame."""
    frame, picture = strip(clip, videos)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, optimize=True)
    return frame


def worst(rows: Sequence[Mapping[str, Any]], task: str, metric: str, more: bool) -> list[Mapping[str, Any]]:
    """The worst clips by a metric of ours, the worst first."""
    found = [row for row in rows if row.get(task, {}).get("ours", {}).get(metric) is not None]
    return sorted(found, key=lambda row: row[task]["ours"][metric], reverse=not more)[:WORST]


def worst_stills(portraits: Sequence[Row], measure: str, folder: Path) -> list[Row]:
    """The worst portraits by a measure of ours, the worst first, of those that have a strip in the folder."""
    found = [row for row in portraits if (folder / f"{Path(row['file']).stem}.worst.png").is_file() and "ours" in row]
    return sorted(found, key=lambda row: -row["ours"][measure])[:WORST]


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def sheet(rows: Sequence[Row], folder: Path, portraits: Sequence[Row] = ()) -> Path | None:
    """`failures.png` in the folder: the strips of all clips and portraits that are among the worst by any measure."""
    names = [row["file"] for task, metric, more, _ in MEASURES for row in worst(rows, task, metric, more)]
    names += [row["file"] for measure, _ in STILLS for row in worst_stills(portraits, measure, folder)]
    paths = [folder / f"{Path(name).stem}.worst.png" for name in dict.fromkeys(names)]
    strips = [_opened(path) for path in paths if path.is_file()]
    if not strips:
        return None
    page = Image.new("RGB", (max(s.width for s in strips), sum(s.height for s in strips)), "white")
    top = 0
    for picture in strips:
        page.paste(picture, (0, top))
        top += picture.height
    page.save(folder / "failures.png", optimize=True)
    return folder / "failures.png"
