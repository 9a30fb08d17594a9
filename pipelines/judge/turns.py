"""A dozen portraits turned: to the sides, up and down, towards a shoulder.

python -m pipelines.judge.turns ../shared/portraits docs/turns.webp
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import typer

from pipelines.command import command
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import FaceError
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.motion.pose import drawn, turned

from . import gallery
from .each import avatars_of
from .gallery import listed

LISTED = Path(__file__).with_name("turned_portraits.csv")
"""Columns `file`, `shows` (why it is in the sheet) and `licence`, as its catalogue says."""

ANGLES = (
    *((float(yaw), 0.0, 0.0) for yaw in (-20, -15, -10, 10, 15, 20)),
    *((0.0, float(pitch), 0.0) for pitch in (-15, 15)),
    *((0.0, 0.0, float(roll)) for roll in (-15, 15)),
)
"""(yaw, pitch, roll) in degrees away from the portrait's own pose."""

SIZE, TILE = 512, 176
"""Side of the face crop and of a picture of the sheet, in pixels."""

KEPT = 0.9
"""Part of the face crop's side that is shown: hair and shoulders are what turns worst."""

LARGEST = 512 * 1024
"""Bytes of the sheet."""


def title(angles: tuple[float, float, float]) -> str:
    """What is asked, in words."""
    return ", ".join(f"{name} {value:+g}" for name, value in zip(("yaw", "pitch", "roll"), angles) if value)


def poses(avatar: Avatar, generator: Generator) -> list[Picture]:
    """The face crop as it is, and turned by each of ANGLES about the neck, uint8 [S, S, 3]."""
    source = avatar.source(generator)
    asked = (turned(avatar.pose, drawn(angles)) for angles in ANGLES)
    return [avatar.crop, *(generator.render(source, avatar.neutral, pose) for pose in asked)]


def main(
    folder: Annotated[Path, typer.Argument(help="Portraits.")],
    output: Annotated[Path, typer.Argument(help="WebP picture to write.")],
    names: Annotated[Path, typer.Option(help="Table with `file`, `shows`, `licence`; or an avatars.json.")] = LISTED,
    full: Annotated[Path | None, typer.Option(help="Folder for a strip of each portrait at full size.")] = None,
    name: Annotated[str, typer.Option("--generator", help="Name of a generator.")] = "compact",
) -> None:
    """Draw the sheet."""
    cv2.setNumThreads(1)
    generator = open_generator(name, SIZE, threads=1)
    entries = {entry.file: entry for entry in listed(names)}
    shown = []
    for file, avatar in avatars_of(folder, entries, SIZE):
        entry = entries[file]
        pictures = poses(avatar, generator)
        shown.append((entry, [gallery.tile(picture, TILE, KEPT) for picture in pictures]))
        if full is not None:
            gallery.strip(full / f"{Path(entry.file).stem}.png", pictures)
    if not shown:
        raise FaceError(f"{folder}: none of the portraits of {names.name} could be drawn. Give their folder.")
    states = ("portrait", *map(title, ANGLES))
    page = gallery.page(shown, TILE, len(shown), states)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(gallery.encoded(page, LARGEST))
    print(f"{output}: {len(shown)} portraits, {output.stat().st_size / 1024:.0f} KiB")


app = command(main)


if __name__ == "__main__":
    app()
