"""Whether others' networks recognise an emotion that was asked for, and the person who shows it.

    python -m pipelines.judge.independent MODELS PORTRAIT... [--intensity 0.7] [--json OUT] [--sheet OUT.png]

MODELS holds emotion.json, emotion.bin, faceres.json and faceres.bin, as in the folder `models` of the npm package
@vladmandic/human (MIT; `npm pack @vladmandic/human`). They judge, and nothing learns from them. The classifier is right
in 24 of 54 frames of real acted faces (MEAD and films, seven classes), so that 0.44 is as sure as a face can be told.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from PIL import Image

from pipelines.command import command
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.controls import EMOTIONS
from speechhead.face.tracker import FaceTracker
from speechhead.generators.open import open_generator
from speechhead.media.image import Picture

from .expression import PosedPortrait
from .expression_report import grid
from .graph_model import GraphModel
from .tables import number, table

CLASSES = ("angry", "disgusted", "afraid", "happy", "sad", "surprised", "neutral")
"""Our names of the classifier's classes, in its order."""

GREY = np.array([0.2989, 0.587, 0.114], np.float32)
EMOTION_SIDE, PERSON_SIDE = 64, 224
AROUND_EMOTION, AROUND_PERSON = 1.0, 1.4
"""Sides of the square that the networks see, over the longer side of the face. The first was chosen on real faces."""


@dataclass(frozen=True)
class Verdict:
    """What the networks say of one rendered face.

    asked: the emotion; told: the classifier's; risen: the one whose probability rose most over the neutral face's, in
    logarithms; before, after: probability of the asked one in the neutral face and in this; likeness: cosine of the
    person's descriptor to the portrait's own.
    """

    portrait: str
    asked: str
    told: str
    risen: str
    before: float
    after: float
    likeness: float


def upright(picture: Picture, mesh: Array, around: float, side: int) -> Array:
    """The face of a mesh [478, 3] px, eyes level, in a square of `side` pixels: float32 [side, side, 3], 0..255."""
    points = mesh[:468, :2]
    low, high = points.min(0), points.max(0)
    middle, half = (low + high) / 2, float((high - low).max()) * around / 2
    across = mesh[263, :2] - mesh[33, :2]
    tilt = float(np.degrees(np.arctan2(across[1], across[0])))
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), tilt, side / (2 * half))
    matrix[:, 2] += side / 2 - middle
    seen = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


class Judges:
    """The two networks of a folder.

    Raises
    ------
    WeightsError if one is not in it.
    """

    def __init__(self, folder: Path) -> None:
        self._emotion, self._person = GraphModel(folder / "emotion.json"), GraphModel(folder / "faceres.json")

    def emotion(self, picture: Picture, mesh: Array) -> Array:
        """Probability [7] of each of CLASSES."""
        grey = upright(picture, mesh, AROUND_EMOTION, EMOTION_SIDE) @ GREY / 255
        return self._emotion(2 * (grey - 0.5)[None, :, :, None], "Identity")[0]

    def person(self, picture: Picture, mesh: Array) -> Array:
        """Descriptor [1024] of length one."""
        found = self._person(upright(picture, mesh, AROUND_PERSON, PERSON_SIDE)[None], "global_pooling/Mean")[0]
        return np.asarray(found / np.linalg.norm(found), np.float32)


def verdicts(name: str, stage: PosedPortrait, judges: Judges, intensity: float) -> tuple[list[Verdict], list[Picture]]:
    """Of every emotion at one intensity, and the pictures: the portrait's own, neutral, then one per emotion."""
    pictures = [stage.avatar.crop, stage.still()]
    pictures += [stage.still(emotion={emotion: intensity}) for emotion in EMOTIONS[1:]]
    meshes = [stage.seen([picture]).mesh[0] for picture in pictures]
    told = [judges.emotion(picture, mesh) for picture, mesh in zip(pictures, meshes)]
    people = [judges.person(picture, mesh) for picture, mesh in zip(pictures, meshes)]
    found = []
    for number_, asked in enumerate(EMOTIONS[1:], 2):
        at, rise = CLASSES.index(asked), np.log(told[number_] + 1e-3) - np.log(told[1] + 1e-3)
        likely, risen = (CLASSES[int(values.argmax())] for values in (told[number_], rise))
        change = (float(told[1][at]), float(told[number_][at]))
        found.append(Verdict(name, asked, likely, risen, *change, float(people[number_] @ people[0])))
    return found, pictures


def summed(found: list[Verdict]) -> str:
    """Table of means per emotion."""
    rows = []
    for asked in EMOTIONS[1:]:
        own = [one for one in found if one.asked == asked]
        shares = [np.mean([getattr(one, name) == asked for one in own]) for name in ("told", "risen")]
        means = [np.mean([getattr(one, name) for one in own]) for name in ("before", "after", "likeness")]
        rows.append([asked, *(number(float(value)) for value in (*shares, *means))])
    return table(["emotion", "told", "risen most", "probability, neutral", "asked", "likeness"], rows)


def main(
    models: Annotated[Path, typer.Argument(help="Folder of the networks' .json and .bin files.")],
    portraits: Annotated[list[str], typer.Argument(help="Pictures, or names of portraits.")],
    intensity: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of every emotion.")] = 0.7,
    size: Annotated[int, typer.Option(help="Side of the face crop in pixels.")] = 256,
    output: Annotated[Path | None, typer.Option("--json", help="Where every verdict goes.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Where a sheet of all faces goes.")] = None,
) -> None:
    """Print which emotions are recognised, and how like the portrait its faces stay."""
    judges, tracker = Judges(models), FaceTracker(threads=1)
    found: list[Verdict] = []
    own: list[Array] = []
    rows = []
    for portrait in portraits:
        avatar = Avatar.open(portrait, size)
        stage = PosedPortrait(avatar, open_generator("compact", avatar.size), tracker)
        said, pictures = verdicts(Path(portrait).stem, stage, judges, intensity)
        own.append(judges.person(pictures[0], stage.seen(pictures[:1]).mesh[0]))
        found += said
        words = ["source", "neutral", *(f"{one.asked}: {one.told}, {one.risen}" for one in said)]
        rows.append(list(zip(words, pictures)))
    print(summed(found))
    others = [float(one @ other) for k, one in enumerate(own) for other in own[:k]]
    if others:
        print(f"\nlikeness of different people: {np.mean(others):.3f}, at most {max(others):.3f}")
    if output is not None:
        output.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")
    if sheet is not None:
        Image.fromarray(grid(rows)).save(sheet)


app = command(main)

if __name__ == "__main__":
    app()
