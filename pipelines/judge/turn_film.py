"""A small film of six driven clips whose heads turn, the truth beside ours.

python -m pipelines.judge.turn_film ../shared/media docs/turns.mp4 --split val
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from PIL import Image, ImageDraw

from pipelines.command import command
from speechhead.core.clocks import FPS
from speechhead.core.errors import FaceError, SpeechheadError
from speechhead.face.tracker import FaceTracker
from speechhead.generators.open import open_generator
from speechhead.media.h264 import H264
from speechhead.media.image import Picture
from speechhead.media.writer import VideoWriter

from . import ours
from .clips import ClipEntry, FaceTrack, JudgedClip, list_clips, load
from .picture import Frames
from .turn_bins import EDGES, turn

COUNT, COLUMNS, SIDE, SECONDS = 6, 2, 192, 6.0
"""Clips, pairs beside each other, pixels of a picture's side, and length of the film."""

LARGEST = 340_000
"""Bytes of the film."""

QUALITIES = (20, 23, 26, 29, 32, 35, 38)
"""Constant qualities of x264 that are tried until the film is small enough."""


def most_turned(angles: Sequence[float] | np.ndarray, length: int) -> tuple[int, float]:
    """First frame of the stretch of so many frames with the largest turn that counts, and its mean in degrees.

    Turns beyond the last of EDGES count as that: what is asked for, and no more.
    """
    counted = np.minimum(np.asarray(angles, np.float64), EDGES[-1])
    length = min(length, len(counted))
    sums = np.convolve(counted, np.ones(length), "valid")
    first = int(sums.argmax())
    return first, float(sums[first] / length)


def stretch(clip: JudgedClip, seconds: float) -> tuple[JudgedClip, float]:
    """The source, a clip's first frame, and after it the stretch in which the head turns most; and that turn."""
    first, mean = most_turned(turn(clip.truth.poses), round(seconds * FPS))
    order = [0, *range(first, min(first + round(seconds * FPS), len(clip.frames)))]
    truth = FaceTrack(np.ascontiguousarray(clip.truth.mesh[order]), clip.truth.found)
    return replace(clip, frames=np.ascontiguousarray(clip.frames[order]), audio=None, truth=truth), mean


def chosen(entries: Sequence[ClipEntry], count: int, seconds: float) -> list[JudgedClip]:
    """The stretches of the clips whose heads turn most, the most first; clips without a face are left out."""
    tracker, found = FaceTracker(threads=1), []
    for entry in entries:
        try:
            found.append(stretch(load(entry, None, tracker), seconds))
        except SpeechheadError as error:
            print(f"left out: {error}")
    found.sort(key=lambda one: -one[1])
    return [clip for clip, _ in found[:count]]


def small(picture: Picture, title: str, side: int) -> Picture:
    """The middle square of a picture, `side` pixels, with its title on it."""
    height, width = picture.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = np.ascontiguousarray(picture[top : top + edge, left : left + edge])
    canvas = Image.fromarray(np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8))
    ImageDraw.Draw(canvas).text((4, 2), title, fill="white", stroke_width=1, stroke_fill="black")
    return np.asarray(canvas)


def frame(pairs: Sequence[tuple[Frames, Frames]], number: int, side: int = SIDE, columns: int = COLUMNS) -> Picture:
    """One picture of the film: truth and ours of every clip; a clip that is over holds its last frame."""
    tiles = []
    for pair in pairs:
        at = min(number, len(pair[0]) - 1)
        tiles.append(np.hstack([small(part[at], name, side) for part, name in zip(pair, ("truth", "ours"))]))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)])


def write(path: Path, pairs: Sequence[tuple[Frames, Frames]], largest: int = LARGEST) -> Path:
    """Write the film, as fine as `largest` bytes allow."""
    pictures = [frame(pairs, number) for number in range(max(len(truth) for truth, _ in pairs))]
    height, width = pictures[0].shape[:2]
    for crf in QUALITIES:
        with VideoWriter(path, width, height, coding=H264(crf=crf)) as writer:
            for picture in pictures:
                writer.write(picture)
        if path.stat().st_size <= largest:
            break
    return path


def main(
    folder: Annotated[Path, typer.Argument(help="Talking-face clips.")],
    output: Annotated[Path, typer.Argument(help="MP4 to write.")],
    names: Annotated[list[str] | None, typer.Option("--clip", help="Only these files.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this split of the catalogue.")] = None,
    name: Annotated[str, typer.Option("--generator", help="Name of a generator.")] = "compact",
) -> None:
    """Render the film and name its clips."""
    cv2.setNumThreads(1)
    entries = [entry for entry in list_clips(folder, split) if not names or entry.path.name in names]
    clips = chosen(entries, COUNT, SECONDS)
    if not clips:
        raise FaceError(f"{folder}: no clip with a face that can be followed. Name a folder of talking-face clips.")
    pairs = []
    for clip in clips:
        size = ours.native_size(clip)
        made = ours.reenacted(clip, ours.Rendered(clip, open_generator(name, size, threads=1), size))
        pairs.append((clip.frames[1:], made[1:]))
    output.parent.mkdir(parents=True, exist_ok=True)
    write(output, pairs)
    print(f"{output}: {', '.join(c.entry.path.name for c in clips)}, {output.stat().st_size / 1024:.0f} KiB")


app = command(main)


if __name__ == "__main__":
    app()
