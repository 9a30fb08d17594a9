"""Two dozen ordinary portraits: as they are, at rest, closed, widest, blinking.

python -m pipelines.judge.gallery ../shared/portraits docs/portraits.webp
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipelines.command import command
from speechhead.audio import load_audio
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME, frames_in
from speechhead.core.controls import Controls
from speechhead.core.errors import FaceError
from speechhead.face.landmarks import mouth_opening
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.motion.compose import Motion
from speechhead.speech.model import Speech2Landmarks

from .each import avatars_of
from .lids import closed
from .performers import WholeSpeech
from .sheets import TITLE

LISTED = Path(__file__).with_name("gallery_portraits.csv")
"""Columns `file`, `shows` (why it is in the gallery) and `licence`, as its catalogue says."""

STATES = ("portrait", "rest", "closed", "widest", "blinking")

SIZE, TILE, ROWS = 512, 224, 12
"""Side of the face crop and of a picture of the gallery, in pixels; portraits one below the other."""

KEPT = 0.78
"""Part of the face crop's side that is shown."""

LARGEST = 460 * 1024
"""Bytes of the gallery."""


@dataclass(frozen=True)
class Listed:
    """A portrait of the gallery: its file, what kind of portrait it stands for, and its licence."""

    file: str
    shows: str = ""
    licence: str = ""


def listed(path: Path = LISTED) -> list[Listed]:
    """The portraits of a list with the columns `file`, `shows`, `licence`, or of the library's avatars.json."""
    if path.suffix == ".json":
        table = json.loads(path.read_text(encoding="utf-8"))["avatars"]
        return [Listed(row["file"], row["name"], row["licence"]) for row in table]
    with path.open(newline="", encoding="utf-8") as stream:
        return [Listed(row["file"], row.get("shows") or "", row.get("licence") or "") for row in csv.DictReader(stream)]


def padded(sound: Array) -> Array:
    """Sound [n] at 16 kHz with silence up to a whole frame."""
    whole = np.zeros(frames_in(len(sound)) * SAMPLES_PER_FRAME, np.float32)
    whole[: len(sound)] = sound
    return whole


def states(
    avatar: Avatar, generator: Generator, speech: WholeSpeech, audio: Array, shut: int | None = None
) -> list[Picture]:
    """The face crop in each of STATES, uint8 [S, S, 3]: closed and widest are moments of the sound under the default
    controls, without blinks; blinking is the rest with its lids shut.

    audio : float32 [640 T] at 16 kHz; shut : the frame that is closed, the one with the lips closest together if None
    """
    motion = Motion(avatar.neutral, avatar.pose, Controls(blink_rate=0))
    faces, poses = motion.step(speech.whole(audio, neutral=motion.rest), audio)
    order = np.argsort(mouth_opening(faces), kind="stable")
    source = avatar.source(generator)
    asked = [(closed(avatar, 0.0), avatar.pose)]
    asked += [(faces[at], poses[at]) for at in (int(order[0]) if shut is None else shut, int(order[-1]))]
    asked += [(closed(avatar, 1.0), avatar.pose)]
    return [avatar.crop, *(generator.render(source, face, pose) for face, pose in asked)]


def named(entry: Listed) -> str:
    """The person's name, as the file has it: without a number before and a digest after."""
    parts = re.sub(r"_[0-9a-f]{5}$", "", Path(entry.file).stem).split("_")
    if parts[0] == "ICPSR":
        parts = [part.capitalize() if part.isupper() and len(part) > 1 else part for part in parts[2:4]]
    return " ".join(parts)


def tile(picture: Picture, side: int = TILE, kept: float = KEPT) -> Picture:
    """The middle of a face crop, that part of its side, as `side` pixels."""
    margin = round(picture.shape[0] * (1 - kept) / 2)
    middle = picture[margin : picture.shape[0] - margin, margin : picture.shape[1] - margin]
    method = cv2.INTER_AREA if middle.shape[0] > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(middle, (side, side), interpolation=method), np.uint8)


def strip(path: Path, pictures: Sequence[Picture]) -> None:
    """Write pictures of one size beside each other, and the folder they go to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.hstack(pictures)).save(path)


def page(
    shown: Sequence[tuple[Listed, Sequence[Picture]]],
    side: int = TILE,
    rows: int = ROWS,
    states: Sequence[str] = STATES,
) -> NDArray[np.uint8]:
    """The gallery uint8 [h, w, 3]: a portrait a line, `rows` lines one below the other, then the next column.

    Of each portrait its picture in every one of `states`; those that are not tiles of `side` pixels are cut to them.
    """
    columns = -(-len(shown) // rows)
    width, height = len(states) * side, side + TITLE
    canvas = Image.new("RGB", (columns * width, min(rows, len(shown)) * height), "white")
    draw = ImageDraw.Draw(canvas)
    for number, (entry, pictures) in enumerate(shown):
        x, y = number // rows * width, number % rows * height
        for column, (state, picture) in enumerate(zip(states, pictures)):
            text = named(entry)[:32] if column == 0 else state
            draw.text((x + column * side + 4, y + 3), text, fill="black")
            cut = picture if picture.shape[0] == side else tile(picture, side)
            canvas.paste(Image.fromarray(cut), (x + column * side, y + TITLE))
    return np.asarray(canvas)


def encoded(picture: NDArray[np.uint8], largest: int = LARGEST) -> bytes:
    """A WebP picture of at most `largest` bytes, as fine as they allow."""
    for quality in range(92, 20, -4):
        stream = BytesIO()
        Image.fromarray(picture).save(stream, "WEBP", quality=quality)
        if stream.tell() <= largest:
            break
    return stream.getvalue()


def main(
    folder: Annotated[Path, typer.Argument(help="Portraits.")],
    output: Annotated[Path, typer.Argument(help="WebP picture to write.")],
    names: Annotated[Path, typer.Option(help="Table with `file`, `shows`, `licence`; or an avatars.json.")] = LISTED,
    sound: Annotated[Path, typer.Option(help="Sound or video file to speak.")] = Path("docs/speech.mp4"),
    full: Annotated[Path | None, typer.Option(help="Folder for a strip of each portrait at full size.")] = None,
    name: Annotated[str, typer.Option("--generator", help="Name of a generator.")] = "compact",
) -> None:
    """Draw the gallery."""
    audio = padded(load_audio(sound))
    speech, generator = Speech2Landmarks.load(threads=1), open_generator(name, SIZE, threads=1)
    entries = {entry.file: entry for entry in listed(names)}
    shown = []
    for file, avatar in avatars_of(folder, entries, SIZE):
        pictures = states(avatar, generator, speech, audio)
        shown.append((entries[file], pictures))
        if full is not None:
            strip(full / f"{Path(file).stem}.png", pictures)
    if not shown:
        raise FaceError(f"{folder}: none of the portraits of {names.name} could be drawn. Give their folder.")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(encoded(page(shown)))
    print(f"{output}: {len(shown)} portraits, {output.stat().st_size / 1024:.0f} KiB")


app = command(main)


if __name__ == "__main__":
    app()
