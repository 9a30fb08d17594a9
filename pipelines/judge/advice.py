"""What makes a good portrait, shown, and what `speechhead check` says of worse ones.

python -m pipelines.judge.advice docs/choosing.jpg
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import cv2
import numpy as np
import typer
from PIL import Image, ImageDraw

from pipelines.command import command
from speechhead.avatar.check import check
from speechhead.avatar.named import shipped
from speechhead.media.image import Picture, load_image

SIDE, LINES = 300, 46
"""Pixels of a picture's side, and of the words below it."""


def small(picture: Picture) -> Picture:
    """The picture with few pixels."""
    return np.asarray(cv2.resize(picture, (280, 280), interpolation=cv2.INTER_AREA), np.uint8)


def blurred(picture: Picture) -> Picture:
    """The picture out of focus."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 6), np.uint8)


def dark(picture: Picture) -> Picture:
    """The picture by little light."""
    return np.asarray(picture * 0.22, np.uint8)


def from_one_side(picture: Picture) -> Picture:
    """The picture lit from one side."""
    width = picture.shape[1]
    fall = np.interp(np.arange(width) / width, (0.33, 0.67), (0.25, 1.3))
    return np.asarray(np.clip(picture * fall[None, :, None], 0, 255), np.uint8)


WORSE: tuple[tuple[str, Callable[[Picture], Picture]], ...] = (
    ("mara", lambda picture: picture),
    ("mara", blurred),
    ("mara", dark),
    ("mara", from_one_side),
    ("mara", small),
    ("eileen_collins", lambda picture: picture),
    ("reuben_robie", lambda picture: picture),
)
"""Shipped portraits, and what is done to them."""


def said(picture: Picture) -> str:
    """What `check` says first of a picture, without the file's name."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        Image.fromarray(picture).save(path)
        lines = check(path).lines
    return lines[0].removeprefix(f"{path}: ").rstrip(".") if lines else "works well"


def wrapped(text: str, most: int) -> str:
    """A text in lines of at most so many letters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def main(output: Annotated[Path, typer.Argument(help="JPEG to write.")]) -> None:
    """Draw the page."""
    columns = 4
    rows = -(-len(WORSE) // columns)
    page = Image.new("RGB", (columns * SIDE, rows * (SIDE + LINES)), "white")
    draw = ImageDraw.Draw(page)
    for number, (name, how) in enumerate(WORSE):
        picture = how(load_image(shipped()[name].path))
        words = said(picture)
        side = min(picture.shape[:2])
        left = (picture.shape[1] - side) // 2
        square = Image.fromarray(picture[:side, left : left + side]).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        x, y = number % columns * SIDE, number // columns * (SIDE + LINES)
        page.paste(square, (x, y))
        draw.text((x + 4, y + SIDE + 3), wrapped(words, 46), fill="black")
    page.save(output, quality=72, optimize=True, progressive=True)
    print(output)


app = command(main)


if __name__ == "__main__":
    app()
