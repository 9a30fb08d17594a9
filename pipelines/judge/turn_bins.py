"""Errors of a driven clip by how far the head has turned from where it was in the source.

    python -m pipelines.judge.turn_bins ../shared/media --split val --weights-before-rev REVISION

prints the table of the clips that have frames of every bin; `pipelines.evaluate` has the same in its report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.core.arrays import Array
from speechhead.core.errors import SpeechheadError
from speechhead.face.landmarks import Pose
from speechhead.face.tracker import FaceTracker

from . import baselines, earlier, ours
from .clips import ClipEntry, FaceTrack, JudgedClip, list_clips, load, track
from .motion import MOUTH
from .performers import Performer, performers
from .picture import Frames
from .regions import regions
from .tables import number, table
from .turn_floor import FLOORS, floors

Row = dict[str, Any]

EDGES = (0.0, 6.0, 10.0, 15.0, 22.0)
"""Degrees between bins of turn."""

BINS = tuple(f"{low:g}-{high:g}" for low, high in zip(EDGES, EDGES[1:]))

AXES = ("yaw", "pitch", "roll")

FAR_APART = 2.0
"""Standard deviation in degrees that an axis needs in a clip for a slope of what is seen of it."""

NEAR = (13.0, 17.0)
"""Degrees that count as 15, where landmarks have a target."""

FEWEST = 5
"""Frames that a clip needs in a bin to have a figure there."""

REGIONS = {"face": "face", "hair and ears": "hair", "body and background": "rest"}
"""Regions of `regions.regions`, and what they are called in rows."""

MOST = 16
"""Frames that are measured of each bin of a clip, where not all are."""

EYES = (*range(36, 48), 68, 69)
"""Landmarks of lids and irises."""

METHODS = ("ours", "earlier", *FLOORS, "warp", "copy")
"""Who is shown, in this order."""

PARTS: dict[str, Any] = {"all": slice(None), "mouth": MOUTH, "eyes": list(EYES)}
"""Landmarks whose error is measured."""


def turn(poses: Sequence[Pose]) -> Array:
    """Angle [T] in degrees of the rotation from the first pose to each: of yaw, pitch and roll together."""
    rotations = np.stack([np.asarray(pose.rotation, np.float64) for pose in poses])
    cosine = (np.einsum("tij,ij->t", rotations, rotations[0]) - 1) / 2
    return np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).astype(np.float32)


def chosen(angles: Array) -> dict[str, NDArray[np.bool_]]:
    """Frames [T] of each of BINS, and of `near`."""
    found = {name: (angles >= low) & (angles < high) for name, low, high in zip(BINS, EDGES, EDGES[1:])}
    return found | {"near": (angles >= NEAR[0]) & (angles < NEAR[1])}


def region_errors(frames: Frames, clip: JudgedClip) -> Array:
    """L1 in grey levels of each frame in each of REGIONS [T, 3]; NaN where the picture has none of it."""
    height, width = clip.frames.shape[1:3]
    rows = np.full((len(frames), len(REGIONS)), np.nan, np.float32)
    for row, frame, truth, mesh in zip(rows, frames, clip.frames, clip.truth.mesh):
        error = cv2.absdiff(np.ascontiguousarray(frame), truth).mean(-1)
        for column, mask in enumerate(regions(mesh, height, width).values()):
            if mask.any():
                row[column] = error[mask].mean()
    return rows


def slope(asked: Sequence[float] | Array, seen: Array) -> float:
    """Slope of the regression of degrees seen on degrees asked."""
    return float(np.polyfit(np.asarray(asked, np.float64), np.asarray(seen, np.float64), 1)[0])


def slopes(seen: FaceTrack, clip: JudgedClip) -> Row:
    """`turn_AXIS_slope`: turns seen in rendered frames over the true ones; None of an axis that hardly moves."""
    asked = clip.truth.angles
    wide = asked.std(0) >= FAR_APART
    return {f"turn_{a}_slope": slope(asked[:, k], seen.angles[:, k]) if wide[k] else None for k, a in enumerate(AXES)}


def by_turn(frames: Frames, seen: FaceTrack | None, clip: JudgedClip) -> Row:
    """Errors by bin of turn, and `slopes`; None where the clip has too few such frames.

    `turn_BIN_REGION`: L1 in grey levels of `face`, `hair` and `rest`; `turn_BIN_PART`: landmark error, px at 256, of
    `all` landmarks, `mouth` and `eyes`, without which tracker there is none; BIN is one of BINS, or `near` 15 degrees.
    """
    errors = region_errors(frames, clip)
    values = {name: errors[:, column] for column, name in enumerate(REGIONS.values())}
    if seen is not None:
        apart = np.linalg.norm((seen.landmarks - clip.truth.landmarks)[..., :2], axis=-1) * clip.unit
        values |= {name: apart[:, points].mean(1) for name, points in PARTS.items()}
    row: Row = {} if seen is None else slopes(seen, clip)
    for bin_name, there in chosen(turn(clip.truth.poses)).items():
        enough = int(there.sum()) >= FEWEST
        for name, value in values.items():
            own = value[there & np.isfinite(value)]
            row[f"turn_{bin_name}_{name}"] = float(own.mean()) if enough and len(own) else None
    return row


def counted(clip: JudgedClip) -> Row:
    """Frames of each bin."""
    return {name: int(there.sum()) for name, there in chosen(turn(clip.truth.poses)).items()}


def turned_clips(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows of the clips that have frames of every bin: so every bin has the same people before the same walls."""
    return [row for row in rows if all(row.get("turns", {}).get(name, 0) >= FEWEST for name in BINS)]


def average(rows: Sequence[Mapping[str, Any]], method: str, name: str) -> float | None:
    """Mean over clips of one figure of a method; None where no clip has it."""
    found = [(row.get("self_reenactment", {}) | row.get("turn_floor", {})).get(method, {}).get(name) for row in rows]
    kept = [value for value in found if value is not None]
    return sum(kept) / len(kept) if kept else None


def growth(rows: Sequence[Mapping[str, Any]], method: str, region: str) -> float | None:
    """L1 of a region in the last bin over that in the first, of the clips that have every bin."""
    far, near = (average(turned_clips(rows), method, f"turn_{name}_{region}") for name in (BINS[-1], BINS[0]))
    return None if far is None or not near else far / near


def turn_table(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> str:
    """Means over the clips that have every bin, a line per method and measure."""
    used, lines = turned_clips(rows), []
    for name in (*REGIONS.values(), *PARTS):
        for method in methods:
            values = [average(used, method, f"turn_{one}_{name}") for one in (*BINS, "near")]
            if any(value is not None for value in values):
                far = growth(rows, method, name) if name in REGIONS.values() else None
                lines.append([f"{'L1' if name in REGIONS.values() else 'landmarks'}, {name}", method.replace("_", " ")])
                lines[-1] += [*map(number, values), number(far)]
    header = ["", "method", *(f"{name} degrees" for name in BINS), "at 15", f"{BINS[-1]} over {BINS[0]}"]
    return table(header, lines)


def slope_table(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> str:
    """Turns seen over the true ones, mean over clips, a line per method; empty where none was measured."""
    lines = []
    for method in methods:
        values = [average(rows, method, f"turn_{axis}_slope") for axis in AXES]
        if any(value is not None for value in values):
            lines.append([method.replace("_", " "), *map(number, values)])
    return table(["method", *(f"{axis}, seen over true" for axis in AXES)], lines) if lines else ""


def spread(clip: JudgedClip, most: int) -> list[int]:
    """The first frame, and of every bin as many frames as that, evenly over a clip."""
    kept = {0}
    for name, there in chosen(turn(clip.truth.poses)).items():
        places = np.flatnonzero(there)
        if name in BINS and len(places):
            kept |= set(places[np.unique(np.linspace(0, len(places) - 1, most).round().astype(int))].tolist())
    return sorted(kept)


def thinned(clip: JudgedClip, most: int) -> JudgedClip:
    """A clip of the frames of `spread`."""
    order = spread(clip, most)
    truth = FaceTrack(np.ascontiguousarray(clip.truth.mesh[order]), clip.truth.found)
    return replace(clip, frames=np.ascontiguousarray(clip.frames[order]), audio=None, truth=truth)


def floor_rows(frames: Frames, clip: JudgedClip) -> dict[str, Row]:
    """`by_turn` of what frames of a clip could be, see `turn_floor`; nothing of a clip that lacks a bin."""
    if not turned_clips([{"turns": counted(clip)}]):
        return {}
    few = thinned(clip, MOST)
    return {name: by_turn(one, None, few) for name, one in floors(frames[spread(clip, MOST)], few).items()}


def measure(entry: ClipEntry, acting: Mapping[str, Performer], tracker: FaceTracker, most: int) -> Row:
    """The row of one clip, as the report's but with nothing else in it."""
    clip = thinned(load(entry, None, tracker), most)
    row: Row = {"file": entry.path.name, "turns": counted(clip), "self_reenactment": {}}
    videos = {"copy": baselines.copy_source(clip), "warp": baselines.mesh_warp(clip)}
    for name, one in acting.items():
        size = ours.native_size(clip)
        videos[name] = ours.reenacted(clip, ours.Rendered(clip, one.generator(size), size))
    for name, frames in videos.items():
        seen = None if name == "copy" else track(frames, tracker)
        row["self_reenactment"][name] = by_turn(frames, seen, clip)
    if "ours" in videos:
        row["turn_floor"] = floor_rows(videos["ours"], clip)
    return row


def main(
    folder: Annotated[Path, typer.Argument(help="Talking-face clips.")],
    names: Annotated[list[str] | None, typer.Option("--clip", help="Only these files.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this split of the catalogue.")] = None,
    most: Annotated[int, typer.Option(help="Frames that are measured of each bin of a clip.")] = MOST,
    weights_before_rev: Annotated[str | None, typer.Option(help="A git revision, as 'earlier'.")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Also write every clip's row.")] = None,
) -> None:
    """Print the clips' counts of frames and the table of those with frames in every bin."""
    cv2.setNumThreads(1)
    tracker, rows = FaceTracker(threads=1), []
    entries = [e for e in list_clips(folder, split) if not names or e.path.name in names]
    with earlier.unpacked(weights_before_rev) if weights_before_rev else nullcontext() as place:
        acting = performers("compact", None, place)
        for entry in entries:
            try:
                rows.append(measure(entry, acting, tracker, most))
            except SpeechheadError as error:
                print(f"left out: {error}")
                continue
            print(entry.path.name, json.dumps(rows[-1]["turns"]))
    if output:
        output.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(f"{len(turned_clips(rows))} of {len(rows)} clips have {FEWEST} frames in every bin:\n")
    print(turn_table(rows, METHODS), slope_table(rows, METHODS), sep="\n\n")


app = command(main)


if __name__ == "__main__":
    app()
