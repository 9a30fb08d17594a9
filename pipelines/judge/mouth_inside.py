"""What is seen inside open mouths, beside the truth: contrast, teeth, their brightness.

    python -m pipelines.judge.mouth_inside FOLDER [--split val] [--json OUT]

The first frame of each clip is the portrait, and the clip's own landmarks drive it. An opening is read by
`speechhead.generators.compact.open_mouth`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from pipelines.command import command
from speechhead.core.errors import SpeechheadError
from speechhead.face.landmarks import mouth_opening
from speechhead.face.tracker import FaceTracker
from speechhead.generators.compact.open_mouth import SeenInside, look
from speechhead.generators.open import open_generator

from . import ours
from .clips import FaceTrack, JudgedClip, list_clips, load, track
from .picture import Frames

WIDE = 0.07
"""Opening of the inner lips, outer eye distances, from which an inside can be judged."""

FEWEST = 12
"""Frames with a wide opening, in the truth and in what is judged, that a clip needs."""

NAMES = ("contrast", "lower_teeth", "light")

Row = dict[str, Any]


def mouth_inside(frames: Frames, seen: FaceTrack | None, truth_frames: Frames, truth: FaceTrack) -> Row:
    """The inside of open mouths beside the truth's, over the frames that are wide enough in both.

    Parameters
    ----------
    frames, truth_frames : uint8 [T, H, W, 3]; made and true pictures of the same clip
    seen, truth : the same tracker's landmarks of them, None if it found no face

    Returns
    -------
    dict of `inside_frames`, and where they are at least FEWEST, else None: `inside_contrast`, `inside_lower_teeth`,
    `inside_light` and the same with `_truth` (means over the frames), `inside_contrast_ratio`, and
    `inside_teeth_correlation`, over time, of the share of teeth (None where the truth's does not change).
    """
    row: Row = {f"inside_{name}{which}": None for name in NAMES for which in ("", "_truth")}
    row |= {"inside_frames": 0, "inside_contrast_ratio": None, "inside_teeth_correlation": None}
    if seen is None:
        return row
    wide = (mouth_opening(truth.normalised) > WIDE) & (mouth_opening(seen.normalised) > WIDE)
    chosen = np.flatnonzero(wide)
    row["inside_frames"] = len(chosen)
    if len(chosen) < FEWEST:
        return row
    made = [look(frames[t], seen.mesh[t], seen.poses[t].scale) for t in chosen]
    real = [look(truth_frames[t], truth.mesh[t], truth.poses[t].scale) for t in chosen]
    return row | compared(made, real)


def compared(made: Sequence[SeenInside], real: Sequence[SeenInside]) -> Row:
    """The rows of `mouth_inside` of the same frames' mouths."""
    row: Row = {}
    for which, mouths in (("", made), ("_truth", real)):
        row[f"inside_contrast{which}"] = float(np.mean([mouth.contrast for mouth in mouths]))
        row[f"inside_lower_teeth{which}"] = float(np.mean([mouth.lower for mouth in mouths]))
        row[f"inside_light{which}"] = float(np.mean([mouth.light for mouth in mouths]))
    row["inside_contrast_ratio"] = row["inside_contrast"] / max(row["inside_contrast_truth"], 1e-6)
    shares = [np.array([mouth.teeth for mouth in mouths]) for mouths in (made, real)]
    row["inside_teeth_correlation"] = None
    if float(np.std(shares[1])) > 0.01:
        moved = float(np.std(shares[0])) > 1e-6
        row["inside_teeth_correlation"] = float(np.corrcoef(shares[0], shares[1])[0, 1]) if moved else 0.0
    return row


def judged(clip: JudgedClip, tracker: FaceTracker, generator: str = "compact", size: int | None = None) -> Row:
    """The row of one clip, remade from its first frame by its own landmarks; size: side of the face crop."""
    size = size or ours.native_size(clip)
    rendered = ours.Rendered(clip, open_generator(generator, size, threads=1), size)
    frames = ours.reenacted(clip, rendered)
    return mouth_inside(frames, track(frames, tracker), clip.frames, clip.truth)


def printed(rows: Sequence[Row]) -> str:
    """A table of the clips that have enough open frames, and their mean."""
    used = [row for row in rows if row["inside_contrast"] is not None]
    lines = [f"{'clip':33s} frames  contrast      lower teeth   light         r of teeth   (made / true)"]
    for row in [*used, *([mean(used)] if used else [])]:
        both = [(row[f"inside_{name}"], row[f"inside_{name}_truth"]) for name in NAMES]
        pairs = "   ".join(f"{made:.2f} / {true:.2f}" for made, true in both)
        r = row["inside_teeth_correlation"]
        lines.append(
            f"{row['file'][:32]:33s} {row['inside_frames']:6.0f}  {pairs}   {'-' if r is None else f'{r:.2f}'}"
        )
    few = [row["file"] for row in rows if row["inside_contrast"] is None]
    return "\n".join([*lines, *([f"too few open frames: {', '.join(few)}"] if few else [])])


def mean(rows: Sequence[Row]) -> Row:
    """Means over clips, those that lack a number left out."""
    result: Row = {"file": "mean"}
    for name in rows[0].keys() - result.keys():
        values = [row[name] for row in rows if row[name] is not None]
        result[name] = float(np.mean(values)) if values else None
    return result


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of talking-face clips, with a catalog.csv if there is one.")],
    split: Annotated[str | None, typer.Option(help="Only this split of the catalogue.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Only the first seconds of each clip.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the face crop; the clip's own if not given.")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="File for the rows.")] = None,
) -> None:
    """Measure every clip, and print them with their mean."""
    cv2.setNumThreads(1)
    tracker, rows = FaceTracker(smooth=False, threads=1), []
    for entry in list_clips(folder, split):
        try:
            clip = load(entry, seconds, tracker)
        except SpeechheadError as error:
            print(f"{entry.path.name}: {error}")
            continue
        rows.append({"file": entry.path.stem} | judged(clip, tracker, size=size))
    print(printed(rows))
    if output:
        output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


app = command(main)


if __name__ == "__main__":
    app()
