"""How well a film of two people and a cut is dubbed: a sheet and figures.

python -m pipelines.judge.dubbing CLIP OTHER SHEET
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from pipelines.command import command
from speechhead.api import render
from speechhead.audio.io import load_audio, save_wav
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLE_RATE
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import RenderOptions
from speechhead.face.crop import crop_square, cut_square
from speechhead.face.landmarks import from_mesh, mouth_opening
from speechhead.face.tracker import Face, FaceTracker
from speechhead.media.image import Picture
from speechhead.media.reader import VideoReader
from speechhead.media.writer import VideoWriter
from speechhead.render.survey import shown_teeth

WIDTH, HEIGHT = 1280, 720
TOGETHER, ALONE = 40, 25
"""Pictures before and after the cut."""
PLACES = ((420, 0, 0), (320, WIDTH - 320, HEIGHT - 320))
"""Side, left and top of both people: in opposite corners."""
LARGE = (640, 330, 40)
SHOWN = (24, 25, 26, TOGETHER - 1, TOGETHER, TOGETHER + 1)
"""Pictures of the sheet: three in a row, the last before the cut, two after it."""
CELL = 220


def main(
    speaker: Annotated[Path, typer.Argument(help="Clip of the one who gets new words.")],
    other: Annotated[Path, typer.Argument(help="Clip of the other, whose sound is spoken.")],
    output: Annotated[Path, typer.Argument(help="Picture to write.")],
) -> None:
    with TemporaryDirectory() as folder:
        made = Path(folder)
        frames = compose(speaker, other)
        with VideoWriter(made / "film.mp4", WIDTH, HEIGHT, FPS, None) as writer:
            for frame in frames:
                writer.write(frame)
        sound = load_audio(other)[: len(frames) * SAMPLE_RATE // FPS]
        save_wav(made / "words.wav", sound)
        start = time.process_time()
        options, film = RenderOptions(face=1), FilmOptions(length="cut", lossless=True)
        render(made / "film.mp4", made / "words.wav", made / "dubbed.mp4", options, film=film)
        spent = (time.process_time() - start) / len(frames)
        source, dubbed = (list(VideoReader(made / f"{name}.mp4").frames()) for name in ("film", "dubbed"))
    before, after = followed(source), followed(dubbed)
    told = opening(followed(list(VideoReader(other).frames(0, len(frames)))))
    figures(source, dubbed, before, after, told)
    print(f"CPU per frame, first look and encoding with it: {spent * 1e3:.0f} ms")
    output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet(source, dubbed, before)).save(output, quality=72, optimize=True, progressive=True)
    print(output)


def compose(speaker: Path, other: Path) -> list[Picture]:
    """The film: both in corners of one picture, then the speaker alone, larger."""
    clips = [list(VideoReader(path).frames(0, TOGETHER + ALONE)) for path in (speaker, other)]
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    room = np.stack([90 + 30 * np.sin(x / 97), 100 + 30 * np.cos(y / 61), 110 + 20 * np.sin((x + y) / 83)], -1)
    out = []
    for number in range(min(TOGETHER + ALONE, *map(len, clips))):
        picture = room.astype(np.uint8)
        cast = zip(clips, PLACES) if number < TOGETHER else [(clips[0], LARGE)]
        for clip, (side, left, top) in cast:
            part = cv2.resize(clip[number], (side, side), interpolation=cv2.INTER_CUBIC)
            picture[top : top + side, left : left + side] = part
        out.append(picture)
    return out


def followed(pictures: list[Picture]) -> list[Face]:
    """The largest face of each picture, looked for anew at the cut."""
    tracker = FaceTracker(threads=1)
    parts = (pictures[:TOGETHER], pictures[TOGETHER:])
    return [face for part in parts for face in tracker.track(part) if face is not None]


def opening(faces: list[Face]) -> Array:
    """Lips' opening [T], outer eye distances."""
    return mouth_opening(np.stack([from_mesh(face.mesh) for face in faces]))


def figures(source: list[Picture], dubbed: list[Picture], before: list[Face], after: list[Face], told: Array) -> None:
    """Print where mouths lie, how lips follow the sound, how teeth flicker, and who else changed."""
    sideways = [
        abs(float(new.landmarks[48:68, 0].mean() - old.landmarks[48:68, 0].mean())) / old.pose.scale
        for old, new in zip(before, after)
    ]
    middle = float(np.median(sideways))
    print(f"mouth beside its place, outer eye distances: at most {max(sideways):.3f}, in the middle {middle:.3f}")
    lips = opening(after)
    lags = {lag: correlation(lips, told, lag) for lag in range(-4, 5)}
    print(f"correlation with the lips that said it: {lags[0]:.2f}, at the best lag {max(lags.values()):.2f}")
    rows = [
        np.array([shown_teeth(picture, face, face.pose.scale) for picture, face in zip(pictures, faces)])
        for pictures, faces in ((source, before), (dubbed, after))
    ]
    steps = [float(np.abs(np.diff(row[:TOGETHER])).mean()) for row in rows]
    shares = [step / max(float(row[:TOGETHER].mean()), 1e-6) for step, row in zip(steps, rows)]
    print(f"steps of the teeth's area, made over source: {steps[1] / max(steps[0], 1e-6):.2f}; over their mean area "
          f"{shares[1]:.2f}, in the source {shares[0]:.2f}")  # fmt: skip
    side, left, top = PLACES[1]
    there = slice(top, top + side), slice(left, left + side)
    change = max(float(np.abs(a[there].astype(int) - b[there]).mean()) for a, b in zip(source[:40:8], dubbed[:40:8]))
    print(f"change of the one who listens, levels: {change:.2f}")


def correlation(one: Array, other: Array, lag: int) -> float:
    """Correlation of two curves [T], the first `lag` later."""
    count = min(len(one), len(other))
    a, b = one[max(0, lag) : count + min(0, lag)], other[max(0, -lag) : count - max(0, lag)]
    return float(np.corrcoef(a, b)[0, 1])


def sheet(source: list[Picture], dubbed: list[Picture], faces: list[Face]) -> NDArray[np.uint8]:
    """Source above result, at the same places."""
    rows = []
    for pictures in (source, dubbed):
        cells = []
        for number in SHOWN:
            left, top, side = (round(value) for value in crop_square(faces[number].pose))
            quarter = side // 5
            part = cut_square(pictures[number], left + quarter, top + quarter * 3 // 2, side - 2 * quarter)
            cells.append(cv2.resize(part, (CELL, CELL), interpolation=cv2.INTER_AREA))
        rows.append(np.hstack(cells))
    return np.asarray(np.vstack(rows), np.uint8)


app = command(main)


if __name__ == "__main__":
    app()
