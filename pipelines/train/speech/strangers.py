"""Lips of people apart, as they are seen in rendered pictures, beside plain baselines.

    python -m pipelines.train.speech.strangers --clips ../shared/media2 [--before FILE] [--markdown FILE]

The first frame of a clip speaks with the clip's own sound; the tracker looks at the pictures. One clip a person, with
nothing but speech moving, as the files are: no offset is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipelines.command import command
from pipelines.judge import baselines, ours
from pipelines.judge.clips import JudgedClip, list_clips, load, track
from pipelines.judge.performers import WholeSpeech, performers
from speechhead.core.arrays import Array
from speechhead.core.errors import MediaError, SpeechheadError
from speechhead.face.tracker import FaceTracker
from speechhead.speech.model import Speech2Landmarks

from .measures import Row, measure, over_people, table

Show = Callable[[JudgedClip, WholeSpeech], Array | None]
"""Gives the normalised landmarks [T, 70, 3] that are seen when a clip's first frame speaks; None if no face is."""


def rows(clips: Sequence[JudgedClip], voices: dict[str, WholeSpeech], show: Show) -> dict[str, Row]:
    """Mean over clips, each of another person, of every method."""
    found: dict[str, dict[str, Row]] = {}
    for clip in clips:
        truth, person = clip.truth.normalised, clip.entry.identity
        seen: dict[str, Array | None] = {"still": baselines.still_face(clip), "energy": baselines.energy_jaw(clip)}
        seen |= {name: show(clip, speech) for name, speech in voices.items()}
        for name, landmarks in seen.items():
            if landmarks is not None:
                found.setdefault(name, {})[person] = measure(landmarks, truth)
    return {name: over_people(list(own.values()), list(own)) for name, own in found.items()}


def one_each(folder: Path, split: str, seconds: float, tracker: FaceTracker) -> list[JudgedClip]:
    """The first clip with sound of every person; unusable ones are left out.

    Raises
    ------
    MediaError if none is left.
    """
    people: dict[str, JudgedClip] = {}
    for entry in list_clips(folder, split):
        if entry.identity not in people:
            try:
                clip = load(entry, seconds, tracker)
            except SpeechheadError as error:
                print(f"left out: {error}")
                continue
            if clip.audio is not None:
                people[entry.identity] = clip
    if not people:
        raise MediaError(f"{folder}: no clip of '{split}' with sound and a face. Name a folder of clips.")
    return list(people.values())


def main(
    clips: Annotated[Path, typer.Option(help="Folder of talking-face clips, with a catalog.csv if there is one.")],
    split: Annotated[str, typer.Option(help="Of the catalogue.")] = "test",
    before: Annotated[Path | None, typer.Option(help="Other weights (ONNX, JSON beside it), measured too.")] = None,
    seconds: Annotated[float, typer.Option(help="Of each clip.")] = 4.0,
    size: Annotated[int, typer.Option(help="Side of the face crop in pixels.")] = 192,
    markdown: Annotated[Path | None, typer.Option(help="Also write the table there.")] = None,
) -> None:
    """Render, look, and print the table."""
    tracker = FaceTracker(threads=1)
    performer = performers("compact", None, None, 1)["ours"]
    voices: dict[str, WholeSpeech] = {"now": Speech2Landmarks.load(threads=1)}
    if before:
        voices = {"before": Speech2Landmarks.load(before, threads=1)} | voices
    films = one_each(clips, split, seconds, tracker)
    rendered = {film.entry.identity: ours.Rendered(film, performer.generator(size), size) for film in films}

    def show(clip: JudgedClip, speech: WholeSpeech) -> Array | None:
        faces, poses = ours.spoken(clip, speech, ours.LIPS_ONLY)
        seen = track(rendered[clip.entry.identity].frames(faces, poses), tracker)
        return None if seen is None else seen.normalised

    text = table(rows(films, voices, show))
    print(text)
    if markdown:
        markdown.write_text(text + "\n", encoding="utf-8")


app = command(main)


if __name__ == "__main__":
    app()
