"""Tables of how close our faces move to real ones, for the report and for a terminal.

    python -m pipelines.judge.closeness_report ../shared/media2 --split val

measures the clips of a folder and prints the table alone, without the rest of `pipelines.evaluate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer

from pipelines.command import command

from . import speaking
from .clips import list_clips
from .closeness import SCORES, summary
from .run import EvaluationSettings, Evaluator
from .tables import number, table

SMALL = ("lip_dynamics", "lip_sync", "silent_lips", "brows", "brow_range", "head_steps", "head_travel")
"""Measures that are shown with five digits after the point."""

WORDS = """
The face that the sound moves, with default controls and rendered from the first frame, beside the real one, both seen
by the same tracker; means over people. `closeness` is 1 - |ours - real| / real of those means, for the head the mean
of its three parts. `each` is the mean over people of each one's own closeness, and `others` the same for the mean of
the other real people in place of ours: what a face gets that moves like people, but not like this one. `people` are
those in whom it is seen, of silent lips those with a silence of 0.3 s; in 95 of 100 draws of as many of them closeness
of the means is within `sure`.
"""


def _cell(name: str, value: Any) -> str:
    return f"{value:.5f}" if name in SMALL and value is not None else number(value)


def score_table(found: Mapping[str, Any]) -> str:
    """Closeness by measure, of one set of clips."""
    rows = []
    for name in SCORES:
        close, *beside = (number(found[key].get(name)) for key in ("closeness", "each", "others"))
        ends = found["interval"][name]
        sure = f"{ends[0]:.2f}-{ends[1]:.2f}" if ends else ""
        rows.append([name.replace("_", " "), close, str(found["known"][name]), sure, *beside])
    return table(["closeness", "of the means", "people", "sure", "each", "others"], rows)


def measure_table(found: Mapping[str, Any]) -> str:
    """Every measure, real and ours, of one set of clips."""
    names = list(found["real"])
    rows = [
        [name.replace("_", " "), *(_cell(name, found[who].get(name)) for who in ("real", "ours"))] for name in names
    ]
    return table(["measure", "real", "ours"], rows)


def life_parts(document: Mapping[str, Any]) -> list[str]:
    """The parts of the report about the life of faces; none if it was not measured."""
    sets = document.get("life") or {}
    parts = ["## Life of the face, beside real ones", WORDS] if sets else []
    if sets:
        parts.append(f"Speech frames by {document['speech_frames']}.")
    for name, found in sets.items():
        size = f"{found['people']} people, {found['clips']} clips, {found['seconds']:.0f} seconds"
        parts += [f"### {name}: {size}", score_table(found), measure_table(found)]
    return parts


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of talking-face clips.")],
    split: Annotated[str | None, typer.Option(help="Only this split of the catalogue, such as val.")] = None,
    limit_seconds: Annotated[float | None, typer.Option(help="Only the first seconds of each clip.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the rendered face crop.")] = None,
) -> None:
    """Print closeness and measures of a folder of clips."""
    cv2.setNumThreads(1)
    judge = Evaluator(EvaluationSettings(size=size, seconds=limit_seconds, life_only=True))
    found = summary([judge.clip(entry) for entry in list_clips(clips, split)])
    if not found:
        raise typer.BadParameter(f"{clips}: no clip with sound and a face.")
    name = f"{clips}:{split}" if split else str(clips)
    print("\n\n".join(life_parts({"life": {name: found}, "speech_frames": speaking.rule()})))


app = command(main)

if __name__ == "__main__":
    app()
