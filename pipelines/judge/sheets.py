"""Contact sheets: source, truth and every method side by side at the frames that tell most."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from speechhead.face.landmarks import mouth_opening

from .clips import JudgedClip
from .picture import Frames

ORDER = ("ours", "warp", "ours from speech")
"""Columns after source and truth, as far as they were rendered."""
TITLE = 18
"""Height of the caption in pixels."""


def telling_frames(opening: NDArray[np.float32]) -> dict[str, int]:
    """Frames of the widest open, the closed and the median mouth in a curve of opening [T]."""
    order = np.argsort(opening, kind="stable")
    return {"widest": int(order[-1]), "median": int(order[len(order) // 2]), "closed": int(order[0])}


def sheet(clip: JudgedClip, videos: Mapping[str, Frames]) -> Frames:
    """Contact sheet uint8 [h, w, 3]: a row per telling frame of the truth, a column per method."""
    columns = {"source": np.broadcast_to(clip.frames[0], clip.frames.shape), "truth": clip.frames}
    columns |= {name: videos[name] for name in ORDER if name in videos}
    height, width = clip.frames.shape[1:3]
    picked = telling_frames(mouth_opening(clip.truth.normalised))
    page = Image.new("RGB", (width * len(columns), (height + TITLE) * len(picked)), "white")
    draw = ImageDraw.Draw(page)
    for row, (label, frame) in enumerate(picked.items()):
        for column, (name, frames) in enumerate(columns.items()):
            x, y = column * width, row * (height + TITLE)
            draw.text((x + 4, y + 3), f"{name}, {label} mouth, frame {frame}", fill="black")
            page.paste(Image.fromarray(np.ascontiguousarray(frames[frame])), (x, y + TITLE))
    return np.asarray(page)


def save(path: Path, clip: JudgedClip, videos: Mapping[str, Frames]) -> Path:
    """Write the contact sheet of a clip as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet(clip, videos)).save(path, optimize=True)
    return path
