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
"""Clips that are shown for each measure."""

MEASURES = (
    ("self_reenactment", "l1", False, "L1 at self-reenactment"),
    ("self_reenactment", "mouth_akd", False, "mouth AKD at self-reenactment"),
    ("speech", "correlation", True, "correlation of lip opening, from speech"),
)
"""Task, metric of ours, whether more is better, title."""


def strip(clip: JudgedClip, videos: Mapping[str, Frames]) -> tuple[int, Frames]:
    """The frame with the largest L1 of ours, and it beside the rest: source, truth, ours, warp, error (times three)."""
    errors = [np.abs(a.astype(np.int16) - b).mean() for a, b in zip(videos["ours"], clip.frames)]
    frame = int(np.argmax(errors))
    difference = np.abs(videos["ours"][frame].astype(np.int16) - clip.frames[frame]) * 3
    columns = {"source": clip.frames[0], "truth": clip.frames[frame], "ours": videos["ours"][frame]}
    columns |= {"warp": videos["warp"][frame], "error x 3": difference.clip(0, 255).astype(np.uint8)}
    height, width = clip.frames.shape[1:3]
    page = Image.new("RGB", (width * len(columns), height + TITLE), "white")
    draw = ImageDraw.Draw(page)
    for column, (name, picture) in enumerate(columns.items()):
        about = f"{clip.entry.path.stem}, frame {frame}: {name}" if column == 0 else name
        draw.text((column * width + 4, 3), about, fill="black")
        page.paste(Image.fromarray(np.ascontiguousarray(picture)), (column * width, TITLE))
    return frame, np.asarray(page)


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


def sheet(rows: Sequence[Row], folder: Path) -> Path | None:
    """`failures.png` in the folder: the strips of all clips that are among the worst by any measure."""
    names = [row["file"] for task, metric, more, _ in MEASURES for row in worst(rows, task, metric, more)]
    paths = [folder / f"{Path(name).stem}.worst.png" for name in dict.fromkeys(names)]
    strips = [Image.open(path) for path in paths if path.is_file()]
    if not strips:
        return None
    page = Image.new("RGB", (max(s.width for s in strips), sum(s.height for s in strips)), "white")
    top = 0
    for picture in strips:
        page.paste(picture, (0, top))
        top += picture.height
    page.save(folder / "failures.png", optimize=True)
    return folder / "failures.png"
