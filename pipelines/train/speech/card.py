"""The table of Speech2Landmarks' model card: the shipped weights on clips of `val` with sound.

    python -m pipelines.train.speech.card --media ../shared/media

Offsets of clips are the model's own: where its mouth fits the picture best. GRID's are known to be none. Signs are
those of `pipelines.data.curves`; closures those of `pipelines.evaluate`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipelines.command import command
from pipelines.data.curves import best_lag
from pipelines.judge.clips import JudgedClip, list_clips, load
from speechhead.core.arrays import Array
from speechhead.core.errors import MediaError
from speechhead.face.tracker import FaceTracker
from speechhead.speech.model import Speech2Landmarks

from .data import SpeechClip, normal_and_neutral
from .evaluate import REACH, Row, measure_clip, opening_of, table
from .offsets import LABORATORY

LEAD = 0
"""Whole frames by which the shipped weights lead the sound; the half frame of their configs is none."""


def picture_lag(ours: Array, true: Array) -> int:
    """Frames by which a picture is behind our mouth, openings [T]; short clips prefer no lag more strongly."""
    return best_lag(true, ours, REACH, 0.006 + 0.4 / max(len(true), 25))[0] or 0


def measured(film: JudgedClip, speech: Speech2Landmarks) -> Row:
    """One line of the table."""
    assert film.audio is not None
    normal, neutral = normal_and_neutral(film.truth.mesh)
    name = film.entry.path.stem
    clip = SpeechClip(name, film.entry.identity, "val", "", normal, neutral, np.zeros(7, np.float32))
    motion = speech.whole(film.audio, neutral=neutral)[: len(normal)]
    known = film.entry.identity.startswith(LABORATORY)
    clip.lag = float(LEAD if known else picture_lag(opening_of(motion), opening_of(clip.motion)))
    return measure_clip(motion, clip, film.audio)


def main(media: Annotated[Path, typer.Option(help="Folder of clips with catalog.csv.")]) -> None:
    """Track, speak and measure."""
    speech, tracker = Speech2Landmarks.load(threads=1), FaceTracker(smooth=False, threads=1)
    films = (load(entry, tracker=tracker) for entry in list_clips(media, "val"))
    rows = [measured(film, speech) for film in films if film.audio is not None]
    if not rows:
        raise MediaError(f"{media}: no clip of val has sound. Name a folder of talking-face clips with catalog.csv.")
    print(table(rows))


app = command(main)


if __name__ == "__main__":
    app()
