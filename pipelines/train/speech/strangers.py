"""Lips of people apart, as asked for and as seen in pictures, beside plain baselines.

    python -m pipelines.train.speech.strangers --clips ../shared/media2 [--before FILE] [--markdown FILE]

The first frame of a clip speaks with the clip's own sound; the tracker looks at the pictures. All clips of a split, as
the files are: no offset is undone. Nothing but speech moves, by as much as the controls have it unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pipelines.command import command
from pipelines.judge import baselines, ours
from pipelines.judge.clips import JudgedClip, list_clips, load, track
from pipelines.judge.performers import WholeSpeech, performers
from speechhead.core.arrays import Array
from speechhead.core.controls import Controls
from speechhead.core.errors import MediaError, SpeechheadError
from speechhead.face.tracker import FaceTracker
from speechhead.speech.model import Speech2Landmarks

from .measures import Row, measure, over_people, table

Show = Callable[[JudgedClip, WholeSpeech], tuple[Array, Array | None]]
"""Gives the normalised landmarks [T, 70, 3] that a clip's first frame is asked for when it speaks, and those that are
seen in its pictures; None if no face is."""


def rows(clips: Iterable[JudgedClip], voices: dict[str, WholeSpeech], show: Show) -> dict[str, Row]:
    """Mean over people of every method; of each voice what is asked for, and what is seen."""
    found: dict[str, list[tuple[str, Row]]] = {}
    for clip in clips:
        seen: dict[str, Array | None] = {"still": baselines.still_face(clip), "energy": baselines.energy_jaw(clip)}
        for name, speech in voices.items():
            seen[f"{name}, asked"], seen[name] = show(clip, speech)
        for name, landmarks in seen.items():
            if landmarks is not None:
                row = measure(landmarks, clip.truth.normalised)
                found.setdefault(name, []).append((clip.entry.identity, row))
    if not found:
        raise MediaError("no clip with sound and a face is left. Name a folder of clips, and a split of its catalogue.")
    return {name: over_people([row for _, row in own], [who for who, _ in own]) for name, own in found.items()}


def usable(folder: Path, split: str, seconds: float, tracker: FaceTracker) -> Iterator[JudgedClip]:
    """The clips of a split that have sound and a face, one at a time; the others are named."""
    for entry in list_clips(folder, split):
        try:
            clip = load(entry, seconds, tracker)
        except SpeechheadError as error:
            print(f"left out: {error}")
            continue
        if clip.audio is not None:
            yield clip


def main(
    clips: Annotated[Path, typer.Option(help="Folder of talking-face clips, with a catalog.csv if there is one.")],
    split: Annotated[str, typer.Option(help="Of the catalogue.")] = "test",
    before: Annotated[Path | None, typer.Option(help="Other weights (ONNX, JSON beside it), measured too.")] = None,
    seconds: Annotated[float, typer.Option(help="Of each clip.")] = 6.0,
    size: Annotated[int, typer.Option(help="Side of the face crop in pixels.")] = 192,
    amplitude: Annotated[float, typer.Option(help="Of the mouth.")] = Controls().mouth_amplitude,
    markdown: Annotated[Path | None, typer.Option(help="Also write the table there.")] = None,
) -> None:
    """Render, look, and print the table."""
    tracker = FaceTracker(threads=1)
    performer = performers("compact", None, None, 1)["ours"]
    generator, controls = performer.generator(size), replace(ours.LIPS_ONLY, mouth_amplitude=amplitude)
    voices: dict[str, WholeSpeech] = {"now": Speech2Landmarks.load(threads=1)}
    if before:
        voices = {"before": Speech2Landmarks.load(before, threads=1)} | voices

    def show(clip: JudgedClip, speech: WholeSpeech) -> tuple[Array, Array | None]:
        faces, poses = ours.spoken(clip, speech, controls)
        seen = track(ours.Rendered(clip, generator, size).frames(faces, poses), tracker)
        return faces, None if seen is None else seen.normalised

    text = table(rows(usable(clips, split, seconds, tracker), voices, show))
    print(text)
    if markdown:
        markdown.write_text(text + "\n", encoding="utf-8")


app = command(main)


if __name__ == "__main__":
    app()
