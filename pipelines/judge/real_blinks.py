"""Shut eyes of real blinks beside ours of the same people, as the tracker sees them.

python -m pipelines.judge.real_blinks CLIPS

CLIPS is a folder of prepared clips (`pipelines.data.prepare`); of each person the frame counts in which the lids are
nearest to each other across the eye. What the tracker leaves of a shut eye in space differs from person to person and
with the head's pose: the same people tell it apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import FaceError, SpeechheadError
from speechhead.face.landmarks import from_mesh
from speechhead.face.tracker import FaceTracker
from speechhead.generators.open import open_generator

from . import shut_eyes
from .lids import blink, tracked
from .shut_eyes import gap

NEAR = 40
"""Frames from a blink among which its open eye is found."""


def blinks(folder: Path) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Person, an open frame and the most shut one [H, W, 3] of each person who blinks in a folder's clips."""
    best: dict[str, tuple[float, Path, int, int]] = {}
    for file in sorted(folder.glob("*.npz")):
        landmarks = np.stack([from_mesh(mesh) for mesh in np.load(file)["mesh"]])
        apart, person = gap(landmarks), file.stem.rsplit("_", 1)[0]
        for shut in shut_eyes.blinks(landmarks):
            share, first = float(apart[shut] / np.median(apart)), max(shut - NEAR, 0)
            around = apart[first : shut + NEAR]
            at = first + int(np.abs(around - np.percentile(around, 60)).argmin())
            if share < best.get(person, (1.0,))[0]:
                best[person] = (share, file, at, shut)
    for person, (_, file, at, shut) in best.items():
        frames = np.load(file.with_suffix(".npy"), mmap_mode="r")
        yield person, np.array(frames[at]), np.array(frames[shut])


def measure(still: NDArray[np.uint8], shut: NDArray[np.uint8], name: str, tracker: FaceTracker) -> dict[str, float]:
    """Openings of a real shut eye and of ours, made of the open frame, over those of ours left open."""
    avatar = Avatar.from_image(still, still.shape[0], tracker=tracker)
    ours = blink(avatar, open_generator(name, avatar.size), (0.0, 1.0))
    home, own, real = (tracked(tracker, picture) for picture in (*ours, shut))
    row = {"unopened": home[3]}
    for key, at, mine, true in zip(("", "_seen", "_gap"), home, own, real):
        row |= {f"shut{key}": mine / at, f"real{key}": true / at}
    return row


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of prepared clips.")],
    name: Annotated[str, typer.Option("--generator", help="Name of a generator.")] = "compact",
) -> None:
    """Measure, and print the medians."""
    tracker, rows = FaceTracker(), []
    for _, still, shut in blinks(clips):
        try:
            rows.append(measure(still, shut, name, tracker))
        except SpeechheadError:
            continue  # a face too small or too far aside to make a portrait of
    if not rows:
        raise FaceError(f"{clips}: no blink could be measured. Give a folder of clips prepared from footage of faces.")
    found = {key: round(float(np.median([row[key] for row in rows])), 3) for key in rows[0]}
    print(json.dumps(found | {"count": len(rows)}))


app = command(main)


if __name__ == "__main__":
    app()
