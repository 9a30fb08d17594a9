"""Rounded and rolled-in lips: how much of what the true ones do is in our pictures.

    python -m pipelines.judge.pucker CLIPS --split val

Every clip is remade from its first frame by its own landmarks and tracked again. Width and red heights are the
tracker's; it knows lips by their outline alone, so what light tells of their volume is read off the pictures as well.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from pipelines.data.curves import correlation
from speechhead.core.arrays import Array
from speechhead.core.errors import SpeechheadError
from speechhead.face.landmarks import Pose, mouth_opening, to_normalised
from speechhead.face.tracker import FaceTracker
from speechhead.generators.open import open_generator

from . import ours
from .clips import FaceTrack, list_clips, load, track
from .picture import Frames

FEWEST = 10
"""Frames below which a clip tells nothing."""

TENTH = 10
"""Percentile of width at which lips are rounded, and of red height at which they are rolled in."""

SHUT = 0.03
"""Opening in outer eye distances below which lips that roll in are looked for: p, b, m."""

UPPER = ((37, 82), (0, 13), (267, 312))
LOWER = ((87, 84), (14, 17), (317, 314))
"""Mesh vertices across the middle of a lip, upper to lower."""

BELOW = (0.03, 0.09)
"""The shadow under the lower lip is looked for this far below its edge, in outer eye distances."""


@dataclass(frozen=True)
class Volume:
    """Lips of ours beside the truth's; None where the clip does not show it.

    pucker_width, pucker_upper, pucker_lower : of the mouth and of the red of each lip, ours over true, on the tenth of
    the frames that has the narrowest true mouth
    pucker_depth : how much narrower than its median the mouth is in them, ours over true
    rolled_upper, rolled_lower : red of each lip, ours over true, on the tenth of the shut frames that shows least of it
    width_r, upper_r, lower_r : correlation over time of width and red heights
    light_r, light_slope : correlation, and regression of ours on the truth, of the lower lip's light over that of the
    skin under it, which a lip that comes forward raises
    """

    pucker_width: float | None = None
    pucker_depth: float | None = None
    pucker_upper: float | None = None
    pucker_lower: float | None = None
    rolled_upper: float | None = None
    rolled_lower: float | None = None
    width_r: float | None = None
    upper_r: float | None = None
    lower_r: float | None = None
    light_r: float | None = None
    light_slope: float | None = None


def heights(track: FaceTrack) -> tuple[Array, Array, Array]:
    """Width of the mouth and red heights of the upper and the lower lip, [T] each, in outer eye distances."""
    mesh = np.stack([to_normalised(points, pose) for points, pose in zip(track.mesh, track.poses)])
    width = np.linalg.norm(mesh[:, 291] - mesh[:, 61], axis=-1)
    reds = [
        np.linalg.norm(mesh[:, [a for a, _ in lip]] - mesh[:, [b for _, b in lip]], axis=-1) for lip in (UPPER, LOWER)
    ]
    return width, reds[0].mean(1), reds[1].mean(1)


def lit(frames: Frames, track: FaceTrack) -> Array:
    """Log of the lower lip's luma over that of the skin under it, [T], for frames [T, H, W, 3] with these meshes."""
    values = []
    for frame, mesh, pose in zip(frames, track.mesh, track.poses):
        luma = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)
        inner, outer = (mesh[[pair[k] for pair in LOWER], :2] for k in (0, 1))
        lip = inner[:, None] + np.linspace(0.3, 0.8, 5, dtype=np.float32)[:, None] * (outer - inner)[:, None]
        under = outer[:, None] + _down(pose) * np.linspace(*BELOW, 5, dtype=np.float32)[:, None]
        values.append(np.log(_mean(luma, lip) / _mean(luma, under)))
    return np.array(values, np.float32)


def _down(pose: Pose) -> Array:
    return np.asarray(pose.rotation[:2, 1] * pose.scale, np.float32)


def _mean(luma: Array, places: Array) -> float:
    x, y = (places[..., k].astype(np.float32) - np.float32(0.5) for k in (0, 1))
    return max(float(cv2.remap(luma, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).mean()), 1.0)


def volume(seen: FaceTrack, truth: FaceTrack) -> Volume:
    """What the tracker sees of lips in our pictures and in the true ones, frame by frame the same."""
    if len(truth.mesh) < FEWEST:
        return Volume()
    true_width, *true_reds = heights(truth)
    width, *reds = heights(seen)
    narrow = true_width <= np.percentile(true_width, TENTH)
    shut = mouth_opening(truth.normalised) < SHUT
    found = {"pucker_width": _ratio(width, true_width, narrow)}
    deep = float(np.median(true_width) - true_width[narrow].mean())
    found["pucker_depth"] = float(np.median(width) - width[narrow].mean()) / deep if deep > 1e-6 else None
    for name, own, true in zip(("upper", "lower"), reds, true_reds):
        found[f"pucker_{name}"] = _ratio(own, true, narrow)
        rolled = shut & (true <= np.percentile(true[shut], TENTH)) if shut.sum() >= FEWEST else shut & False
        found[f"rolled_{name}"] = _ratio(own, true, rolled)
        found[f"{name}_r"] = correlation(own, true)
    return Volume(width_r=correlation(width, true_width), **found)


def light(frames: Frames, true_frames: Frames, truth: FaceTrack) -> dict[str, float | None]:
    """`light_r` and `light_slope` of `Volume` of frames [T, H, W, 3], both read at the true lips."""
    own, true = lit(frames, truth), lit(true_frames, truth)
    if len(true) < FEWEST or float(true.std()) < 1e-4:
        return {"light_r": None, "light_slope": None}
    return {"light_r": correlation(own, true), "light_slope": float(np.polyfit(true, own, 1)[0])}


def _ratio(own: Array, true: Array, chosen: NDArray[np.bool_]) -> float | None:
    total = float(true[chosen].sum())
    return float(own[chosen].sum()) / total if total > 1e-6 else None


def mean(rows: list[Volume]) -> dict[str, float]:
    """Mean of every number over the clips that have it."""
    result = {}
    for name in (field.name for field in fields(Volume)):
        values = [value for row in rows if (value := getattr(row, name)) is not None]
        if values:
            result[name] = float(np.mean(values))
    return result


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of talking-face clips.")],
    catalog: Annotated[Path | None, typer.Option(help="Catalogue; CLIPS/catalog.csv if not given.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this split of the catalogue, such as val.")] = None,
    limit_seconds: Annotated[float | None, typer.Option(help="Only the first seconds of each clip.")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="File for the rows and their mean.")] = None,
) -> None:
    """Measure every clip, and print the mean."""
    tracker, rows = FaceTracker(threads=1), {}
    for entry in list_clips(clips, split, catalog):
        try:
            clip = load(entry, limit_seconds, tracker)
        except SpeechheadError as error:
            print(f"{entry.path.name}: {error}")
            continue
        size = ours.native_size(clip)
        frames = ours.reenacted(clip, ours.Rendered(clip, open_generator("compact", size, threads=1), size))
        seen = track(frames, tracker)
        if seen is not None:
            found = asdict(volume(seen, clip.truth)) | light(frames, clip.frames, clip.truth)
            rows[entry.path.name] = Volume(**found)
    means = mean(list(rows.values()))
    if output:
        shown = {"mean": means, "clips": {name: asdict(row) for name, row in rows.items()}}
        output.write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")
    for key, value in means.items():
        print(f"{key:14s} {value:.3f}")


app = command(main)


if __name__ == "__main__":
    app()
