"""Lips to look at: mouths frame by frame over curves of opening, width and chin.

    python -m pipelines.train.speech.sheets runs/lips --clips ../shared/media2 [--split test] [--people 3]
    python -m pipelines.train.speech.sheets runs/lips --sound FRENCH.wav --sound MANDARIN.mp4 [--portrait NAME_OR_FILE]

writes a PNG for each person, true mouths above ours, or for each sound: of a clip its first frame speaks, of a sound
the portrait, with nothing but speech moving.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipelines.command import command
from pipelines.judge import ours
from pipelines.judge.clips import FaceTrack, JudgedClip, list_clips, load, track
from pipelines.judge.picture import Frames
from speechhead.audio import load_audio
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.core.errors import SpeechheadError
from speechhead.face.tracker import FaceTracker
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.motion.compose import Motion
from speechhead.speech.model import Speech2Landmarks

from .measures import curves_of

CONTROLS = replace(ours.LIPS_ONLY, mouth_amplitude=Controls().mouth_amplitude)
"""Nothing but speech moves, as far as it does by default."""
ACROSS = 25
"""Mouths in a line: a second."""
MOUTH = (72, 54)
"""Width and height of a mouth on the sheet, pixels."""
REACH = 0.5
"""Half of the width that is shown, in outer eye distances."""
PANEL = 130
"""Height of the picture of a curve, pixels."""
SHOWN = ("opening", "width", "chin")
COLOURS = {"truth": (40, 40, 40), "asked": (60, 120, 220), "seen": (220, 60, 40)}
CENTRE = (13, 14, 61, 291)
"""Vertices of the mesh between which a mouth lies."""


def mouths(frames: Frames, tracked: FaceTrack) -> list[Picture]:
    """The mouth [h, w, 3] of each picture [T, H, W, 3], of the size `MOUTH`."""
    width, height = MOUTH
    cut = []
    for frame, mesh, pose in zip(frames, tracked.mesh, tracked.poses):
        x, y = mesh[list(CENTRE), :2].mean(0)
        scale = width / (2 * REACH * pose.scale)
        matrix = np.array([[scale, 0, width / 2 - scale * x], [0, scale, height / 2 - scale * y]], np.float32)
        cut.append(np.asarray(cv2.warpAffine(frame, matrix, MOUTH, flags=cv2.INTER_LINEAR), np.uint8))
    return cut


def drawn(lines: Mapping[str, Array], name: str, width: int) -> Picture:
    """Curves [T] about their own medians as lines of the colours of `COLOURS`, [PANEL, width, 3]."""
    page = Image.new("RGB", (width, PANEL), "white")
    draw = ImageDraw.Draw(page)
    centred = {key: line - np.median(line) for key, line in lines.items()}
    low = min(float(line.min()) for line in centred.values())
    high = max(float(line.max()) for line in centred.values())
    step = width / max(map(len, centred.values()))
    for second in np.arange(0, width, FPS * step):
        draw.line([(second, 16), (second, PANEL)], fill=(215, 215, 215))
    for key, line in centred.items():
        y = (PANEL - 8) - (PANEL - 28) * (line - low) / max(high - low, 1e-6)
        points = [(at * step, float(value)) for at, value in enumerate(y)]
        draw.line(points, fill=COLOURS[key], width=2)
    draw.text((4, 2), f"{name}, {high - low:.3f} outer eye distances from lowest to highest", fill="black")
    for place, key in enumerate(centred):
        draw.text((width - 60 * (len(centred) - place), 2), key, fill=COLOURS[key])
    return np.asarray(page)


def sheet(strips: Sequence[Sequence[Picture]], motions: Mapping[str, Array]) -> NDArray[np.uint8]:
    """Strips of mouths, one above the other in lines of a second, over the curves of motions [T, 70, 3]."""
    width = MOUTH[0] * ACROSS
    rows = []
    for begin in range(0, max(map(len, strips)), ACROSS):
        for strip in strips:
            line = np.full((MOUTH[1], width, 3), 255, np.uint8)
            for at, mouth in enumerate(strip[begin : begin + ACROSS]):
                line[:, at * MOUTH[0] : (at + 1) * MOUTH[0]] = mouth
            rows.append(line)
        rows.append(np.full((4, width, 3), 255, np.uint8))
    curves = {key: curves_of(motion) for key, motion in motions.items()}
    panels = [drawn({key: found[name] for key, found in curves.items()}, name, width) for name in SHOWN]
    return np.concatenate([*rows, *panels])


def of_clip(clip: JudgedClip, generator: Generator, size: int, speech: Speech2Landmarks) -> NDArray[np.uint8]:
    """The sheet of a clip: true mouths above those of its first frame."""
    faces, poses = ours.spoken(clip, speech, CONTROLS)
    frames = ours.Rendered(clip, generator, size).frames(faces, poses)
    seen = _seen(frames)
    strips = [mouths(clip.frames, clip.truth), mouths(frames, seen)]
    return sheet(strips, {"truth": clip.truth.normalised, "asked": faces, "seen": seen.normalised})


def of_sound(audio: Array, avatar: Avatar, generator: Generator, speech: Speech2Landmarks) -> NDArray[np.uint8]:
    """The sheet of a sound [n] that a portrait speaks."""
    motion = Motion(avatar.neutral, avatar.pose, CONTROLS)
    faces, poses = motion.step(speech.whole(audio, neutral=motion.rest), audio)
    source = avatar.source(generator)
    frames = np.stack([generator.render(source, face, pose) for face, pose in zip(faces, poses)])
    seen = _seen(frames)
    return sheet([mouths(frames, seen)], {"asked": faces, "seen": seen.normalised})


def _seen(frames: Frames) -> FaceTrack:
    seen = track(frames, FaceTracker(threads=1))
    assert seen is not None  # a portrait with a face
    return seen


def first_of_people(folder: Path, split: str, people: int, seconds: float) -> Iterator[tuple[str, JudgedClip]]:
    """The first clip with a face and sound of as many people of a split, by name."""
    shown: set[str] = set()
    for entry in list_clips(folder, split):
        if len(shown) < people and entry.identity not in shown:
            try:
                clip = load(entry, seconds, FaceTracker(threads=1))
            except SpeechheadError as error:
                print(f"left out: {error}")
                continue
            if clip.audio is not None:
                shown.add(entry.identity)
                yield entry.path.stem, clip


def main(
    folder: Annotated[Path, typer.Argument(help="Where the sheets go.")],
    clips: Annotated[Path | None, typer.Option(help="Folder of talking-face clips.")] = None,
    split: Annotated[str, typer.Option(help="Of the clips' catalogue.")] = "test",
    people: Annotated[int, typer.Option(min=1, help="How many of them.")] = 3,
    sound: Annotated[list[Path] | None, typer.Option(help="Sound or video to speak; may be repeated.")] = None,
    portrait: Annotated[str, typer.Option(help="Who speaks it: a picture or a shipped portrait.")] = "mara",
    seconds: Annotated[float, typer.Option(min=0.2, help="Of each clip and sound.")] = 4.0,
    size: Annotated[int, typer.Option(min=64, help="Side of the face crop in pixels.")] = 256,
) -> None:
    """Draw them."""
    if clips is None and not sound:
        raise typer.BadParameter("nothing to look at. Name --clips FOLDER, or --sound FILE.")
    folder.mkdir(parents=True, exist_ok=True)
    speech, generator = Speech2Landmarks.load(threads=1), open_generator("compact", size, threads=1)
    made = {}
    for name, clip in first_of_people(clips, split, people, seconds) if clips else ():
        made[name] = of_clip(clip, generator, size, speech)
    for path in sound or ():
        audio = load_audio(path)[: round(seconds * FPS) * SAMPLES_PER_FRAME]
        avatar = Avatar.open(portrait, size).resampled(size)
        made[path.stem] = of_sound(audio, avatar, generator, speech)
    for name, picture in made.items():
        Image.fromarray(picture).save(folder / f"{name}.png", optimize=True)
        print(folder / f"{name}.png")


app = command(main)


if __name__ == "__main__":
    app()
