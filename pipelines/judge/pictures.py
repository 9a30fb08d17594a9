"""The still pictures of the documentation, but for the gallery.

    python -m pipelines.judge.pictures docs --portraits ../shared/portraits --media ../shared/media --sheets runs/sheets

writes grace_hopper.jpg, painting.jpg (portrait sheets), teeth.jpg, edges.jpg (before and now), and of the folder of
sheets that `pipelines.evaluate` made val_person.jpg and failures.webp.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from speechhead.core.controls import Controls
from speechhead.face.landmarks import Pose, mouth_opening
from speechhead.face.tracker import FaceTracker
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.motion.compose import Motion
from speechhead.speech.model import Speech2Landmarks

from . import earlier, ours, portrait_sheet
from .clips import ClipEntry, load
from .gallery import padded
from .performers import performers

PAINTING = "LivePortrait_s10_9febc.jpg"

TEETH = (
    "ICPSR_021159_ELLMERS_Renee_7e5f3.jpg",
    "ICPSR_029110_FRANKS_Gary_A_ac158.jpg",
    "ICPSR_001784_CLARK_William_64dab.jpg",
)
TEETH_BEFORE, TEETH_SIZE = "ae0c159", 512
"""The revision without teeth of their own, and the side of the face crop."""
OPEN = (1.0, 0.7, 0.45, 0.2)
"""Openings that are shown, in parts of the widest."""

EDGES = ("HDTF_RD_Radio2_fad6ea.mp4", "vretalk_4_f35ad3.mp4", "P_BobMenendez_ba1061.mp4")
EDGES_BEFORE, EDGES_SECONDS = "8bb3ff0", 6.0
"""The revision whose person is no layer, and how much of each clip is looked through."""

PERSON = "vretalk_4_f35ad3"
"""Clip whose sheet is val_person.jpg."""


def grid(rows: Sequence[Sequence[tuple[str, Picture]]], width: int, height: int) -> NDArray[np.uint8]:
    """Pictures in rows, each scaled to width x height, with a word in its corner."""
    page = Image.new("RGB", (width * len(rows[0]), height * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for y, row in enumerate(rows):
        for x, (word, picture) in enumerate(row):
            scaled = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            page.paste(Image.fromarray(scaled), (x * width, y * height))
            if word:
                draw.rectangle((x * width, y * height, x * width + 52, y * height + 15), fill="black")
                draw.text((x * width + 6, y * height + 2), word, fill="white")
    return np.asarray(page)


def mouth(frame: Picture, avatar: Avatar) -> Picture:
    """The part of a face crop around the mouth, 10 wide and 7 high."""
    x, y = avatar.mesh[[61, 291], :2].mean(0)
    half = 0.62 * avatar.pose.scale
    left, top = max(0, round(x - half)), max(0, round(y - 0.7 * half))
    return np.ascontiguousarray(frame[top : top + round(1.4 * half), left : left + round(2 * half)])


def spoken(avatar: Avatar, speech: Speech2Landmarks, audio: Array) -> list[tuple[Array, Pose]]:
    """Landmarks and poses of a sound at the openings of OPEN."""
    motion = Motion(avatar.neutral, avatar.pose, Controls(blink_rate=0))
    faces, poses = motion.step(speech.whole(audio, neutral=motion.rest), audio)
    opening = mouth_opening(faces)
    picked = [int(np.abs(opening - part * opening.max()).argmin()) for part in OPEN]
    return [(faces[at], poses[at]) for at in picked]


def teeth(folder: Path, sound: Path) -> NDArray[np.uint8]:
    """The mouths of TEETH by the same landmarks, of TEETH_BEFORE and now."""
    speech, audio = Speech2Landmarks.load(threads=1), padded(load_audio(sound))
    rows: list[list[tuple[str, Picture]]] = []
    with earlier.unpacked(TEETH_BEFORE) as place:
        both = performers("compact", revision=place)
        makers = {word: both[name].generator(TEETH_SIZE) for word, name in (("before", "earlier"), ("now", "ours"))}
        for name in TEETH:
            avatar = Avatar.from_image(folder / name, TEETH_SIZE).resampled(TEETH_SIZE)
            for word, generator in makers.items():
                pictures = mouths(avatar, generator, spoken(avatar, speech, audio))
                rows.append([(word if column == 0 else "", picture) for column, picture in enumerate(pictures)])
    return grid(rows, 260, 182)


def mouths(avatar: Avatar, generator: Generator, asked: Sequence[tuple[Array, Pose]]) -> list[Picture]:
    """The mouth at each of these faces and poses."""
    source = avatar.source(generator)
    return [mouth(generator.render(source, face, pose), avatar) for face, pose in asked]


def edges(media: Path) -> NDArray[np.uint8]:
    """EDGES where the head is turned farthest from the source: source, truth, of EDGES_BEFORE, now."""
    tracker, rows = FaceTracker(threads=1), []
    with earlier.unpacked(EDGES_BEFORE) as place:
        both = performers("compact", revision=place)
        for name in EDGES:
            clip = load(ClipEntry(media / name, name), EDGES_SECONDS, tracker)
            far = int(np.linalg.norm(clip.truth.angles - clip.truth.angles[0], axis=1).argmax())
            row = [("source", clip.frames[0]), ("truth", clip.frames[far])]
            for word, who in (("before", "earlier"), ("now", "ours")):
                size = ours.native_size(clip)
                rendered = ours.Rendered(clip, both[who].generator(size), size)
                frames = rendered.frames(clip.truth.normalised[far : far + 1], clip.truth.poses[far : far + 1])
                row.append((word, frames[0]))
            rows.append(row)
    return grid(rows, 300, 300)


def save(path: Path, picture: NDArray[np.uint8]) -> None:
    """A JPEG, or WebP where its name ends so, which takes a third less for a large sheet."""
    quality = 76 if path.suffix == ".webp" else 72
    Image.fromarray(picture).save(path, quality=quality, optimize=True, progressive=True)
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def main(
    folder: Annotated[Path, typer.Argument(help="Where the pictures go.")],
    portraits: Annotated[Path, typer.Option(help="Folder of portraits.")],
    media: Annotated[Path, typer.Option(help="Folder of clips.")],
    sheets: Annotated[Path | None, typer.Option(help="Folder of sheets that pipelines.evaluate made.")] = None,
    sound: Annotated[Path, typer.Option(help="Sound or video file to speak.")] = Path("docs/speech.mp4"),
) -> None:
    """Draw them all."""
    folder.mkdir(parents=True, exist_ok=True)
    speech, audio = Speech2Landmarks.load(threads=1), load_audio(sound)
    for name, portrait, size in (("grace_hopper", "grace_hopper", 384), ("painting", str(portraits / PAINTING), 300)):
        avatar = Avatar.open(portrait, size)
        save(
            folder / f"{name}.jpg", portrait_sheet.sheet(avatar, audio, open_generator("compact", avatar.size), speech)
        )
    save(folder / "teeth.jpg", teeth(portraits, sound))
    save(folder / "edges.jpg", edges(media))
    if sheets is not None:
        for name, made in (("val_person.jpg", f"{PERSON}.png"), ("failures.webp", "failures.png")):
            save(folder / name, np.asarray(Image.open(sheets / made).convert("RGB")))


app = command(main)


if __name__ == "__main__":
    app()
